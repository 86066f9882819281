"""farmd is killed: its servers go on, and the next farmd takes them over with all that is known of them."""

import os
import re
import signal
import socket
import subprocess

import pytest

import farmlib
from adoptlib import change_state, goes_on, kill, records, start
from farmd_process import FARMD, alive, cgroup_directories, farms  # noqa: F401
from farmlib import DEADLINE, wait_for

ENFORCE = pytest.mark.parametrize("flags", [[], ["--enforce", "none"]], ids=["enforced", "none"])
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

# A program that serves when the file `go` is there, and knows nothing of the readiness pipe.
LATE_PROGRAM = """
import http.server, os, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

print("waiting", flush=True)
while not os.path.exists("$DIR/go"):
    time.sleep(0.01)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

STUBBORN_PROGRAM = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LATE_PROGRAM

LATE = """
groups:
  - name: late
    count: 1
    command: [python3, $DIR/late.py]
    probes: {startup: {interval: 100ms}}
"""


def ends_well(farm):
    assert farm.process.poll() is None, farm.errors()
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []


# --- what goes on ---


@ENFORCE
def test_servers_go_on_under_the_next_farmd(farms, flags):  # noqa: F811
    farm = farms(servers=3, flags=flags).start()
    os.kill(farm.pids()[2], signal.SIGKILL)
    farm.wait_event("Ready", 2, farm.wait_event("Crashed", 2)["id"])
    before = kill(farm)
    assert before[2]["restarts"] == 1 and before[2]["last_exit"]["signal"] == signal.SIGKILL
    assert all(alive(entry["pid"]) for entry in before.values()), "the servers outlive a killed farmd"
    farm.start()
    for server_id, entry in farm.servers().items():
        goes_on(before[server_id], entry)
        assert farm.worker(server_id).status == 200
    assert [event["server_id"] for event in farm.events(reason="Adopted")] == [1, 2, 3, None]
    assert farm.events(reason="Started") == []
    assert re.search("^  adopted     3 servers in .*\n  ready       3/3 in ", farm.output(), re.M)
    ends_well(farm)


@ENFORCE
def test_adopted_once_more(farms, flags):  # noqa: F811
    farm = farms(servers=2, flags=flags).start()
    before = kill(farm)
    for _ in range(3):
        farm.start()
        again = kill(farm)
        for server_id, entry in again.items():
            goes_on(before[server_id], entry)
    farm.start()
    ends_well(farm)


@ENFORCE
def test_what_was_done_by_hand_stays(farms, flags):  # noqa: F811
    farm = farms(servers=5, flags=flags).start()
    farm.act(1, "pause")
    farm.act(2, "stop")
    farm.act(3, "restart")
    farm.patch("/api/servers/4", {"memory_mb": 300})
    before = kill(farm)
    assert "  ready       3/3" in start(farm)
    after = farm.servers()
    assert {i: entry["status"] for i, entry in after.items()} == {i: entry["status"] for i, entry in before.items()}
    for server_id in (1, 3, 4, 5):
        goes_on(before[server_id], after[server_id])
    assert after[2]["error"] == before[2]["error"] == "stopped on request"
    assert after[2]["last_exit"] == before[2]["last_exit"]
    assert after[3]["restarts"] == 1
    assert after[4]["limits_configured"]["memory_mb"] == 300

    farm.act(1, "resume")
    assert farm.worker(1).status == 200
    assert farm.act(2, "start")["status"] == "success"
    assert farm.server(2)["restarts"] == 0
    ends_well(farm)


def test_given_up_stays_given_up(farms):  # noqa: F811
    config = "groups:\n  - {name: a, count: 1, restart_profile: supervisord, command: [sh, -c, exit 3]}\n  - {name: b, count: 1}\n"
    farm = farms(servers=2, config=config)
    start(farm)
    farm.wait_status(1, "failed", deadline=DEADLINE * 2)
    before = kill(farm)
    assert "  adopted     1 server in " in start(farm)
    after = farm.wait_status(1, "failed")
    for key in ("error", "restarts", "last_exit"):
        assert after[key] == before[1][key]
    assert farm.events(reason="Started") == []
    ends_well(farm)


def test_a_scaled_group_stays_scaled(farms):  # noqa: F811
    farm = farms(servers=2, spare=2).start()
    farm.post("/api/scale", {"servers": 4})
    before = kill(farm)
    farm.servers_wanted = 4
    farm.arguments = lambda original=farm.arguments: [a if a != "4" else "2" for a in original()]
    farm.start()
    after = farm.servers()
    assert set(after) == {1, 2, 3, 4}
    for server_id, entry in after.items():
        goes_on(before[server_id], entry)
    ends_well(farm)


def test_logs_and_counters_go_on(farms):  # noqa: F811
    farm = farms(servers=1, flags=["--access-log"]).start()
    for _ in range(20):
        assert farm.worker(1).status == 200
    wait_for(lambda: farm.server(1)["requests_total"] == 20, what="the requests being counted")
    first = farm.get("/api/servers/1/logs?tail=1000")
    kill(farm)
    for _ in range(5):
        assert farm.worker(1, path="/error/404").status == 404
    farm.start()
    entry = wait_for(lambda: (one := farm.server(1))["requests_total"] is not None and one, what="a sample")
    assert entry["requests_total"] == 25
    assert entry["requests_per_second"] == 0 and entry["errors_per_second"] == 0, "nothing of the time before"
    wait_for(lambda: farm.server(1)["cpu_percent"] is not None, what="a measurement")
    log = farm.get("/api/servers/1/logs?tail=1000")
    assert log["lines"][: len(first["lines"])] == first["lines"]
    assert sum("/error/404" in line for line in log["lines"]) == 5, "what was written while farmd was away"
    assert [line for line in log["lines"] if "started: pid" in line] == [first["lines"][0]]
    farm.worker(1)
    wait_for(lambda: farm.server(1)["requests_total"] == 26, what="the next request being counted")
    ends_well(farm)


# --- what is adopted is like any other ---


@ENFORCE
def test_the_end_of_an_adopted_one_is_unknown(farms, flags):  # noqa: F811
    farm = farms(servers=2, flags=flags).start()
    kill(farm)
    farm.start()
    before, since = farm.server(1), farm.last_event()
    os.kill(before["pid"], signal.SIGKILL)
    after = farm.wait_restarted(1, before)
    at = after["last_exit"].pop("at")
    assert at is not None
    assert after["last_exit"] == {"reason": "ExitUnknown", "exit_code": None, "signal": None, "oom_killed": False}
    assert after["restarts"] == before["restarts"] + 1
    assert farm.wait_event("ExitUnknown", 1, since)["warning"] is True
    os.kill(after["pid"], signal.SIGKILL)
    again = farm.wait_restarted(1, after)
    assert again["last_exit"]["signal"] == signal.SIGKILL, "a child of this farmd again"
    ends_well(farm)


@needs_root
def test_an_adopted_one_is_oom_killed(farms):  # noqa: F811
    farm = farms(servers=2).start()
    if "enforcement_warning" in farm.get("/api/servers"):
        pytest.skip("no limits here")
    kill(farm)
    farm.start()
    before = farm.server(1)
    with pytest.raises(OSError):
        farm.worker(1, "POST", "/simulate-load?cpu_duration=30&memory_mb=400")
    after = farm.wait_restarted(1, before)
    assert after["last_exit"]["reason"] == "OOMKilled" and after["last_exit"]["oom_killed"] is True
    assert after["last_exit"]["exit_code"] is None and after["last_exit"]["signal"] is None
    wait_for(lambda: farm.server(1)["oom_kills"] == 1, what="one OOM kill counted")
    kill(farm)
    farm.start()
    wait_for(lambda: farm.server(1)["oom_kills"] == 1, what="it being counted further")
    ends_well(farm)


@ENFORCE
@pytest.mark.parametrize("action", ["stop", "restart", "kill", "pause"])
def test_actions_on_an_adopted_one(farms, flags, action):  # noqa: F811
    farm = farms(servers=1, flags=flags).start()
    kill(farm)
    farm.start()
    before = farm.server(1)
    farm.act(1, action)
    if action == "pause":
        assert farm.server(1)["status"] == "paused"
        with pytest.raises(OSError):
            farm.worker(1, timeout=0.2)
        farm.act(1, "resume")
        assert farm.worker(1).status == 200
    elif action == "stop":
        assert farm.server(1)["status"] == "stopped" and not alive(before["pid"])
        farm.act(1, "start")
    else:
        after = farm.wait_restarted(1, before)
        assert after["restarts"] == 1 and not alive(before["pid"])
        assert after["last_exit"]["reason"] == ("Stopped" if action == "restart" else "Killed")
    assert farm.wait_status(1, "running")["pid"] == (before["pid"] if action == "pause" else farm.server(1)["pid"])
    ends_well(farm)


@needs_root
def test_limits_of_an_adopted_one_change_live(farms):  # noqa: F811
    farm = farms(servers=1).start()
    if "enforcement_warning" in farm.get("/api/servers"):
        pytest.skip("no limits here")
    kill(farm)
    farm.start()
    before = farm.server(1)
    for megabytes in (300, 64, 256):
        answer = farm.patch("/api/servers/1", {"memory_mb": megabytes, "memory_reservation_mb": 32})
        assert answer["limits"]["memory_mb"] == megabytes
    places = cgroup_directories(before["pid"])
    files = [places.get("memory", places.get("")) / name for name in ("memory.max", "memory.limit_in_bytes")]
    assert [path.read_text().strip() for path in files if path.exists()] == [str(256 << 20)]
    assert farm.server(1)["pid"] == before["pid"]
    ends_well(farm)


# --- what happened while no farmd ran ---


def test_a_row_of_failures_goes_on(farms):  # noqa: F811
    farm = farms(servers=1).start()
    before = farm.server(1)
    os.kill(before["pid"], signal.SIGKILL)
    again = farm.wait_restarted(1, before)
    kill(farm)
    start(farm)
    os.kill(again["pid"], signal.SIGKILL)
    assert re.search(r"ended 2 times in [\d.]+ m?s ", farm.wait_event("BackOff", 1)["message"])
    ends_well(farm)


def test_one_that_was_oom_killed_meanwhile(farms):  # noqa: F811
    farm = farms(servers=2).start()
    if "enforcement_warning" in farm.get("/api/servers"):
        pytest.skip("no limits here")
    before = kill(farm)
    with pytest.raises(OSError):
        farm.worker(1, "POST", "/simulate-load?cpu_duration=30&memory_mb=400")
    wait_for(lambda: not alive(before[1]["pid"]), what="its end")
    start(farm)
    after = farm.wait_restarted(1, before[1])
    assert after["last_exit"]["reason"] == "OOMKilled" and after["last_exit"]["oom_killed"] is True
    assert after["last_exit"]["exit_code"] is None and after["last_exit"]["signal"] is None
    assert (after["restarts"], after["oom_kills"]) == (1, 1)
    assert farm.server(2)["oom_kills"] == 0
    ends_well(farm)


def test_an_oom_kill_of_a_child_meanwhile_is_told_once(farms):  # noqa: F811
    """Where the kernel ends one process alone the server itself goes on; else all of it is restarted."""
    script = '"$DIR/farm-worker" & while :; do sleep 1000; done'
    probes = "{startup: {interval: 100ms}, liveness: {enabled: false}, readiness: {enabled: false}}"
    farm = farms(servers=1, config=f"groups: [{{name: a, count: 1, command: [sh, -c, '{script}'], probes: {probes}}}]\n")
    farm.install_worker()
    farm.start()
    if "enforcement_warning" in farm.get("/api/servers"):
        pytest.skip("no limits here")
    kill(farm)
    with pytest.raises(OSError):
        farm.worker(1, "POST", "/simulate-load?cpu_duration=30&memory_mb=400")
    start(farm)
    farm.wait_event("OOMKilled", 1)
    wait_for(lambda: farm.server(1)["oom_kills"] == 1, what="one OOM kill counted")
    wait_for(lambda: "1" in [records(farm)[1].get(word) for word in ("oom_seen", "oom_kills")], what="it being recorded")
    kill(farm)
    start(farm)
    # a second after the first look at its cgroup it would be told again
    wait_for(lambda: len(farm.get("/api/servers/1/history")["points"]["at"]) >= 4, what="some seconds of figures")
    assert farm.events(reason="OOMKilled") == [] and farm.server(1)["oom_kills"] == 1
    ends_well(farm)


@ENFORCE
def test_one_that_ended_meanwhile_is_restarted(farms, flags):  # noqa: F811
    config = "groups:\n  - {name: a, count: 2}\n  - {name: never, count: 1, restart: never}\n"
    farm = farms(servers=3, config=config, flags=flags).start()
    before = kill(farm)
    for server_id in (1, 3):
        os.kill(before[server_id]["pid"], signal.SIGKILL)
    start(farm)
    after = farm.wait_restarted(1, before[1])
    assert after["restarts"] == 1 and after["last_exit"]["reason"] == "ExitUnknown"
    goes_on(before[2], farm.server(2))
    entry = farm.wait_status(3, "stopped")
    assert entry["last_exit"]["reason"] == "ExitUnknown", "its restart policy wants no more"
    assert len(farm.events(reason="ExitUnknown")) == 2
    ends_well(farm)


@needs_root
@pytest.mark.parametrize("paused, killed", [(False, False), (False, True), (True, True)])
def test_one_that_was_frozen_to_be_killed(farms, paused, killed):  # noqa: F811
    """As a farmd does that kills all of a server, and was killed before it thawed it: it is not paused."""
    farm = farms(servers=2).start()
    if "enforcement_warning" in farm.get("/api/servers"):
        pytest.skip("no limits here")
    if paused:
        farm.act(1, "pause")
    before = kill(farm)
    places = cgroup_directories(before[1]["pid"])
    if "freezer" in places:
        (places["freezer"] / "freezer.state").write_text("FROZEN")
    else:
        (places[""] / "cgroup.freeze").write_text("1")
    if killed:
        os.kill(before[1]["pid"], signal.SIGKILL)
    start(farm)
    if killed:
        after = farm.wait_restarted(1, before[1])
        assert after["restarts"] == 1 and after["last_exit"]["reason"] == "ExitUnknown"
    else:
        goes_on(before[1], farm.wait_status(1, "running"))
    assert farm.worker(1).status == 200
    goes_on(before[2], farm.server(2))
    ends_well(farm)


@ENFORCE
def test_one_that_was_being_stopped_is_stopped(farms, flags):  # noqa: F811
    config = "groups: [{name: a, count: 1, stop_grace: 60s, restart: never, command: [python3, $DIR/stubborn.py]}]\n"
    farm = farms(servers=1, config=config, flags=flags)
    (farm.directory / "stubborn.py").write_text(STUBBORN_PROGRAM.replace("$DIR", str(farm.directory)))
    (farm.directory / "go").touch()
    farm.start()
    pid = farm.pids()[1]
    with farmlib.connect(farm.port) as asking:  # for what will not be answered
        body = b'{"action": "stop"}'
        asking.sendall(b"POST /api/servers/1/action HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        wait_for(lambda: records(farm)[1]["wanted"] == "stopped", what="the stop being recorded")
        farm.kill()
    assert alive(pid)
    start(farm)
    entry = farm.server(1)
    assert (entry["status"], entry["error"], entry["restarts"]) == ("stopped", "stopped on request", 0)
    wait_for(lambda: not alive(pid), what="its end")
    farm.act(1, "start")
    farm.act(1, "kill")  # a stop would take its time
    ends_well(farm)


def test_a_slow_start_goes_on(farms):  # noqa: F811
    farm = farms(servers=1, config=LATE)
    (farm.directory / "late.py").write_text(LATE_PROGRAM.replace("$DIR", str(farm.directory)))
    farm.start(wait=False)
    pid = wait_for(lambda: (records(farm) or {}).get(1, {}).get("pid"), what="its start being recorded")
    farm.kill()
    farm.start(wait=False)
    wait_for(lambda: "adopted     1 server in" in farm.output(), what="it being adopted")
    assert farm.server(1)["status"] == "starting" and str(farm.server(1)["pid"]) == pid
    (farm.directory / "go").touch()
    entry = farm.wait_status(1, "running")
    assert (str(entry["pid"]), entry["restarts"]) == (pid, 0)
    ends_well(farm)


def test_a_worker_that_became_ready_meanwhile(farms):  # noqa: F811
    farm = farms(servers=2).start()
    before = kill(farm)
    change_state(farm, lambda line: line.replace(" running settings", " starting settings"))
    farm.start()
    assert {i: entry["pid"] for i, entry in farm.servers().items()} == {i: entry["pid"] for i, entry in before.items()}
    assert {event["server_id"] for event in farm.events(reason="Ready")} == {1, 2}
    ends_well(farm)


# It says that it is ready, and a lot more, when farmd is long gone: with the shell's own write, which takes SIGPIPE.
PIPE_PROGRAM = """
while ! [ -e $DIR/go ]; do sleep 0.02; done
echo ready >&$FARMD_READY_FD
dd if=/dev/zero bs=1M count=1 >&$FARMD_READY_FD 2> /dev/null
touch $DIR/alive
while :; do sleep 1; done
"""


def test_the_readiness_pipe_outlives_farmd(farms):  # noqa: F811
    config = "groups:\n  - {name: pipe, count: 1, command: [sh, $DIR/pipe.sh], start_timeout: 60s}\n"
    farm = farms(servers=1, config=config)
    (farm.directory / "pipe.sh").write_text(PIPE_PROGRAM.replace("$DIR", str(farm.directory)))
    farm.directory.chmod(0o777)
    farm.start(wait=False)
    pid = int(wait_for(lambda: (records(farm) or {}).get(1, {}).get("pid"), what="its start being recorded"))
    farm.kill()
    (farm.directory / "go").touch()
    wait_for((farm.directory / "alive").exists, what="the program going on")
    assert alive(pid)
    farm.start(wait=False)
    wait_for(lambda: "adopted     1 server in" in farm.output(), what="it being adopted")
    assert farm.server(1)["pid"] == pid
    ends_well(farm)


# --- when the next farmd cannot run ---


def test_a_next_farmd_that_cannot_serve_leaves_them_alone(farms):  # noqa: F811
    farm = farms(servers=2).start()
    before = kill(farm)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", farm.port))
        taken.listen()
        farm.start(wait=False)
        assert farm.process.wait(DEADLINE) == 1
    assert all(alive(entry["pid"]) for entry in before.values())
    farm.start()
    for server_id, entry in farm.servers().items():
        goes_on(before[server_id], entry)
    ends_well(farm)


def test_one_of_several_next_ones_takes_over(farms):  # noqa: F811
    farm = farms(servers=3).start()
    before = kill(farm)
    many = [subprocess.Popen([FARMD, *farm.arguments()], cwd=farm.directory, env=farm.env, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True) for _ in range(4)]
    try:
        wait_for(lambda: [one.poll() for one in many].count(2) == 3, what="all but one of them being refused")
        [farm.process] = [one for one in many if one.poll() is None]
        assert all("another farmd" in one.stderr.read() for one in many if one is not farm.process)
        farm.wait_ready()
        for server_id, entry in farm.servers().items():
            goes_on(before[server_id], entry)
        farm.process.send_signal(signal.SIGTERM)
        assert farm.process.wait(DEADLINE) == 0
        assert farm.leftovers() == []
    finally:
        for one in many:
            one.kill()
            one.communicate()


def test_a_stop_that_was_cut_short_is_over(farms):  # noqa: F811
    """Ctrl-C and then kill -9: the next farm begins anew, whatever was left of the one before."""
    config = "groups:\n  - {name: slow, count: 1, stop_grace: 60s, restart: never, command: [python3, $DIR/stubborn.py]}\n  - {name: web, count: 2}\n"
    farm = farms(servers=3, config=config)
    (farm.directory / "stubborn.py").write_text(STUBBORN_PROGRAM.replace("$DIR", str(farm.directory)))
    (farm.directory / "go").touch()
    farm.start()
    farm.act(2, "stop")
    old = farm.pids()[1]
    farm.process.send_signal(signal.SIGTERM)
    wait_for(lambda: " stopping=1 " in (farm.state_dir / "state").read_text(), what="the stop being recorded")
    farm.kill()
    assert alive(old)
    farm.start()
    assert not alive(old)
    assert farm.events(reason="Adopted") == []
    assert [entry["restarts"] for entry in farm.servers().values()] == [0, 0, 0]
    farm.act(1, "kill")  # it would take its time
    ends_well(farm)


@ENFORCE
def test_an_unrecorded_process_is_swept(farms, flags):  # noqa: F811
    farm = farms(servers=2, flags=flags).start()
    old = kill(farm)
    (farm.state_dir / "state").unlink()
    farm.start()
    new = farm.pids()
    assert [entry["pid"] for entry in old.values() if alive(entry["pid"])] == []
    assert not set(new.values()) & {entry["pid"] for entry in old.values()}
    ends_well(farm)


def test_counters_of_others_are_removed(farms):  # noqa: F811
    farm = farms(servers=2).start()
    kill(farm)
    [directory] = farm.runtime_dir.glob("*/counters")
    assert sorted(path.name for path in directory.iterdir()) == ["server-1", "server-2"]
    (directory / "server-77").write_bytes(b"x")
    farm.start()
    assert sorted(path.name for path in directory.iterdir()) == ["server-1", "server-2"]
    assert farmlib.request(farm.port, "GET", "/").status == 200
    ends_well(farm)
