"""What the control plane does beyond the older farm's contract, over the real farmd."""

import concurrent.futures
import re
import socket
import time

import pytest

import farmlib
from api_client import Api
from farmd_process import farms, running  # noqa: F401 (a fixture)
from farmlib import ISO_TIMESTAMP, SANITIZED, wait_for


@pytest.fixture(scope="module")
def farm():
    with running(servers=4, spare=3) as one:
        yield one


@pytest.fixture(scope="module")
def api(farm):
    return Api(farm.port)


# --- actions ---


def test_kill_pause_and_resume(api):
    before = api.servers()[1]
    assert api.act(1, "pause")["state"] == "paused"
    assert api.servers()[1]["status"] == "paused"
    assert api.act(1, "resume")["state"] == "running"
    assert api.servers()[1]["pid"] == before["pid"]
    api.act(1, "kill")
    after = wait_for(lambda: (e := api.servers()[1])["status"] == "running" and e["pid"] != before["pid"] and e,
                     what="server 1 back")
    assert after["restarts"] == before["restarts"] + 1
    assert after["last_exit"]["signal"] == 9 and after["last_exit"]["exit_code"] is None


def test_what_a_state_does_not_allow_is_a_conflict(api):
    api.act(2, "stop")
    try:
        for action in ("pause", "resume"):
            assert api.act(2, action, 409)["detail"]
    finally:
        api.act(2, "start")


@pytest.mark.parametrize("ids,meant", [
    ([3, 1, 3], [1, 3]), ("1-2,4", [1, 2, 4]), ("all", [1, 2, 3, 4]), ("server-2", [2]),
])
def test_one_action_on_many(api, ids, meant):
    pids = {i: e["pid"] for i, e in api.servers().items()}
    result = api.post("/api/servers/action", {"ids": ids, "action": "restart"})
    assert [entry["server_id"] for entry in result["results"]] == meant
    assert (result["total"], result["successful"], result["failed"]) == (len(meant), len(meant), 0)
    for server_id, entry in api.servers().items():
        assert entry["status"] == "running"
        assert (entry["pid"] != pids[server_id]) == (server_id in meant)


def test_each_of_many_has_its_own_result(api):
    api.act(3, "stop")
    try:
        result = api.post("/api/servers/action", {"ids": "1-4", "action": "pause"})
        assert [entry["status"] for entry in result["results"]] == ["success", "success", "error", "success"]
        assert result["results"][2]["message"] and (result["successful"], result["failed"]) == (3, 1)
    finally:
        api.post("/api/servers/action", {"ids": [1, 2, 4], "action": "resume"})
        api.act(3, "start")


def test_actions_of_many_clients_at_once(api):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        restarts = [pool.submit(api.raw, "POST", "/api/servers/2/action", '{"action": "restart"}') for _ in range(16)]
        answers = [restart.result().status for restart in restarts]
    assert set(answers) <= {200, 409} and 200 in answers
    assert api.servers()[2]["status"] == "running"


# --- scale, limits, rolling restart ---


def test_scale_touches_no_other_server(api):
    pids = {i: e["pid"] for i, e in api.servers().items()}
    grown = api.post("/api/scale", {"servers": 7})
    assert (grown["servers"], grown["servers_before"], grown["total_servers"]) == (7, 4, 7)
    servers = api.servers()
    assert all(entry["status"] == "running" for entry in servers.values()) and len(servers) == 7
    shrunk = api.post("/api/scale", {"servers": 4})
    assert shrunk["total_servers"] == 4
    assert {i: e["pid"] for i, e in api.servers().items()} == pids
    assert "group" in api.post("/api/scale", {"servers": 4, "group": "nothing"}, 422)["detail"]


def test_limits_change_while_it_runs(api):
    before = api.servers()[3]
    result = api.patch("/api/servers/3", {"cpu": 0.25, "memory": "128M", "pids": 77, "memory_reservation_mb": 64})
    for entry in (result, api.servers()[3]):
        limits = entry["limits_configured"]
        assert (limits["cpu"], limits["memory_mb"], limits["pids"]) == (0.25, 128, 77)
        assert limits["memory_reservation_mb"] == 64
    after = api.servers()[3]
    assert after["pid"] == before["pid"]
    for key, value in after["limits"].items():
        assert value is None or value == after["limits_configured"][key]
    if before["limits"]["memory_mb"] is not None:
        assert api.get("/api/servers/3")["metrics"]["memory"]["total_mb"] == 128
    api.patch("/api/servers/3", {"memory_mb": 256, "cpu": 0.5, "pids": 128, "memory_reservation_mb": 128})


def test_a_reservation_follows_its_limit_down(api):
    """Whoever sets a limit need not know of the reservations that hold without it; one that is named is checked."""
    try:
        limits = api.patch("/api/servers/3", {"memory": "64M", "cpu": 0.05})["limits_configured"]
        assert (limits["memory_mb"], limits["memory_reservation_mb"]) == (64, 64)
        assert (limits["cpu"], limits["cpu_reservation"]) == (0.05, 0.05)
        limits = api.patch("/api/servers/3", {"memory": "256M", "cpu": 0.5})["limits_configured"]
        assert (limits["memory_reservation_mb"], limits["cpu_reservation"]) == (64, 0.05), "and not up again"
        for body in ({"memory": "64M", "memory_reservation": "65M"}, {"cpu": 0.1, "cpu_reservation": 0.2}):
            assert "reservation" in api.patch("/api/servers/3", body, 422)["detail"]
    finally:
        api.patch("/api/servers/3", {"memory_mb": 256, "memory_reservation_mb": 128, "cpu": 0.5, "cpu_reservation": 0.1})


def test_a_memory_limit_as_a_number_of_bytes(api):
    """As in the settings: without a unit a size is bytes."""
    try:
        result = api.patch("/api/servers/3", {"memory": 200 << 20, "memory_reservation": 0})
        assert result["limits_configured"]["memory_mb"] == 200
        assert result["limits_configured"]["memory_reservation_mb"] == 0
    finally:
        api.patch("/api/servers/3", {"memory_mb": 256, "memory_reservation": "128M"})


def test_totals_have_the_limits_in_force_only(api):
    data = api.get("/api/servers")
    for total, limit in (("cpu_limit", "cpu"), ("memory_limit_mb", "memory_mb")):
        in_force = [entry["limits"][limit] for entry in data["servers"] if entry["limits"][limit] is not None]
        assert data["totals"][total] == (sum(in_force) if in_force else None)


def test_totals_where_nothing_is_in_force():
    with running(servers=1, flags=["--enforce", "none"]) as farm:
        totals = Api(farm.port).get("/api/servers")["totals"]
        assert totals["cpu_limit"] is None and totals["memory_limit_mb"] is None


def test_a_program_that_cannot_be_started_is_no_unknown_server(farms):  # noqa: F811
    farm = farms(config="groups:\n  - {name: web, count: 1}\n"
                        "  - {name: none, count: 1, command: [/no/such/program], restart: never}\n")
    farm.start(wait=False)
    wait_for(lambda: not farmlib.refuses(farm.port), what="farmd")
    api = Api(farm.port)
    assert "/no/such/program" in api.act(2, "start", 500)["detail"]
    assert "no such server" in api.act(3, "start", 404)["detail"]


UNSTARTABLE = {
    "missing": "there is no program $DIR/missing; check the path: No such file",
    "folder": "$DIR/folder is no file that can be executed",
    "plain": "$DIR/plain is not executable; chmod \\+x it",
    "script": "cannot execute $DIR/script: Exec format error",
    "foreign": "cannot find the interpreter of $DIR/foreign: No such file",
}


def test_what_keeps_a_program_from_starting(farms):  # noqa: F811
    groups = [f"  - {{name: {name}, count: 1, command: [$DIR/{name}], restart: never}}\n" for name in UNSTARTABLE]
    farm = farms(servers=len(groups), config="groups:\n" + "".join(groups))
    (farm.directory / "folder").mkdir()
    for name, text in (("plain", "#!/bin/sh\n"), ("script", "echo\n"), ("foreign", "#!/no/such/interpreter\n")):
        (farm.directory / name).write_text(text)
        (farm.directory / name).chmod(0o644 if name == "plain" else 0o755)
    farm.start(wait=False)
    wait_for(lambda: not farmlib.refuses(farm.port), what="farmd")
    for server_id, text in enumerate(UNSTARTABLE.values(), 1):
        why = f"cannot start: {text}".replace("$DIR", str(farm.directory))
        wait_for(lambda: re.search(why, farm.server(server_id).get("error", "")), what=why)  # noqa: B023


def test_rolling_restart(api):
    pids = {i: e["pid"] for i, e in api.servers().items()}
    result = api.post("/api/rolling-restart", {"max_unavailable": 2})
    assert result["status"] == "success" and (result["total"], result["successful"]) == (4, 4)
    assert all(entry["pid"] != pids[i] for i, entry in api.servers().items())
    some = api.post("/api/rolling-restart", {"ids": "2-3"})
    assert [entry["server_id"] for entry in some["results"]] == [2, 3] and some["max_unavailable"] == 1


# --- broadcast ---


def test_broadcast_with_method_and_body(api):
    result = api.post("/api/broadcast", {"method": "POST", "endpoint": "/simulate-load?cpu_duration=0&memory_mb=1"})
    assert result["successful_responses"] == 4 and result["method"] == "POST"
    assert result["results"][0]["memory_allocated_mb"] == 1
    echoed = api.post("/api/broadcast?endpoint=/echo", {"method": "PUT", "body": {"a": [1, None, "ä"]}})
    assert echoed["results"] == [{"a": [1, None, "ä"]}] * 4
    text = api.post("/api/broadcast?endpoint=/echo", {"method": "POST", "body": '"as it is"'})
    assert text["results"] == ["as it is"] * 4
    seen = api.post("/api/broadcast?endpoint=/request", {"headers": {"X-Colour": "blue"}})
    assert all("blue" in str(entry) for entry in seen["results"])
    plain = api.post("/api/broadcast?endpoint=/echo", {"method": "POST", "body": "no json"})
    assert plain["failed_responses"] == 4 and "JSON" in plain["results"][0]["error"]


def test_a_query_in_the_endpoint(api):
    result = api.post("/api/broadcast?endpoint=%2Frequest%3Fa%3Db%2520c")
    assert result["endpoint"] == "/request?a=b%20c" and result["successful_responses"] == 4


def test_a_broadcast_of_large_answers(api):
    for size in (1024, 10240):
        result = api.post(f"/api/broadcast?endpoint=/data/{size}")
        assert result["successful_responses"] == 4, [str(entry)[:100] for entry in result["results"]]
        assert all(len(entry["data"]) >= size for entry in result["results"])


def test_a_broadcast_of_more_than_there_is_room_for(api):
    """64 MB for all of them together, whatever part of the servers that is."""
    api.post("/api/scale", {"servers": 7})
    try:
        result = api.post("/api/broadcast?endpoint=/data/10240")
        dropped = [entry for entry in result["results"] if "64 MB" in entry.get("error", "")]
        assert result["successful_responses"] + len(dropped) == 7 and 1 <= len(dropped) <= 6
    finally:
        api.post("/api/scale", {"servers": 4})


def test_broadcast_waits_no_longer_than_asked(api):
    result = api.post("/api/broadcast?endpoint=/slow-endpoint&timeout=0.2")  # a server takes at least a second
    assert result["results"] == [{"error": "timeout"}] * 4


# --- logs, history, events ---


def test_logs_by_tail_and_by_offset(api):
    tail = api.get("/api/servers/1/logs?tail=1")
    assert len(tail["lines"]) == 1 and tail["end"] > tail["start"] >= tail["first"]
    whole = api.get("/api/servers/1/logs?from=0")
    assert whole["start"] == whole["first"] and whole["lines"][-1] == tail["lines"][0]
    assert any("server-1 started" in line for line in whole["lines"])
    api.act(1, "restart")

    def grown():
        part = api.get(f"/api/servers/1/logs?from={whole['end']}")
        return part if len(part["lines"]) >= 2 else None

    more = wait_for(grown, what="new lines")
    assert more["start"] == whole["end"] and re.search("stopped", more["lines"][0])
    assert api.get(f"/api/servers/1/logs?from={more['end']}")["lines"] == []


def test_history_grows_second_by_second(api):
    def points():
        columns = api.get("/api/servers/2/history")["points"]
        return columns if len(columns["at"]) >= 3 else None

    columns = wait_for(points, what="three seconds of history")
    assert len({len(column) for column in columns.values()}) == 1
    assert columns["at"] == sorted(columns["at"])
    since = columns["at"][1]
    later = api.get(f"/api/servers/2/history?since={since}")["points"]["at"]
    assert later and later[0] > since


def test_history_of_several_servers(api):
    def answer():
        found = api.get("/api/history?select=1-2")
        return found if all(len(entry["points"]["at"]) >= 3 for entry in found["servers"]) else None

    several = wait_for(answer, what="three seconds of history")
    assert [entry["server_id"] for entry in several["servers"]] == [1, 2]
    assert (several["interval_seconds"], several["keep_seconds"]) == (1, 600)
    assert several["bytes_per_server"] == 15360
    one = api.get("/api/servers/2/history")["points"]
    first = several["servers"][1]["points"]
    assert one["at"][:3] == first["at"][:3] and one["memory_mb"][:3] == first["memory_mb"][:3]
    since = first["at"][-1]
    assert all(at > since for at in api.get(f"/api/history?select=2&since={since}")["servers"][0]["points"]["at"])
    between = api.get(f"/api/history?select=2&since={first['at'][0]}&until={since}")["servers"][0]["points"]["at"]
    assert between == first["at"][1:]
    assert api.get(f"/api/servers/2/history?until={since}")["points"]["at"][-1] == since
    assert len(api.get("/api/history")["servers"]) == len(api.servers())


def test_history_by_ten_seconds(api):
    def points():
        return api.get("/api/servers/1/history?resolution=10")["points"]["at"]

    at = wait_for(points, what="ten seconds that are over")
    assert all(second % 10 == 0 and second + 10 <= time.time() + 1 for second in at)
    whole = api.get("/api/history?resolution=10&select=1")
    assert (whole["interval_seconds"], whole["keep_seconds"]) == (10, 3600)
    assert whole["servers"][0]["points"]["at"][0] == at[0]
    for path in ("/api/history", "/api/servers/1/history"):
        for resolution in ("0", "5", "11", "x"):
            assert "resolution" in api.get(f"{path}?resolution={resolution}", status=422)["detail"]
    for bound in ("since", "until"):
        assert bound in api.get(f"/api/history?{bound}=x", status=422)["detail"]
    assert "99" in api.get("/api/history?select=99", status=400)["detail"]


def test_requests_show_in_the_entry_and_the_history(api, farm):
    def seen():
        farm.worker(4)
        entry = api.servers()[4]
        return entry if entry["requests_per_second"] and entry["latency"] else None

    entry = wait_for(seen, what="requests per second")
    assert entry["latency"]["p50_ms"] <= entry["latency"]["p99_ms"]
    wait_for(lambda: any(api.get("/api/servers/4/history")["points"]["requests_per_second"]), what="it in history")


def test_events_since(api):
    last = api.get("/api/events?limit=1")["last_id"]
    api.act(2, "restart")
    news = api.get(f"/api/events?since={last}")
    assert not news["lost"] and [event["id"] for event in news["events"]] == list(range(last + 1, news["last_id"] + 1))
    assert {"Started", "Ready"} <= {event["reason"] for event in news["events"]}
    assert all(ISO_TIMESTAMP.fullmatch(event["at"]) for event in news["events"])
    assert all(event["server_id"] == 2 for event in api.get("/api/events?server_id=2")["events"])
    first = api.get(f"/api/events?since={last}&limit=1")
    assert len(first["events"]) == 1 and first["last_id"] == last + 1
    newest = api.get("/api/events?limit=2")["events"]
    assert last + 1 < newest[-1]["id"] <= api.get("/api/servers")["last_event_id"]
    earlier = api.get(f"/api/events?since={last + 10**6}&limit=4096")
    assert earlier["lost"] and last + 1 in [event["id"] for event in earlier["events"]], "numbers begin anew with farmd"


# --- load tests beside other work ---


def test_load_tests_run_beside_each_other(api):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        tests = [
            pool.submit(api.post, "/api/load-test", {"target_servers": [i], "requests": 500}) for i in (1, 2, 3, 4)
        ]
        assert [test.result()["total_successful"] for test in tests] == [500] * 4


def test_the_list_is_quick_while_a_load_test_runs(api):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        load = pool.submit(api.post, "/api/load-test", {"duration": 1.5, "concurrency": 8})
        times = []
        while not load.done():
            started = time.monotonic()
            assert api.raw("GET", "/api/servers").status == 200
            times.append(time.monotonic() - started)
        assert load.result()["total_successful"] > 0
    assert sorted(times)[len(times) // 2] < 0.25


def test_more_load_tests_than_the_bound_are_turned_away(farm, api):
    body = '{"duration": 60, "target_servers": [1], "concurrency": 1}'
    head = f"POST /api/load-test HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    connections = []

    def refused():
        connections.append(farmlib.connect(farm.port))
        connections[-1].sendall(head)
        answer = api.raw("POST", "/api/load-test", '{"requests": 1, "target_servers": [2]}')
        return answer if answer.status == 503 else None

    try:
        answer = wait_for(refused, what="503")
        assert int(answer.headers["Retry-After"]) >= 1 and answer.json()["detail"]
        assert api.get("/api/servers")["total_servers"] == 4
    finally:
        for connection in connections:
            connection.close()
    # their peers are gone, so they are too
    wait_for(lambda: api.raw("POST", "/api/load-test", '{"requests": 1}').status == 200, what="room for a load test")


def test_a_load_test_survives_a_server_that_ends_in_the_middle(api):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        load = pool.submit(api.post, "/api/load-test", {"target_servers": [1, 2], "duration": 1})
        wait_for(lambda: (api.servers()[2]["requests_per_second"] or 0) > 0 or load.done(), what="load")
        api.act(2, "kill")
        result = load.result()
    one, two = result["load_test_results"]
    assert one["failed"] == 0 and two["successful"] > 0
    for entry in (one, two):
        assert entry["requests"] == entry["successful"] + entry["failed"]
    wait_for(lambda: api.servers()[2]["status"] == "running", what="server 2 back")


def test_load_test_figures_are_finer_than_a_millisecond(api):
    for _ in range(5):
        result = api.post("/api/load-test", {"target_servers": [1], "requests": 1})["load_test_results"][0]
        assert 0 < result["requests_per_second"] < 1e6


# --- servers that end while they are asked ---


@pytest.mark.skipif(SANITIZED, reason="memory of sanitized programs is no measure")
def test_simulated_load_tells_who_was_oom_killed(api):
    if api.servers()[1]["limits"]["memory_mb"] is None:
        pytest.skip("no memory limits here")
    before = api.servers()[1]["pid"]
    api.patch("/api/servers/1", {"memory_mb": 64, "memory_reservation_mb": 0})
    try:
        entry, = api.post("/api/simulate-load", {"server_ids": [1], "cpu_duration": 0, "memory_mb": 200})["results"]
        assert entry["message"] == "the connection was reset: server-1 was OOM-killed"
        wait_for(lambda: (e := api.servers()[1])["status"] == "running" and e["pid"] != before, what="server 1 back")
    finally:
        api.patch("/api/servers/1", {"memory_mb": 256, "memory_reservation_mb": 128})


def test_simulated_load_tells_who_was_killed(api):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        load = pool.submit(api.post, "/api/simulate-load", {"server_ids": [2], "cpu_duration": 30, "memory_mb": 0})
        wait_for(lambda: api.get("/api/servers/2")["metrics"].get("active_requests", 1) > 0, what="the load")
        wait_for(lambda: load.done() or api.servers()[2]["cpu_percent"] > 10, what="the load")
        api.act(2, "kill")
        entry, = load.result()["results"]
    assert entry["message"] == "the connection was reset: server-2 was killed on request"


# --- the end ---


def test_load_tests_answer_when_farmd_stops(farms):  # noqa: F811
    farm = farms(servers=2).start()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        api = Api(farm.port)
        total = lambda: api.get("/api/servers")["totals"]["requests_per_second"]  # noqa: E731
        loads = [pool.submit(api.post, "/api/load-test", {"target_servers": [i], "duration": 600}) for i in (1, 2)]
        wait_for(lambda: total() > 0, what="load")
        assert farm.stop() == 0
        for load in loads:
            result = load.result()
            assert result["total_successful"] > 0 and result["load_test_results"][0]["duration_seconds"] < 300
