"""What a server does and what is done to it: serving, stop, start, restart, kill, pause."""

import concurrent.futures
import re

import pytest

import farmlib
from farmlib import wait_for
from watching import reasons, wait_answer, wait_back


def test_every_server_serves(bed, farm):
    assert farm.get("/api/servers")["runtime"] == bed.runtime
    for server_id, entry in farm.servers().items():
        answer = farm.worker(server_id).json()
        assert answer["server_id"] == f"server-{server_id}" == entry["name"]
        assert entry["port"] == farm.base_port + server_id - 1
        assert (entry["ready"], entry["error"] if "error" in entry else None) == (True, None)
    health = farm.get("/api/health")
    assert (health["healthy"] + health["degraded"], health["unhealthy"]) == (3, 0)
    assert set(bed.runs(farm)) == {1, 2, 3}, "each is something of its own that runs"
    assert len(set(bed.runs(farm).values())) == 3


def test_stop_and_start(bed, farm):
    before, others = farm.server(2), {i: pid for i, pid in bed.runs(farm).items() if i != 2}
    since = farm.last_event()
    for _ in range(2):  # once more is no error
        answer = farm.act(2, "stop")
        assert (answer["server_id"], answer["action"], answer["status"]) == (2, "stop", "success")
        entry = farm.server(2)
        assert (entry["status"], entry["error"], entry["pid"]) == ("stopped", "stopped on request", None)
        assert not {"cpu_percent", "memory_mb", "memory_percent"} & set(entry)
    assert bed.runs(farm) == others
    assert bed.refuses(before["port"])
    assert farm.get("/api/health")["servers"][1]["status"] == "error"

    farm.act(2, "start")
    started = bed.runs(farm)[2]
    farm.act(2, "start")
    assert bed.runs(farm) == {**others, 2: started}
    after = farm.server(2)
    assert (after["status"], after["restarts"]) == ("running", before["restarts"]), "a start by hand is no restart"
    assert (after["last_exit"]["reason"], after["last_exit"]["oom_killed"]) == ("Stopped", False)
    assert farm.worker(2).status == 200
    assert reasons(farm, 2, since) == ["Stopped", "Started", "Ready"]


def test_restart(bed, farm):
    before, runs = farm.server(2), bed.runs(farm)
    farm.act(2, "restart")
    after = farm.server(2)
    assert after["status"] == "running" and after["started_at"] != before["started_at"]
    assert after["restarts"] == before["restarts"] + 1
    now = bed.runs(farm)
    assert now[2] != runs[2] and {**now, 2: 0} == {**runs, 2: 0}
    assert farm.worker(2).status == 200


def test_many_at_once(farm):
    answer = farm.post("/api/servers/action", {"ids": "1-3", "action": "stop"})
    assert (answer["total"], answer["successful"], answer["failed"]) == (3, 3, 0)
    assert [entry["status"] for entry in farm.servers().values()] == ["stopped"] * 3
    answer = farm.post("/api/servers/action", {"ids": [3, 1, 2], "action": "start"})
    assert [entry["server_id"] for entry in answer["results"]] == [1, 2, 3]
    assert [entry["status"] for entry in farm.servers().values()] == ["running"] * 3


def test_a_request_under_way_is_finished(bed, farm):
    """By a server that is told to end, and before it does."""
    for server_id, here in bed.places(farm):
        taken = farm.worker(server_id, path="/metrics").json()["requests"]["total"]
        place = bed.address(farm, server_id)
        with bed.inside():
            half = farmlib.connect(farm.server(server_id)["port"])
        with half, concurrent.futures.ThreadPoolExecutor() as pool:
            half.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1")
            farm.wait_requests(server_id, taken + 1)
            acting = pool.submit(farm.act, server_id, "restart")
            farm.wait_status(server_id, "stopping")
            wait_for(lambda: not bed.answers(*place), what="it taking no more requests")  # noqa: B023
            if not here:  # farmd leads to it, until it hears of the end
                wait_for(lambda: bed.refuses(place[1]), what="farmd leading nobody there any more")  # noqa: B023
            half.sendall(b"2")
            assert b"".join(iter(lambda: half.recv(65536), b"")).endswith(b"12")
            assert acting.result()["status"] == "success"
        wait_answer(farm, server_id)


def test_kill(bed, farm):
    before, runs = farm.server(3), bed.runs(farm)
    refused = bed.differs("kill_refused")
    if refused:
        assert refused in farm.act(3, "kill", status=409)["detail"]
        assert bed.runs(farm) == runs and farm.server(3)["status"] == "running"
        return
    farm.act(3, "kill")
    after = wait_back(farm, 3, before)
    assert after["restarts"] == before["restarts"] + 1
    assert (after["last_exit"]["reason"], after["last_exit"]["signal"]) == ("Killed", 9)
    now = bed.runs(farm)
    assert now[3] != runs[3] and {**now, 3: 0} == {**runs, 3: 0}
    wait_answer(farm, 3)


def test_pause_and_resume(bed, farm):
    runs, refused = bed.runs(farm), bed.differs("pause_refused")
    if refused:
        for action in ("pause", "resume"):
            assert refused in farm.act(1, action, status=409)["detail"]
        assert bed.runs(farm) == runs and farm.server(1)["status"] == "running"
        return
    for _ in range(2):
        farm.act(1, "pause")
        assert farm.server(1)["status"] == "paused"
    wait_for(lambda: _is_silent(farm, 1), what="its silence")
    for _ in range(2):
        farm.act(1, "resume")
        assert farm.server(1)["status"] == "running"
    assert farm.worker(1).status == 200
    assert bed.runs(farm) == runs


def _is_silent(farm, server_id):
    try:
        farm.worker(server_id, timeout=0.5)
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize("action, status", [("stop", "stopped"), ("restart", "running"), ("kill", "running")])
def test_a_paused_server_obeys(bed, farm, action, status):
    if bed.differs("pause_refused"):
        assert bed.differs("pause_refused") in farm.act(1, "pause", status=409)["detail"]
        return
    before = bed.runs(farm)[1]
    farm.act(1, "pause")
    farm.act(1, action)
    farm.wait_status(1, status)
    assert bed.runs(farm).get(1) != before
    farm.act(1, "start")
    wait_answer(farm, 1)


def test_a_stopped_server_is_neither_paused_nor_killed(bed, farm):
    farm.act(1, "stop")
    for action in ("pause", "resume"):
        assert (bed.differs("pause_refused") or "stopped") in farm.act(1, action, status=409)["detail"]
    if not bed.differs("kill_refused"):
        farm.act(1, "kill")
    assert farm.server(1)["status"] == "stopped" and 1 not in bed.runs(farm)
    farm.act(1, "start")


def test_the_log_has_the_first_word_and_the_last(bed, farm):
    for server_id, _ in bed.places(farm):
        said = ["started", "stopped", "started"]
        farm.act(server_id, "restart")
        wait_for(lambda: _said(farm, server_id)[-3:] == said, what="the log of two runs")  # noqa: B023


def _said(farm, server_id):
    """farm-worker's first and last words, as often as it said them."""
    lines = farm.get(f"/api/servers/{server_id}/logs")["lines"]
    found = [re.search(rf" server-{server_id} (started|stopped): ", line) for line in lines]
    return [match[1] for match in found if match]


def test_what_it_answers_is_counted(bed, farm):
    farm.act(1, "restart")
    if not bed.differs("counts_requests"):
        assert farm.server(1)["requests_total"] is None and farm.server(1)["latency"] is None
        return
    wait_for(lambda: farm.server(1)["requests_total"] == 0, what="the count of one that has just begun")
    for _ in range(20):
        assert farm.worker(1).status == 200
    assert farm.worker(1, path="/error/503").status == 503
    wait_for(lambda: farm.server(1)["requests_total"] == 21, what="21 requests told")
    assert (farm.server(1)["latency"] is not None) == bed.differs("measures_latency")
