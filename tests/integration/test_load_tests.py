"""The load tests of the API: begun, followed, listed, ended before their time, compared; and what is turned away."""

import concurrent.futures
import contextlib
import sqlite3

import pytest

import farmlib
from api_client import Api
from farmd_process import farms, run_farmd, running  # noqa: F401
from farmlib import SANITIZED, wait_for
from sse import Stream

SERVERS = 4


@pytest.fixture(scope="module")
def farm():
    with running(servers=SERVERS) as one:
        yield one


@pytest.fixture(scope="module")
def api(farm):
    return Api(farm.port)


def counted(farm, server_id):
    return farm.worker(server_id, path="/metrics").json()["requests"]["total"]


def begin(api, status=201, **body):
    return api.post("/api/load-tests", body, status)


def ended(api, test):
    """Follows a test to its end and returns it."""
    with Stream(api.port, f"{test['url']}?follow=true") as stream:
        return stream.until(lambda name, _: name == "done")[-1][2]


def cancel(api, test):
    return api.call("DELETE", test["url"])


# --- one ---


def test_a_load_test_from_its_beginning_to_its_end(api, farm):
    before = {i: counted(farm, i) for i in (1, 2)}
    answer = api.raw("POST", "/api/load-tests", '{"target_servers": "1-2", "requests": 300, "connections": 3, "name": "x"}')
    test = answer.json()
    api.check("POST", "/api/load-tests", answer)
    assert answer.status == 201 and answer.headers["Location"] == test["url"] == f"/api/load-tests/{test['id']}"
    assert (test["status"], test["name"], test["servers"], test["model"]) == ("running", "x", 2, "closed")
    assert test["result"] is None and test["ended_at"] is None and test["passed"] is None
    done = ended(api, test)
    assert done == api.get(test["url"])
    assert done["status"] == "completed" and done["ended_at"] >= done["started_at"]
    result = done["result"]
    assert (result["requests"], result["answered"], result["failed"]) == (600, 600, 0)
    assert done["requests"] == done["answered"] == 600 and done["passed"] is True
    for target in result["targets"]:
        assert target["answered"] == 300 and target["restarts"] == 0
        assert counted(farm, target["id"]) - before[target["id"]] == 300
    assert done["plan"]["connections"] == 3 and done["plan"]["requests"] == 300
    assert [target["name"] for target in done["plan"]["targets"]] == ["server-1", "server-2"]


def test_progress_comes_second_by_second_and_is_taken_up_again(api):
    test = begin(api, target_servers=[1], rate=200, duration=3.5)
    path = f"{test['url']}?follow=true"
    with Stream(api.port, path) as stream:
        first = stream.next()
        assert first[:2] == ("1", "progress") and first[2]["point"]["second"] == 0
    with Stream(api.port, path, headers={"Last-Event-ID": "1"}) as stream:
        events = stream.until(lambda name, _: name == "done")
        assert stream.next() is None
    seconds = [data["point"]["second"] for _, name, data in events if name == "progress"]
    assert seconds == list(range(1, len(seconds) + 1)) and len(seconds) >= 2
    points = [first[2]["point"]] + [data["point"] for _, name, data in events if name == "progress"]
    result = events[-1][2]["result"]
    assert result["series"][: len(points)] == points
    assert sum(point["answered"] for point in result["series"]) == result["answered"]
    totals = [data["total"]["answered"] for _, name, data in events if name == "progress"]
    assert totals == sorted(totals)
    assert result["asked"] == 700 and result["requests"] + result["dropped"] == 700
    # one that has ended is told at once
    assert ended(api, test) == events[-1][2]


def test_a_load_test_is_ended_before_its_time(api, farm):
    before = counted(farm, 3)
    test = begin(api, target_servers=[3], duration=600, connections=2)
    wait_for(lambda: api.get(test["url"])["answered"] > 0, what="the first second")
    with Stream(api.port, f"{test['url']}?follow=true") as stream:
        done = cancel(api, test)
        assert stream.until(lambda name, _: name == "done")[-1][2] == done
    assert done["status"] == "cancelled" and done["result"]["ended_by"] == "stopped"
    assert done["result"]["answered"] + done["result"]["unfinished"] == done["result"]["requests"]
    assert counted(farm, 3) - before == done["result"]["requests"]
    # nothing is lost by ending it again
    assert cancel(api, test) == done == api.get(test["url"])


def test_clients_that_leave_change_nothing(api):
    test = begin(api, target_servers=[1], duration=600)
    Stream(api.port, f"{test['url']}?follow=true").close()
    with farmlib.connect(api.port) as hasty:
        hasty.sendall(f"DELETE {test['url']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    wait_for(lambda: api.get(test["url"])["status"] == "cancelled", what="its end")


def test_what_stands_out_has_what_the_farm_knows_of_it(api, farm):
    test = begin(api, target_servers=[1, 2, 3, 4], duration=600, connections=1)
    old = farm.server(2)
    api.act(2, "restart")
    farm.wait_restarted(2, old)
    wait_for(lambda: api.get(test["url"])["seconds"] >= 1, what="a second")
    targets = {target["id"]: target for target in cancel(api, test)["result"]["targets"]}
    assert {i: target["restarts"] for i, target in targets.items()} == {1: 0, 2: 1, 3: 0, 4: 0}
    measured = farm.server(1)["throttled_percent"] is not None
    assert all((target["throttled_percent"] is not None) == measured for target in targets.values())


def test_thresholds_are_judged(api):
    test = begin(api, target_servers=[1], requests=50, thresholds=["errors<1%", "p99<1us"])
    done = ended(api, test)
    assert [verdict["passed"] for verdict in done["result"]["verdicts"]] == [True, False]
    assert done["passed"] is False


def test_the_request_is_as_asked_for(api, farm):
    test = begin(api, target_servers=[1, 2], requests=5, connections=1, path="/error/404?id={server_id}",
                 method="GET", headers={"X-A": "b"}, keep_alive=False, timeout=5, warmup=0.05, threads=1)
    done = ended(api, test)
    assert done["result"]["status_codes"] == {"404": 10} and done["result"]["failed"] == 10
    assert done["result"]["connects"] >= 10 and done["plan"]["keep_alive"] is False
    posted = begin(api, target_servers=[1], requests=2, method="POST", path="/simulate-load?cpu_duration=0&memory_mb=0",
                   body="{}")
    assert ended(api, posted)["result"]["status_codes"] == {"200": 2}


def test_stages_and_poisson(api):
    for stages in ("0.2s@100,0.3s@200", [{"rate": 100, "duration": 0.2}, {"rate": 200, "duration": 0.3}]):
        done = ended(api, begin(api, target_servers=[1], stages=stages, model="poisson", seed=7))
        assert done["plan"]["stages"] == [{"rate": 100, "duration_seconds": 0.2}, {"rate": 200, "duration_seconds": 0.3}]
        assert done["model"] == "poisson" and done["result"]["asked"] == 80


# --- several ---


def test_the_list_has_the_newest_first(api):
    names = [f"list-{i}" for i in range(3)]
    for name in names:
        ended(api, begin(api, target_servers=[1], requests=1, name=name))
    listed = api.get("/api/load-tests")["load_tests"]
    assert [entry["name"] for entry in listed[:3]] == names[::-1]
    assert [entry["name"] for entry in api.get("/api/load-tests?limit=2")["load_tests"]] == names[:0:-1]
    assert listed[0] == {key: api.get(listed[0]["url"])[key] for key in listed[0]}


def test_one_run_at_a_time_for_each_server(api):
    test = begin(api, select="2-3", duration=600, name="first")
    detail = begin(api, 409, target_servers=[1, 3, 4])["detail"]
    assert test["id"] in detail and "first" in detail and "server-3" in detail and "server-4" not in detail
    beside = begin(api, target_servers=[1, 4], requests=10)
    assert ended(api, beside)["result"]["answered"] == 20
    assert api.post("/api/load-test", {"target_servers": [2], "requests": 5})["total_successful"] == 5
    cancel(api, test)
    assert ended(api, begin(api, target_servers=[3], requests=1))["status"] == "completed"


def test_servers_that_do_not_run_are_not_loaded(api, farm):
    api.act(4, "stop")
    try:
        done = ended(api, begin(api, target_servers=[3, 4], requests=5))
        assert done["not_running"] == [4] and [target["id"] for target in done["result"]["targets"]] == [3]
        assert "none of the chosen servers runs" in begin(api, 409, target_servers=[4])["detail"]
    finally:
        api.act(4, "start")


def test_more_than_may_run_at_once_are_turned_away(farms):  # noqa: F811
    farm = farms(servers=17).start()
    api = Api(farm.port)
    tests = [begin(api, target_servers=[i], rate=1, duration=600) for i in range(1, 17)]
    answer = api.raw("POST", "/api/load-tests", '{"target_servers": [17]}')
    assert answer.status == 503 and answer.headers["Retry-After"]
    api.check("POST", "/api/load-tests", answer)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert {done["status"] for done in pool.map(lambda test: cancel(api, test), tests)} == {"cancelled"}
    cancel(api, begin(api, target_servers=[17], rate=1, duration=600))
    assert farm.stop() == 0


def test_followers_hear_of_the_end_of_farmd(farms):  # noqa: F811
    farm = farms(servers=1).start()
    api = Api(farm.port)
    test = begin(api, duration=600)
    with Stream(api.port, f"{test['url']}?follow=true") as stream:
        wait_for(lambda: api.get(test["url"])["answered"] > 0, what="the first second")
        farm.process.terminate()
        done = stream.until(lambda name, _: name == "done")[-1][2]
    assert done["status"] == "cancelled" and done["result"]["answered"] > 0
    assert farm.stop() == 0


# --- two compared ---


def test_two_of_the_same_are_compared(api):
    a, b = (ended(api, begin(api, target_servers=[1], rate=100, duration=0.5)) for _ in range(2))
    answer = api.get(f"/api/load-tests/compare?a={a['id']}&b={b['id']}")
    assert answer["a"]["id"] == a["id"] and answer["b"]["id"] == b["id"]
    comparison = answer["comparison"]
    assert comparison["plan_changes"] == []
    metrics = {entry["metric"]: entry for entry in comparison["metrics"]}
    assert metrics["latency_p99_us"]["a"] == a["result"]["latency"]["p99_us"]
    assert metrics["failed_percent"]["verdict"] == "noise"
    # half a second has no seconds to tell noise by
    assert metrics["latency_p50_us"]["verdict"] == "unknown" and comparison["cautions"]


def test_a_server_that_has_become_slower_is_found(api):
    if SANITIZED:
        pytest.skip("takes too long there")
    a = ended(api, begin(api, target_servers=[1], connections=1, duration=8.3, path="/"))
    b = ended(api, begin(api, target_servers=[1], connections=1, duration=8.3, path="/data/1024"))
    comparison = api.get(f"/api/load-tests/compare?a={a['id']}&b={b['id']}")["comparison"]
    # where this machine has no core for the client, it may be what changed
    limited = a["result"]["engine"]["saturated"] or b["result"]["engine"]["saturated"]
    assert comparison["verdict"] == ("unclear" if limited else "worse")
    assert [change["field"] for change in comparison["plan_changes"]] == ["path"]
    metrics = {entry["metric"]: entry for entry in comparison["metrics"]}
    for metric in (metrics["achieved_rate"], metrics["latency_p50_us"]):
        assert metric["verdict"] == comparison["verdict"], metric


def test_what_cannot_be_compared(api):
    a = ended(api, begin(api, target_servers=[1], requests=1))
    assert "b is missing" in api.get(f"/api/load-tests/compare?a={a['id']}", 422)["detail"]
    assert "nosuch" in api.get(f"/api/load-tests/compare?a={a['id']}&b=nosuch", 404)["detail"]
    api.get(f"/api/load-tests/compare?a={a['id']}&b={'x' * 99}", 422)
    test = begin(api, target_servers=[1], duration=600)
    assert "still running" in api.get(f"/api/load-tests/compare?a={a['id']}&b={test['id']}", 409)["detail"]
    cancel(api, test)


# --- what is refused ---


BAD_NUMBERS = ["x", True, -1, 1e300, [1], {}]


@pytest.mark.parametrize("field,values,others", [
    ("target_servers", ["", "x", 1, True, {}, [1.5], ["1"]], {}),
    ("select", ["", "x", 1, True, {}], {}),
    ("name", [1, True, [], "x" * 101], {}),
    ("model", ["open", "", 1, True, [], {}], {}),
    ("model", ["constant", "poisson"], {}),
    ("model", ["closed"], {"rate": 5}),
    ("rate", [0, 0.001, 1e8] + BAD_NUMBERS, {}),
    ("stages", ["", "x", "10s", "10s@x", 1, True, {}, [], [1], [{"rate": 1}], [{"rate": 1, "duration": 0}],
                [{"rate": -1, "duration": 1}], "1s@1," * 100 + "1s@1"], {}),
    ("rate", [None], {"stages": [{"rate": 0, "duration": 1}]}),
    ("stages", ["1s@10"], {"rate": 1}),
    ("stages", ["1s@10"], {"duration": 1}),
    ("connections", [0, 1.5, 100001, 10**12] + BAD_NUMBERS, {}),
    ("concurrency", [0, 1.5, 10**12] + BAD_NUMBERS, {}),
    ("concurrency", [2], {"connections": 2}),
    ("requests", [0, 1.5, 10**13] + BAD_NUMBERS, {}),
    ("duration", [0, 86401] + BAD_NUMBERS, {}),
    ("warmup", [86401] + BAD_NUMBERS, {}),
    ("timeout", [0, 3601] + BAD_NUMBERS, {}),
    ("method", [1, "", "GE T", "CONNECT", "X" * 33], {}),
    ("path", [1, "", "x", "/a b", "/a\r\nX: y", "/" + "x" * 4096], {}),
    ("headers", [1, "x", [], {"A": 1}, {"a b": "c"}, {"": "c"}, {"A": "b\r\nC: d"}, {"A\r\nB": "c"},
                 {"Content-Length": "1"}, {"A": "x" * 20000}], {}),
    ("body", [1, True, {}], {}),
    ("keep_alive", [1, "true", []], {}),
    ("thresholds", [1, "p99<1ms", {}, [1], ["x"], ["p99<"], ["errors<1%"] * 33], {}),
    ("thresholds", [["dropped<1"]], {}),
    ("threads", [0, 65, 1.5] + BAD_NUMBERS, {}),
    ("seed", [-1, 1.5, 1e300, "x", True], {}),
])
def test_bad_fields_are_named(api, field, values, others):
    before = api.get("/api/load-tests")["load_tests"]
    for value in values:
        detail = begin(api, 422, **{**others, field: value})["detail"]
        assert field.rstrip("s") in detail, (value, detail)
    assert api.get("/api/load-tests")["load_tests"] == before


def test_refusals_name_the_range(api):
    for body, allowed in (({"connections": 0}, "1 to 100000"), ({"duration": 0}, "0.001 to 86400"),
                          ({"rate": 0}, "0.01 to 10000000"), ({"timeout": -1}, "0.001 to 3600"),
                          ({"connections": 50000, "requests": 100000}, "at most")):
        assert allowed in begin(api, 422, **body)["detail"]
    assert "51" in begin(api, 400, target_servers=[1, 51])["detail"]
    assert "no such server now" in begin(api, 422, target_servers="state:stopped")["detail"]
    assert "same" in begin(api, 422, target_servers=[1], select="1")["detail"]


def test_bad_paths_and_parameters(api):
    for path in ("nosuch", "%00", "1", "x" * 500, "compare2"):
        assert "none" in api.get(f"/api/load-tests/{path}", 404)["detail"]
        api.call("DELETE", f"/api/load-tests/{path}", status=404)
    for limit in ("0", "x", "1001", "-1", ""):
        assert "limit" in api.get(f"/api/load-tests?limit={limit}", 422)["detail"]
    test = ended(api, begin(api, target_servers=[1], requests=1))
    assert "follow" in api.get(f"{test['url']}?follow=x", 422)["detail"]
    assert api.raw("PUT", test["url"]).headers["Allow"] == "GET, HEAD, DELETE, OPTIONS"
    assert api.raw("HEAD", test["url"]).status == 200


def test_null_equals_absent(api):
    names = api.description["components"]["schemas"]["LoadTestRequest"]["properties"]
    test = begin(api, **{name: None for name in names if name != "requests"}, requests=1, colour={"deep": [1]})
    assert test["servers"] == SERVERS and test["plan"]["connections"] == 1 or test["plan"]["connections"] == 10
    assert ended(api, test)["result"]["answered"] == SERVERS


# --- what outlives farmd ---


def test_load_tests_and_events_outlive_farmd(farms):  # noqa: F811
    farm = farms(servers=2).start()
    api = Api(farm.port)
    done = [ended(api, begin(api, target_servers=[1], requests=20, name=f"{i}")) for i in range(2)]
    running_test = begin(api, duration=600)
    events = api.get("/api/events")["events"]
    wait_for(lambda: stored(farm, "SELECT count(*) FROM runs WHERE status = 'running'") == 1, what="its record")
    wait_for(lambda: stored(farm, "SELECT max(id) FROM events") >= events[-1]["id"], what="the events' record")
    farm.kill()
    farm.start()
    api = Api(farm.port)
    listed = api.get("/api/load-tests")
    assert listed["complete"] is True
    assert [entry["id"] for entry in listed["load_tests"]] == [running_test["id"], done[1]["id"], done[0]["id"]]
    assert [api.get(test["url"]) for test in done] == done
    lost = api.get(running_test["url"])
    assert lost["status"] == "interrupted" and lost["result"] is None
    assert listed["load_tests"][0]["status"] == "interrupted"
    # what has ended stays as it is, can be followed and compared
    assert cancel(api, done[0]) == done[0] == ended(api, done[0])
    comparison = api.get(f"/api/load-tests/compare?a={done[0]['id']}&b={done[1]['id']}")["comparison"]
    assert comparison["plan_changes"] == []
    assert "no load run" in api.get(f"/api/load-tests/compare?a={done[0]['id']}&b={lost['id']}", 422)["detail"]
    # the new farmd's events follow those of the one before
    now = api.get("/api/events?limit=4096")["events"]
    assert now[: len(events)] == events and now[len(events)]["id"] == events[-1]["id"] + 1
    assert [event["id"] for event in now] == list(range(1, len(now) + 1))
    fresh = ended(api, begin(api, target_servers=[2], requests=1))
    assert api.get("/api/load-tests?limit=1")["load_tests"][0]["id"] == fresh["id"] > lost["id"]
    assert farm.stop() == 0


def test_a_stop_in_order_leaves_the_end_of_all(farms):  # noqa: F811
    farm = farms(servers=2).start()
    test = begin(Api(farm.port), duration=600)
    wait_for(lambda: Api(farm.port).get(test["url"])["answered"] > 0, what="the first second")
    assert farm.stop() == 0
    farm.start()
    api = Api(farm.port)
    done = api.get(test["url"])
    assert done["status"] == "cancelled" and done["result"]["answered"] > 0
    assert [event["reason"] for event in api.get("/api/events")["events"]].count("FarmStopping") == 1
    assert farm.stop() == 0


def stored(farm, question):
    with contextlib.closing(sqlite3.connect(f"file:{farm.state_dir}/history.db?mode=ro", uri=True)) as database:
        return database.execute(question).fetchone()[0]


def test_events_are_read_back_page_by_page(farms):  # noqa: F811
    farm = farms(servers=1).start()
    api = Api(farm.port)
    for _ in range(20):
        api.act(1, "restart")
    before = api.get("/api/events?limit=4096")["events"]
    assert farm.stop() == 0
    # as if all of it had been long ago: the ring of the next farmd has none of them
    with contextlib.closing(sqlite3.connect(farm.state_dir / "history.db")) as database, database:
        database.execute("UPDATE events SET at_us = at_us - 7200000000")
    farm.start()
    api = Api(farm.port)
    last, pages = api.get("/api/events")["last_id"] + 1, []
    while page := api.get(f"/api/events?before={last}&limit=7")["events"]:
        assert [event["id"] for event in page] == list(range(last - len(page), last))
        last = page[0]["id"]
        pages = page + pages
    assert [event["message"] for event in pages[: len(before)]] == [event["message"] for event in before]
    assert pages[0]["id"] == 1 and len(pages) > len(before)
    # the same in the other direction, with the same filters
    answer = api.get("/api/events?since=3&limit=5")
    assert [event["id"] for event in answer["events"]] == [4, 5, 6, 7, 8]
    assert answer["last_id"] == 8 and answer["lost"] is False
    ready = [event["id"] for event in pages if event["server_id"] == 1]
    assert [event["id"] for event in api.get("/api/events?server_id=1&limit=4096")["events"]] == ready
    recent = api.get("/api/events?max_age=3600&limit=4096")["events"]
    assert recent and recent[0]["id"] > before[-1]["id"]
    assert "before" in api.get("/api/events?before=0", 422)["detail"]
    assert "before" in api.get("/api/events?before=5&follow=true", 422)["detail"]
    # numbers go on, so that a reader of the earlier farmd finds what came after
    with Stream(api.port, "/api/events?follow=true", headers={"Last-Event-ID": str(recent[0]["id"])}) as stream:
        assert stream.next()[2]["id"] == recent[1]["id"]
    assert farm.stop() == 0


@pytest.mark.parametrize("content", [b"nonsense" * 1000, b"SQLite format 3\0" + b"\xff" * 4080], ids=["text", "header"])
def test_a_broken_history_is_set_aside(farms, content):  # noqa: F811
    farm = farms(servers=1)
    farm.state_dir.mkdir()
    (farm.state_dir / "history.db").write_bytes(content)
    farm.start()
    assert (farm.state_dir / "history.db.broken").read_bytes() == content
    [event] = farm.events(reason="HistorySetAside")
    assert "set aside as" in event["message"] and "history.db.broken" in farm.errors()
    api = Api(farm.port)
    done = ended(api, begin(api, requests=1))
    assert farm.stop() == 0
    farm.start()
    assert Api(farm.port).get(done["url"]) == done
    assert farm.events(reason="HistorySetAside") == []
    assert farm.stop() == 0


def test_a_database_of_another_program_is_set_aside(farms):  # noqa: F811
    farm = farms(servers=1)
    farm.state_dir.mkdir()
    with contextlib.closing(sqlite3.connect(farm.state_dir / "history.db")) as database, database:
        database.execute("CREATE TABLE theirs (x)")
    farm.start()
    assert "another program" in farm.events(reason="HistorySetAside")[0]["message"]
    with contextlib.closing(sqlite3.connect(farm.state_dir / "history.db.broken")) as database:
        assert database.execute("SELECT count(*) FROM theirs").fetchone() == (0,)
    assert farm.stop() == 0


def test_without_a_history_the_farm_goes_on(farms):  # noqa: F811
    """Another program holds the database; then it lets go."""
    farm = farms(servers=1)
    farm.start()
    assert farm.stop() == 0
    with contextlib.closing(sqlite3.connect(farm.state_dir / "history.db", isolation_level=None)) as database:
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        farm.start()
        api = Api(farm.port)
        done = ended(api, begin(api, requests=1))
        assert api.get(done["url"]) == done
        answer = api.get("/api/load-tests")
        assert [entry["id"] for entry in answer["load_tests"]] == [done["id"]] and answer["complete"] is False
        farm.wait_event("HistoryNotKept")
        assert "history" in farm.events(reason="HistoryNotKept")[0]["message"]
        database.execute("ROLLBACK")
    wait_for(lambda: [e for e in farm.events(reason="Recovered") if "history" in e["message"]], what="the recovery")
    again = ended(api, begin(api, requests=1))
    wait_for(lambda: stored(farm, f"SELECT count(*) FROM runs WHERE id = '{again['id']}' AND status = 'completed'") == 1,
             what="its record")
    assert farm.stop() == 0


def test_no_upgrade_while_a_load_test_runs(farms):  # noqa: F811
    farm = farms(servers=1).start()
    api = Api(farm.port)
    test = begin(api, duration=600)
    result = run_farmd("upgrade", *farm.arguments(), directory=farm.directory, env=farm.env)
    assert result.returncode == 1 and f"load test {test['id']} has been under way" in result.stderr, result
    done = cancel(api, test)
    assert done["result"]["answered"] > 0
    result = run_farmd("upgrade", *farm.arguments(), directory=farm.directory, env=farm.env)
    assert result.returncode == 0, result
    # the next one has it from the history
    assert Api(farm.port).get(test["url"]) == done
    ids = [event["id"] for event in api.get("/api/events?limit=4096")["events"]]
    assert ids == list(range(1, len(ids) + 1))
    assert farm.stop() == 0
