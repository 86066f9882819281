"""The life of single servers in a real farm: ends of every kind, actions, probes, restart profiles, ports."""

import concurrent.futures
import contextlib
import datetime
import os
import signal
import time

import pytest

import farmd_process
import farmlib
from farmd_process import alive
from farmlib import quickest, refuses, wait_for

WEB = (1, 2, 3)
FAST, FAST_TOO, GATED, NEVER, ON_FAILURE = 4, 5, 6, 7, 8
PROFILES = {name: 9 + i for i, name in enumerate(
    ["farm", "kubernetes", "docker", "systemd", "nomad", "supervisord", "s6"])}

# What $DIR/exit-<id> says, if it is there, is what the server ends with instead of serving.
PROGRAM = """#!/bin/sh
[ -e "$DIR/exit-$SERVER_ID" ] && exit "$(cat "$DIR/exit-$SERVER_ID")"
while [ -e "$DIR/gate-$SERVER_ID" ]; do sleep 0.05; done
exec "$DIR/farm-worker"
"""

FAST_PROBES = """
    probes:
      startup: {interval: 100ms}
      liveness: {interval: 200ms, timeout: 1s, start_period: 0s, retries: 2}
      readiness: {interval: 200ms, timeout: 1s, start_period: 0s, retries: 1}"""

CONFIG = f"""
servers:
  probes:
    startup: {{interval: 100ms}}
groups:
  - {{name: web, count: 3}}
  - name: fast
    count: 2{FAST_PROBES}
  - {{name: gated, count: 1, command: [$DIR/program]}}
  - {{name: never, count: 1, restart: never}}
  - {{name: on-failure, count: 1, restart: on-failure}}
""" + "".join(
    f"  - {{name: {name}, count: 1, restart_profile: {name}, command: [$DIR/program]}}\n" for name in PROFILES)


@pytest.fixture(scope="module")
def farm():
    one = farmd_process.Farmd(servers=15, config=CONFIG)
    one.install_worker()
    program = one.directory / "program"
    program.write_text(PROGRAM.replace("$DIR", str(one.directory)))
    program.chmod(0o755)
    try:
        yield one.start()
        assert one.stop() == 0, one.errors()
        assert one.leftovers() == []
    finally:
        one.clean()


@pytest.fixture
def quiet(farm):
    """Fails when a server other than those named by the test (call it with their ids) has changed in it."""
    before, touched = farm.servers(), set()
    yield touched.update
    for server_id, entry in farm.servers().items():
        if server_id not in touched:
            assert (entry["pid"], entry["restarts"]) == (before[server_id]["pid"], before[server_id]["restarts"])


@contextlib.contextmanager
def exiting(farm, *server_ids, code=3):
    """From now on these servers' program ends with `code` as soon as it is started."""
    files = [farm.directory / f"exit-{server_id}" for server_id in server_ids]
    for file in files:
        file.write_text(str(code))
    try:
        yield
    finally:
        for file in files:
            file.unlink()


def when(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def now():
    return datetime.datetime.now(datetime.timezone.utc).timestamp()


@contextlib.contextmanager
def draining(farm, server_id, action):
    """A farm-worker that was told to end and has a request under way; yields the action's answer to come, and what
    sends the rest of that request and returns its answer."""
    with farmlib.connect(farm.server(server_id)["port"]) as half, concurrent.futures.ThreadPoolExecutor() as pool:
        half.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1")
        farm.wait_requests(server_id, 1)
        acting = pool.submit(farm.request, "POST", f"/api/servers/{server_id}/action", {"action": action})

        def finish():
            half.sendall(b"2")
            return b"".join(iter(lambda: half.recv(65536), b""))

        farm.wait_status(server_id, "stopping")
        yield acting, finish


# --- ends ---


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_killed_from_outside_is_back(farm, quiet, number):
    quiet([1])
    farm.act(1, "restart")  # no failures are remembered
    before, since = farm.server(1), farm.last_event()
    os.kill(before["pid"], number)
    after = farm.wait_restarted(1, before)
    assert after["restarts"] == before["restarts"] + 1
    assert after["last_exit"] == {
        "reason": "Crashed", "exit_code": None, "signal": number, "oom_killed": False, "at": after["last_exit"]["at"],
    }
    assert abs(now() - when(after["last_exit"]["at"])) < 60
    assert after["uptime_seconds"] < 30 and when(after["started_at"]) >= when(after["last_exit"]["at"]) - 0.001
    assert [event["reason"] for event in farm.events(since, server_id=1)] == ["Crashed", "Started", "Ready"]
    ready = farm.events(since, "Ready", 1)[0]
    assert 0 <= ready["duration_ms"] < 10000
    assert farm.worker(1).status == 200


def test_ended_by_itself_in_order_is_back(farm, quiet):
    quiet([1])
    farm.act(1, "restart")
    before = farm.server(1)
    os.kill(before["pid"], signal.SIGTERM)
    after = farm.wait_restarted(1, before)
    assert (after["last_exit"]["reason"], after["last_exit"]["exit_code"]) == ("Completed", 0)


def test_policy_never(farm, quiet):
    quiet([NEVER])
    os.kill(farm.server(NEVER)["pid"], signal.SIGKILL)
    entry = farm.wait_status(NEVER, "stopped")
    assert entry["pid"] is None and entry["restarts"] == 0
    assert "SIGKILL" in entry["error"]
    assert not {"cpu_percent", "memory_mb", "memory_percent"} & set(entry)
    farm.act(NEVER, "start")
    assert farm.server(NEVER)["status"] == "running"


def test_policy_on_failure(farm, quiet):
    quiet([ON_FAILURE])
    before = farm.server(ON_FAILURE)
    os.kill(before["pid"], signal.SIGKILL)
    after = farm.wait_restarted(ON_FAILURE, before)
    os.kill(after["pid"], signal.SIGTERM)
    entry = farm.wait_status(ON_FAILURE, "stopped")
    assert entry["last_exit"]["reason"] == "Completed"
    farm.act(ON_FAILURE, "start")


# --- probes ---


def test_frozen_server_fails_liveness_and_is_restarted(farm, quiet):
    quiet([FAST])
    before, since = farm.server(FAST), farm.last_event()
    os.kill(before["pid"], signal.SIGSTOP)
    event = farm.wait_event("LivenessFailed", FAST, since)
    assert "2 probes" in event["message"] and event["warning"]
    after = farm.wait_restarted(FAST, before)
    assert after["last_exit"]["reason"] == "LivenessFailed"
    assert after["restarts"] == before["restarts"] + 1
    assert farm.worker(FAST).status == 200
    wait_for(lambda: farm.server(FAST)["health"] == "healthy", what="healthy again")


def test_frozen_server_delays_nobody(farm, quiet):
    """One frozen server (not probed soon) costs its own slot only: the rest is healthy at once, the whole in 3 s."""
    quiet([])
    pid = farm.server(2)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        health = farm.get("/api/health")
        assert 2.5 < time.monotonic() - began < 30
        assert health["servers"][1]["status"] == "error" and health["servers"][1]["error"] == "timeout"
        assert (health["healthy"] + health["degraded"], health["unhealthy"]) == (14, 1)
        assert quickest(farm.servers) < 1
    finally:
        os.kill(pid, signal.SIGCONT)


def test_paused_servers_are_not_probed(farm, quiet):
    quiet([FAST])
    farm.act(FAST_TOO, "pause")
    since, before = farm.last_event(), farm.server(FAST)
    try:
        # as long as a frozen one takes to be found out, twice
        for _ in range(2):
            os.kill(before["pid"], signal.SIGSTOP)
            farm.wait_event("LivenessFailed", FAST, since)
            before, since = farm.wait_restarted(FAST, before), farm.last_event()
        assert farm.server(FAST_TOO)["status"] == "paused"
        assert farm.server(FAST_TOO)["health"] == "unknown"
        assert not farm.events(0, "LivenessFailed", FAST_TOO)
        assert not farm.events(0, "Unhealthy", FAST_TOO)
    finally:
        farm.act(FAST_TOO, "resume")
    assert farm.worker(FAST_TOO).status == 200


def test_readiness_and_health_follow_the_probe(farm, quiet):
    quiet([FAST_TOO])
    pid = farm.server(FAST_TOO)["pid"]
    wait_for(lambda: farm.server(FAST_TOO)["ready"] and farm.server(FAST_TOO)["health"] == "healthy", what="ready")
    since = farm.last_event()
    os.kill(pid, signal.SIGSTOP)
    farm.wait_event("Unhealthy", FAST_TOO, since)
    farm.wait_event("Ready", FAST_TOO, since)  # it was restarted


# --- actions ---


def test_stop_and_start_are_idempotent(farm, quiet):
    quiet([2])
    before = farm.server(2)
    for _ in range(2):
        answer = farm.act(2, "stop")
        assert {key: answer[key] for key in ("server_id", "action", "status")} == {
            "server_id": 2, "action": "stop", "status": "success"}
        entry = farm.server(2)
        assert (entry["status"], entry["pid"], entry["error"]) == ("stopped", None, "stopped on request")
        assert not alive(before["pid"])
    assert refuses(before["port"])
    health = farm.get("/api/health")
    assert health["servers"][1]["status"] == "error" and health["unhealthy"] == 1

    farm.act(2, "start")
    first = farm.server(2)
    farm.act(2, "start")
    assert farm.server(2)["pid"] == first["pid"]
    assert first["restarts"] == before["restarts"], "a start by hand is no restart"
    assert farm.worker(2).status == 200
    assert first["last_exit"]["reason"] == "Stopped"


def test_restart(farm, quiet):
    quiet([2])
    before = farm.server(2)
    farm.act(2, "restart")
    after = farm.server(2)
    assert after["status"] == "running" and after["pid"] != before["pid"]
    assert after["restarts"] == before["restarts"] + 1
    farm.act(2, "stop")
    farm.act(2, "restart")
    assert farm.server(2)["status"] == "running"


def test_kill(farm, quiet):
    quiet([2])
    farm.act(2, "restart")
    before, since = farm.server(2), farm.last_event()
    farm.act(2, "kill")
    after = farm.wait_restarted(2, before)
    assert after["last_exit"]["reason"] == "Killed"
    assert farm.events(since, "Killed", 2)
    farm.act(2, "stop")
    farm.act(2, "kill")
    assert farm.server(2)["status"] == "stopped"
    farm.act(2, "start")


def test_pause_and_resume(farm, quiet):
    quiet([])
    before = farm.server(3)
    for _ in range(2):
        farm.act(3, "pause")
        assert farm.server(3)["status"] == "paused"
    with pytest.raises(TimeoutError):
        farm.worker(3, timeout=0.5)
    for _ in range(2):
        farm.act(3, "resume")
        assert farm.server(3)["status"] == "running"
    assert farm.worker(3).status == 200
    assert farm.server(3)["pid"] == before["pid"]


@pytest.mark.parametrize("action, status", [("stop", "stopped"), ("restart", "running"), ("kill", "running")])
def test_a_paused_server_obeys(farm, quiet, action, status):
    quiet([3])
    farm.act(3, "restart")
    before = farm.server(3)
    farm.act(3, "pause")
    began = time.monotonic()
    farm.act(3, action)
    farm.wait_status(3, status)
    assert time.monotonic() - began < 8, "it was thawed for its end"
    assert not alive(before["pid"])
    farm.act(3, "start")
    assert farm.worker(3).status == 200


def test_stopped_servers_are_neither_paused_nor_resumed(farm, quiet):
    quiet([3])
    farm.act(3, "stop")
    for action in ("pause", "resume"):
        assert "stopped" in farm.act(3, action, status=409)["detail"]
    farm.act(3, "start")


def test_two_restarts_at_once_are_one(farm, quiet):
    quiet([1])
    farm.act(1, "restart")
    before = farm.server(1)
    with draining(farm, 1, "restart") as (first, finish), concurrent.futures.ThreadPoolExecutor() as pool:
        second = pool.submit(farm.act, 1, "restart")
        # whatever came before these has been taken
        for _ in range(3):
            farm.servers()
        assert finish().endswith(b"12"), "the request under way was finished"
        assert (first.result().status, second.result()["status"]) == (200, "success")
    after = farm.server(1)
    assert after["restarts"] == before["restarts"] + 1
    assert after["pid"] != before["pid"] and after["status"] == "running"


def test_start_during_stop(farm, quiet):
    """The later word holds: the stop under way is answered as overtaken, and the server runs again."""
    quiet([1])
    before = farm.server(1)
    with draining(farm, 1, "stop") as (stop, finish), concurrent.futures.ThreadPoolExecutor() as pool:
        start = pool.submit(farm.act, 1, "start")
        assert stop.result().status == 409 and "overtaken" in stop.result().json()["detail"]
        finish()
        assert start.result()["status"] == "success"
    entry = farm.server(1)
    assert entry["status"] == "running" and entry["pid"] != before["pid"]
    assert farm.worker(1).status == 200


def test_stop_during_start(farm, quiet):
    quiet([GATED])
    farm.act(GATED, "stop")
    gate = farm.directory / f"gate-{GATED}"
    gate.touch()
    try:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            start = pool.submit(farm.request, "POST", f"/api/servers/{GATED}/action", {"action": "start"})
            pid = farm.wait_status(GATED, "starting")["pid"]
            assert not start.done()
            farm.act(GATED, "stop")
            assert start.result().status == 409
            assert "overtaken" in start.result().json()["detail"]
        assert farm.server(GATED)["status"] == "stopped"
        assert not alive(pid)
    finally:
        gate.unlink()
    farm.act(GATED, "start")
    assert farm.worker(GATED).status == 200


def test_many_at_once(farm, quiet):
    quiet(WEB)
    answer = farm.post("/api/servers/action", {"ids": "1-3", "action": "stop"})
    assert (answer["total"], answer["successful"], answer["failed"]) == (3, 3, 0)
    assert [farm.server(i)["status"] for i in WEB] == ["stopped"] * 3
    answer = farm.post("/api/servers/action", {"ids": [1, 2, 3], "action": "pause"})
    assert (answer["successful"], answer["failed"]) == (0, 3)
    answer = farm.post("/api/servers/action", {"ids": [3, 1, 2], "action": "start"})
    assert [entry["server_id"] for entry in answer["results"]] == [1, 2, 3]
    assert [farm.server(i)["status"] for i in WEB] == ["running"] * 3


# --- restart profiles ---


def waits(farm, server_id, since):
    """How long each backoff of a server was to be, in seconds."""
    return [when(event["next_try_at"]) - when(event["at"]) for event in farm.events(since, "BackOff", server_id)]


def begin_again(farm, *names):
    """Servers with no failure behind them."""
    for name in names:
        farm.act(PROFILES[name], "restart")
    return farm.servers()


def test_restart_profiles(farm, quiet):
    quiet(PROFILES.values())
    before, since = begin_again(farm, *PROFILES), farm.last_event()
    with exiting(farm, *PROFILES.values()):
        for server_id in PROFILES.values():
            os.kill(before[server_id]["pid"], signal.SIGKILL)

        # the first restart of these waits long
        entry = farm.wait_status(PROFILES["kubernetes"], "backoff")
        assert 0 < when(entry["next_restart_at"]) - now() <= 10
        entry = farm.wait_status(PROFILES["nomad"], "backoff")
        assert 0 < when(entry["next_restart_at"]) - now() <= 15 * 1.25
        assert entry["restarts"] == before[PROFILES["nomad"]]["restarts"]

        farm.wait_status(PROFILES["systemd"], "failed")
        farm.wait_status(PROFILES["supervisord"], "failed")
        wait_for(lambda: len(waits(farm, PROFILES["docker"], since)) >= 5, what="five waits of docker")
        wait_for(lambda: len(waits(farm, PROFILES["farm"], since)) >= 3, what="three waits of farm")
        wait_for(lambda: len(farm.events(since, "Started", PROFILES["s6"])) >= 4, what="four starts of s6")
        seen = {name: waits(farm, server_id, since) for name, server_id in PROFILES.items()}
        starts = {name: farm.events(since, "Started", server_id) for name, server_id in PROFILES.items()}

    near = lambda *seconds: pytest.approx(list(seconds), abs=0.05)  # noqa: E731
    assert len(starts["farm"]) >= 3
    assert all(low <= wait <= low * 1.25 + 0.05 for low, wait in zip((1, 2, 4), seen["farm"])), seen["farm"]
    assert seen["kubernetes"][:1] == near(10) and len(starts["kubernetes"]) == 1
    assert seen["docker"][:5] == near(0.1, 0.2, 0.4, 0.8, 1.6)
    assert seen["systemd"] == near(*[0.1] * len(seen["systemd"])) and 3 <= len(seen["systemd"]) <= 4
    assert 15 <= seen["nomad"][0] <= 18.77
    assert seen["supervisord"] == near(1, 2, 3)
    gaps = [when(b["at"]) - when(a["at"]) for a, b in zip(starts["s6"], starts["s6"][1:])]
    assert all(gap >= 0.5 for gap in gaps), gaps

    for name in ("systemd", "supervisord"):
        entry = farm.server(PROFILES[name])
        assert entry["next_restart_at"] is None and "exit 3" in entry["error"]
        assert farm.events(since, "GaveUp", PROFILES[name])
        assert entry["last_exit"]["exit_code"] == 3
    for server_id in PROFILES.values():
        farm.act(server_id, "restart")
        assert farm.server(server_id)["status"] == "running"


def test_restart_by_hand_skips_and_forgets_backoff(farm, quiet):
    server_id = PROFILES["farm"]
    quiet([server_id])
    before = begin_again(farm, "farm")[server_id]
    def waits_long():
        entry = farm.server(server_id)
        return entry if entry["restarts"] >= before["restarts"] + 3 and entry["status"] == "backoff" else None

    with exiting(farm, server_id):
        os.kill(before["pid"], signal.SIGKILL)
        waiting = wait_for(waits_long, what="some failures")
    counted = waiting["restarts"]
    farm.act(server_id, "restart")
    assert now() < when(waiting["next_restart_at"]), "it did not wait for its time"
    entry = farm.server(server_id)
    assert entry["status"] == "running" and entry["next_restart_at"] is None
    assert entry["restarts"] == counted + 1, "the lifetime counter stays"
    # forgotten: the next failure restarts at once
    since = farm.last_event()
    os.kill(entry["pid"], signal.SIGKILL)
    farm.wait_restarted(server_id, entry)
    assert waits(farm, server_id, since) == []


def test_stop_ends_a_crash_loop(farm, quiet):
    server_id = PROFILES["docker"]
    quiet([server_id])
    before = begin_again(farm, "docker")[server_id]
    with exiting(farm, server_id):
        os.kill(before["pid"], signal.SIGKILL)
        farm.wait_status(server_id, "backoff")
        farm.act(server_id, "stop")
        entry = farm.server(server_id)
        assert (entry["status"], entry["next_restart_at"]) == ("stopped", None)
        answer = farm.act(server_id, "start", status=500)
        assert "exit 3" in answer["detail"]
        farm.act(server_id, "stop")
    farm.act(server_id, "start")


# --- ports ---


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_taken_port(farm, quiet, host):
    quiet([3])
    farm.act(3, "stop")
    since, port = farm.last_event(), farm.server(3)["port"]
    with farmlib.listening(port, host):
        detail = farm.act(3, "start", status=409)["detail"]
        assert str(port) in detail and f"pid {os.getpid()}" in detail
        event = farm.wait_event("PortTaken", 3, since)
        assert f"port {port} is taken by" in event["message"] and f"(pid {os.getpid()})" in event["message"]
        entry = farm.wait_status(3, "backoff")
        assert "taken" in entry["error"] and entry["next_restart_at"]
        assert entry["last_exit"]["reason"] == "PortTaken"
        assert farm.worker(1).status == farm.worker(2).status == 200
    entry = farm.wait_status(3, "running")
    assert farm.worker(3).status == 200
