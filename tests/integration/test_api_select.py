"""Selectors, over the real farmd: wherever the API takes servers, it takes the same words for them."""

from urllib.parse import quote

import pytest

from api_client import Api
from farmd_process import running
from farmlib import wait_for

CONFIG = """\
groups:
  - {name: web, count: 3, labels: {zone: a}}
  - {name: app, count: 2, labels: {zone: b}}
"""


@pytest.fixture(scope="module")
def farm():
    with running(servers=5, config=CONFIG) as one:
        wait_for(lambda: all(e["health"] == "healthy" for e in one.servers().values()), what="all healthy")
        yield one


@pytest.fixture(scope="module")
def api(farm):
    return Api(farm.port)


def chosen(api, text):
    return [entry["id"] for entry in api.get(f"/api/servers?select={quote(text)}")["servers"]]


@pytest.mark.parametrize("text,ids", [
    ("2", [2]), ("server-2", [2]), ("1-2,5", [1, 2, 5]), ("all", [1, 2, 3, 4, 5]), ("zone=a", [1, 2, 3]),
    ("zone=a,zone=b,1-4", [1, 2, 3, 4]), ("group:app", [4, 5]), ("state:healthy", [1, 2, 3, 4, 5]), ("state:failed", []),
    ("zone!=a,5", [5]), ("restarts=0,1-2", [1, 2]), ("cpu>=0,memory<100,4", [4]), ("uptime>1h", []),
])
def test_the_list(api, text, ids):
    assert chosen(api, text) == ids


def test_the_totals_are_the_whole_farms(api):
    answer = api.get("/api/servers?select=2")
    assert len(answer["servers"]) == 1 and answer["total_servers"] == answer["totals"]["running"] == 5


def test_states_are_those_of_now(api):
    api.act(3, "stop")
    try:
        assert chosen(api, "state:stopped") == [3]
        assert chosen(api, "state:stopped,zone=b") == []
        assert chosen(api, "state:running,zone=a") == [1, 2]
        result = api.post("/api/servers/action", {"ids": "state:stopped,zone=a", "action": "start"})
        assert [entry["server_id"] for entry in result["results"]] == [3]
    finally:
        api.act(3, "start")


def test_wherever_servers_are_taken(api):
    health = api.get("/api/health?select=zone=b")
    assert [entry["server_id"] for entry in health["servers"]] == [4, 5] and health["total_servers"] == 2
    assert api.get("/api/metrics?select=1-2")["total_servers"] == 2
    broadcast = api.post("/api/broadcast?endpoint=/health&select=4-5")
    assert broadcast["server_ids"] == [4, 5] and [r["server_id"] for r in broadcast["results"]] == ["server-4", "server-5"]
    load = api.post("/api/simulate-load", {"server_ids": "zone=b", "cpu_duration": 0, "memory_mb": 0})
    assert [(r["server_id"], r["status"]) for r in load["results"]] == [(4, "success"), (5, "success")]
    rolling = api.post("/api/rolling-restart", {"ids": "group:app"})
    assert [entry["server_id"] for entry in rolling["results"]] == [4, 5]
    tested = api.post("/api/load-test", {"target_servers": "zone=b", "requests": 3})
    assert [entry["server_id"] for entry in tested["load_test_results"]] == [4, 5]
    wait_for(lambda: chosen(api, "state:healthy") == [1, 2, 3, 4, 5], what="all healthy again")


def test_what_nobody_meets_is_an_answer(api):
    last = api.get("/api/events")["last_id"]
    assert api.get("/api/health?select=state:failed")["servers"] == []
    assert api.get("/api/metrics?select=state:failed")["error"]
    assert api.post("/api/broadcast?select=state:failed")["results"] == []
    for path, body in (("/api/servers/action", {"action": "restart"}), ("/api/rolling-restart", {})):
        answer = api.post(path, {"ids": "state:failed", **body})
        assert (answer["total"], answer["results"]) == (0, [])
    assert api.post("/api/simulate-load", {"server_ids": "state:failed"})["results"] == []
    # A load of nobody is not one of everybody.
    assert "target_servers" in api.post("/api/load-test", {"target_servers": "state:failed", "requests": 1}, 422)["detail"]
    assert api.get("/api/events")["last_id"] == last


CALLS = [
    ("GET", "/api/servers?select=", None), ("GET", "/api/health?select=", None), ("GET", "/api/metrics?select=", None),
    ("POST", "/api/broadcast?select=", None), ("POST", "/api/servers/action", "ids"), ("POST", "/api/rolling-restart", "ids"),
    ("POST", "/api/simulate-load", "server_ids"), ("POST", "/api/load-test", "target_servers"),
]


@pytest.mark.parametrize("method,path,field", CALLS)
def test_what_cannot_be_chosen(api, method, path, field):
    def ask(text, status):
        body = {field: text, "action": "restart"} if field else None
        return api.call(method, path if field else path + quote(text), body, status)["detail"]

    assert ask("6", 400) == f"{field or 'select'}: no such server: 6; there are 1-5"
    assert ask("2,state:failed,9-10", 400).endswith("no such server: 9-10; there are 1-5")
    assert "did you mean state:unhealthy" in ask("state:unhelthy", 422)
    assert "quotes" in ask("cpu", 422)
    assert "1-10" in ask("nobody", 422)
    assert "write it as 1-3" in ask("3-1", 422)
    ask("", 422)


def test_a_selector_is_bounded(api):
    assert "4000" in api.get(f"/api/servers?select={'1,' * 2500}1", 422)["detail"]
    assert "4000" in api.post("/api/servers/action", {"ids": "1," * 2500 + "1", "action": "start"}, 422)["detail"]
    assert "32 conditions" in api.get(f"/api/servers?select={'cpu%3E1,' * 32}cpu%3E1", 422)["detail"]
