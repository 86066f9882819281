"""Changing a running farm: scale, reload, rolling restart. What isn't concerned goes on in the same processes."""

import os
import signal
import threading

import pytest

import farmd_process
import farmlib
from farmd_process import alive, cgroup_directories, environment_of, farms  # noqa: F401
from farmlib import wait_for

# A program of the user's own, in the manner of `python3 -m http.server`: it takes its port from PORT.
OWN_PROGRAM = """
import http.server, json, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

print("own program up", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

PROGRAM = """#!/bin/sh
[ -e "$DIR/exit-$SERVER_ID" ] && exit 3
exec "$DIR/farm-worker"
"""

OWN, PLAIN, GATED = (1,), (2, 3, 4), (5, 6, 7)

CONFIG = """
servers:
  stop_grace: 5s
  probes:
    startup: {interval: 100ms}
groups:
  - name: own
    count: 1
    command: [python3, $DIR/own.py]
    environment: {GREETING: hello, EMPTY: ""}
    labels: {zone: a}
  - name: plain
    count: 3
    cpu: 0.5
  - name: gated
    count: 3
    command: [$DIR/program]
    environment: {COLOR: red}
"""


@pytest.fixture
def farm():
    one = farmd_process.Farmd(servers=7, config=CONFIG, spare=5)
    one.install_worker()
    (one.directory / "own.py").write_text(OWN_PROGRAM)
    program = one.directory / "program"
    program.write_text(PROGRAM.replace("$DIR", str(one.directory)))
    program.chmod(0o755)
    try:
        yield one.start()
        assert one.process.poll() is None, one.errors()
        assert one.stop() == 0, one.errors()
        assert one.leftovers() == []
    finally:
        one.clean()


def reload(farm, text, reason="Reloaded"):
    """Writes the settings and sends SIGHUP; the event that tells how it went."""
    since = farm.last_event()
    farm.write_config(text)
    farm.process.send_signal(signal.SIGHUP)
    return farm.wait_event(reason, since=since)


def assert_same(farm, before, *ids):
    now = farm.pids()
    for server_id in ids or before:
        assert now.get(server_id) == before[server_id], f"server {server_id} was touched"


def test_own_program_gets_its_place(farm):
    environment = farm.worker(1).json()
    assert {key: environment[key] for key in (
        "PORT", "SERVER_PORT", "SERVER_ID", "SERVER_COUNT", "SERVER_BASE_PORT", "GREETING", "EMPTY")} == {
        "PORT": str(farm.base_port), "SERVER_PORT": str(farm.base_port), "SERVER_ID": "1", "SERVER_COUNT": "7",
        "SERVER_BASE_PORT": str(farm.base_port), "GREETING": "hello", "EMPTY": ""}
    assert not {"FARMD_TOKEN", "PYTEST_CURRENT_TEST"} & set(environment)
    entry = farm.server(1)
    assert entry["requests_per_second"] is None, "nobody counts the requests of a user's program"
    assert (entry["group"], entry["labels"]) == ("own", {"zone": "a"})
    assert "own program up" in farm.get("/api/servers/1/logs?tail=10")["lines"]


def test_scale_up_and_down(farm):
    before = farm.pids()
    answer = farm.post("/api/scale", {"servers": 10})
    assert (answer["status"], answer["servers"], answer["total_servers"]) == ("success", 10, 10)
    grown = farm.servers()
    assert sorted(grown) == list(range(1, 11))
    assert [grown[i]["port"] for i in (8, 9, 10)] == [farm.base_port + i for i in (7, 8, 9)]
    for server_id in (8, 9, 10):
        assert grown[server_id]["status"] == "running", "answered when they are ready"
        assert grown[server_id]["group"] == "gated"
        assert farm.worker(server_id).status == 200
    assert_same(farm, before)

    places = [d for i in (8, 9, 10) for d in set(cgroup_directories(grown[i]["pid"]).values()) if d.name == f"server-{i}"]
    farm.post("/api/scale", {"servers": 7})
    assert sorted(farm.servers()) == list(range(1, 8))
    assert not any(alive(grown[i]["pid"]) for i in (8, 9, 10))
    assert not any(place.exists() for place in places)
    assert all(farmlib.port_is_free(farm.base_port + i) for i in (7, 8, 9))
    assert_same(farm, before)
    assert farm.get("/api/servers/8", status=404)["detail"]

    since = farm.last_event()
    farm.post("/api/scale", {"servers": 7})
    assert_same(farm, before)
    assert len(farm.events(reason="Scaled")) == 2
    assert not farm.events(since, "Scaled"), "nothing changed"


def test_scale_refuses_what_cannot_be(farm):
    before = farm.pids()
    for body, status in (
        ({"servers": -1}, 422), ({"servers": 10001}, 422), ({"servers": 2.5}, 422), ({"servers": "7"}, 422), ({}, 422),
        ({"servers": 3, "group": "nobody"}, 422), ({"servers": 1e300}, 422), ({"servers": True}, 422),
    ):
        answer = farm.post("/api/scale", body, status=status)
        assert answer["detail"], body
    assert_same(farm, before)
    assert len(farm.servers()) == 7


def test_reload_of_limits_is_live(farm):
    before = farm.servers()
    reload(farm, CONFIG.replace("cpu: 0.5", "cpu: 0.25\n    memory: 200M"))
    after = farm.servers()
    for server_id in PLAIN:
        assert after[server_id]["limits_configured"]["cpu"] == 0.25
        assert after[server_id]["limits_configured"]["memory_mb"] == 200
        if farm.get("/api/servers")["enforcement"] == "cgroup1":
            place = cgroup_directories(after[server_id]["pid"])
            assert int((place["cpu"] / "cpu.cfs_quota_us").read_text()) == 25000
            assert int((place["memory"] / "memory.limit_in_bytes").read_text()) == 200 << 20
    assert after[OWN[0]]["limits"] == before[OWN[0]]["limits"]
    assert_same(farm, {i: entry["pid"] for i, entry in before.items()})


def test_reload_of_an_environment_restarts_its_group_only(farm):
    before = farm.pids()
    reload(farm, CONFIG.replace("COLOR: red", "COLOR: blue"))
    after = farm.pids()
    for server_id in GATED:
        assert after[server_id] != before[server_id]
        assert environment_of(after[server_id])["COLOR"] == "blue"
        assert farm.worker(server_id).status == 200
    assert_same(farm, before, *OWN, *PLAIN)


def test_reload_of_a_count_and_probes(farm):
    before = farm.pids()
    reload(farm, CONFIG.replace("name: gated\n    count: 3", "name: gated\n    count: 4"))
    assert len(farm.servers()) == 8
    assert farm.worker(8).status == 200
    assert_same(farm, before)
    probes = "probes:\n    liveness: {interval: 200ms, timeout: 300ms, start_period: 0s, retries: 2}\n"
    reload(farm, CONFIG.replace("servers:\n", "servers:\n  restart_profile: docker\n").replace("probes:\n", probes))
    assert_same(farm, before)
    assert sorted(farm.servers()) == list(range(1, 8))
    # the new probes are at work
    os.kill(before[2], signal.SIGSTOP)
    farm.wait_event("LivenessFailed", 2)
    wait_for(lambda: farm.server(2)["status"] == "running", what="server 2 back")


def test_reload_without_a_change_touches_nothing(farm):
    farm.post("/api/scale", {"servers": 8})
    before = farm.pids()
    reload(farm, CONFIG + "\n# a comment\n")
    assert_same(farm, before)
    assert len(farm.servers()) == 8, "scaled, and the file says nothing new"


def test_reload_shifts_ports_by_one():
    """Each server's new port is its neighbour's old one: nobody may start before that is gone."""
    config = "servers: {stop_grace: 1s}\ngroups:\n  - {name: still, count: 1}\n  - {name: web, count: 3, base_port: %d}\n"
    one = farmd_process.Farmd(servers=4, config="groups:\n", spare=2)
    try:
        one.write_config(config % (one.base_port + 1))
        one.start()
        since = one.last_event()
        os.kill(one.pids()[4], signal.SIGSTOP)  # takes no SIGTERM: it has its port until it is killed
        reload(one, config % (one.base_port + 2))
        assert [entry["port"] for entry in one.servers().values()] == [one.base_port + i for i in (0, 2, 3, 4)]
        for server_id, entry in one.servers().items():
            assert entry["status"] == "running"
            assert farmlib.request(entry["port"], "GET", "/").json()["server_id"] == f"server-{server_id}"
        assert not one.events(since, "PortTaken")
        assert one.stop() == 0, one.errors()
    finally:
        one.clean()


def test_reload_of_a_file_that_is_gone_changes_nothing(farm):
    before, since = farm.pids(), farm.last_event()
    (farm.directory / "farm.yaml").unlink()
    farm.process.send_signal(signal.SIGHUP)
    event = farm.wait_event("ReloadFailed", since=since)
    assert "farm.yaml is gone" in event["message"]
    assert_same(farm, before)
    assert farm.pids().keys() == before.keys()
    reload(farm, CONFIG)
    assert_same(farm, before)


def test_reload_tells_what_waits_for_the_next_start(farm):
    event = reload(farm, CONFIG + "enforce: required\ndashboard: {host: 127.0.0.1}\n")
    assert "dashboard.host, enforce take effect at the next start" in event["message"]
    wait_for(lambda: "take effect at the next start" in farm.errors(), what="the line in the log")
    assert "next start" not in reload(farm, CONFIG)["message"]


@pytest.mark.parametrize("text, words", [
    (CONFIG.replace("cpu: 0.5", "cpu: lots"), ["farm.yaml:14", "cpu", "lots"]),
    (CONFIG + "unknown_key: 1\n", ["farm.yaml", "unknown_key"]),
    ("groups: [", ["farm.yaml"]),
])
def test_reload_of_a_bad_file_changes_nothing(farm, text, words):
    before = farm.pids()
    event = reload(farm, text, reason="ReloadFailed")
    for word in words:
        assert word in event["message"]
        wait_for(lambda: word in farm.errors(), what=f"{word} in the log")
    assert "goes on" in farm.errors()
    assert farm.errors().count(event["message"]) == 1, "once is enough"
    assert_same(farm, before)
    reload(farm, CONFIG)
    assert_same(farm, before)


def test_a_reload_during_a_change_has_its_turn(farms):  # noqa: F811
    """None of them is lost, and none is an error: the last settings hold in the end."""
    config = "groups: [{name: late, count: COUNT, command: [sh, -c, 'sleep 0.5; exec $DIR/farm-worker']}]\n"
    farm = farms(servers=1, spare=4, config=config.replace("COUNT", "1"))
    farm.install_worker()
    farm.start()
    since = farm.last_event()
    for count in (2, 3, 4):
        farm.write_config(config.replace("COUNT", str(count)))
        farm.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(farm.servers()) > 1, what="the first reload to begin")
    wait_for(lambda: len(farm.servers()) == 4, what="the last settings")
    wait_for(lambda: len(farm.events(since, "Reloaded")) >= 2, what="the ends of the reloads")
    assert not farm.events(since, "ReloadFailed")
    assert farm.stop() == 0


# --- rolling restart ---


def most_down_at_once(farm, since):
    """From the end of a server until it is ready again."""
    down, most = set(), 0
    for event in farm.events(since):
        if event["reason"] == "Stopped":
            down.add(event["server_id"])
        elif event["reason"] == "Ready":
            down.discard(event["server_id"])
        most = max(most, len(down))
    return most


@pytest.mark.parametrize("body, most", [({}, 1), ({"max_unavailable": 3}, 3)])
def test_rolling_restart(farm, body, most):
    before, since = farm.servers(), farm.last_event()
    answer = farm.post("/api/rolling-restart", body)
    assert answer["status"] == "success"
    assert (answer["total"], answer["successful"], answer["failed"]) == (7, 7, 0)
    assert answer["max_unavailable"] == most
    assert [(r["server_id"], r["status"]) for r in answer["results"]] == [(i, "success") for i in range(1, 8)]
    after = farm.servers()
    for server_id, entry in after.items():
        assert entry["status"] == "running"
        assert entry["pid"] != before[server_id]["pid"]
        assert entry["restarts"] == before[server_id]["restarts"] + 1
    assert 1 <= most_down_at_once(farm, since) <= most


def test_rolling_restart_of_some(farm):
    before = farm.pids()
    answer = farm.post("/api/rolling-restart", {"ids": "2-3"})
    assert answer["total"] == 2
    after = farm.pids()
    assert after[2] != before[2] and after[3] != before[3]
    assert_same(farm, before, 1, 4, 5, 6, 7)


def test_rolling_restart_leaves_stopped_ones_alone(farm):
    before = farm.pids()
    farm.act(3, "stop")
    answer = farm.post("/api/rolling-restart", {"ids": "2-4"})
    assert (answer["status"], answer["total"], answer["successful"], answer["failed"]) == ("success", 3, 2, 0)
    skipped = answer["results"][1]
    assert skipped == {"server_id": 3, "status": "skipped", "message": "stopped on request"}
    assert farm.server(3)["status"] == "stopped"
    assert_same(farm, before, 1, 5, 6, 7)


def test_every_server_knows_where_the_others_are(farm):
    """Groups that follow one another: SERVER_BASE_PORT + id - 1 is a server's port, whoever asks."""
    for entry in farm.servers().values():
        environment = environment_of(entry["pid"])
        first, count = int(environment["SERVER_BASE_PORT"]), int(environment["SERVER_COUNT"])
        assert (first + int(environment["SERVER_ID"]) - 1, count) == (entry["port"], 7)


def test_rolling_restart_stops_at_the_first_failure(farm):
    before = farm.pids()
    broken = farm.directory / "exit-6"
    broken.touch()
    answer = farm.post("/api/rolling-restart", {"ids": [5, 6, 7]})
    assert answer["status"] == "error" and "server-6" in answer["message"]
    assert (answer["successful"], answer["failed"]) == (1, 2)
    results = {r["server_id"]: r for r in answer["results"]}
    assert results[5]["status"] == "success"
    assert results[6]["status"] == "error" and "exit 3" in results[6]["message"]
    assert results[7]["status"] != "success"
    assert_same(farm, before, 1, 2, 3, 4, 7)
    broken.unlink()
    farm.wait_status(6, "running")  # by its restart policy


def test_scale_and_restart_at_once(farm):
    """Changes that overlap are each answered, and the farm is whole after them."""
    answers = []
    calls = [
        lambda: farm.request("POST", "/api/scale", {"servers": 9}),
        lambda: farm.request("POST", "/api/rolling-restart", {"max_unavailable": 2}),
        lambda: farm.request("POST", "/api/scale", {"servers": 5}),
        lambda: farm.request("POST", "/api/servers/action", {"ids": "all", "action": "restart"}),
    ]
    threads = [threading.Thread(target=lambda call=call: answers.append(call().status)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 409}, answers
    farm.post("/api/scale", {"servers": 7})
    wait_for(farm._all_run, what="every server running")
    assert farm.get("/api/health")["unhealthy"] == 0
