"""Limits on cgroup v2 to the figure: what the kernel counted, not what farmd says of it."""

import contextlib
import os
import pathlib
import threading
import time

import pytest

import farmd_process
from farmd_process import alive, cgroup_directories
from farmlib import wait_for

SERVERS = 6
GREEDY = SERVERS

# A child of a child takes more than there is; both ancestors only wait.
GREEDY_PROGRAM = """
import http.server, os, signal, threading

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.sigwait([signal.SIGUSR1])
        taken = [b"x" * (1 << 20) for _ in range(400)]
    signal.pause()
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
server.serve_forever()
"""

CONFIG = f"""
groups:
  - name: web
    count: {SERVERS - 1}
  - name: greedy
    count: 1
    command: [python3, $DIR/greedy.py]
"""


@pytest.fixture(scope="module")
def farm():
    one = farmd_process.Farmd(servers=SERVERS, config=CONFIG)
    (one.directory / "greedy.py").write_text(GREEDY_PROGRAM)
    try:
        yield one.start()
        assert one.stop() == 0, one.errors()
        assert one.leftovers() == []
    finally:
        one.clean()


def place_of(farm, server_id):
    return cgroup_directories(farm.server(server_id)["pid"])[""]


def fields(path):
    return {key: int(value) for key, value in (line.split() for line in path.read_text().splitlines())}


@contextlib.contextmanager
def burning(farm, server_id):
    def ask():
        with contextlib.suppress(OSError):
            farm.worker(server_id, "POST", "/simulate-load?cpu_duration=60&memory_mb=0", timeout=200)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        farm.act(server_id, "kill")
        thread.join()


def test_limits_hold_a_burner_to_half_a_core(farm):
    place = place_of(farm, 1)
    with burning(farm, 1):
        wait_for(lambda: fields(place / "cpu.stat")["nr_throttled"] > 5, what="throttling")
        seen = []
        # Emulated, a CPU of the machine is itself a thread among others: a window in which it had no time counts for nothing.
        for _ in range(4):
            before, began = fields(place / "cpu.stat"), time.monotonic()
            wait_for(lambda: time.monotonic() - began >= 5, what="the window")
            after, seconds = fields(place / "cpu.stat"), time.monotonic() - began
            used = (after["usage_usec"] - before["usage_usec"]) / 1e6 / seconds
            periods = after["nr_periods"] - before["nr_periods"]
            throttled = (after["nr_throttled"] - before["nr_throttled"]) / periods
            seen.append((round(used, 3), periods, round(throttled, 3)))
            assert used <= 0.525, seen
            if used >= 0.475 and throttled >= 0.95:
                break
        else:
            raise AssertionError(seen)


def test_limits_of_the_leaf_and_the_slice(farm):
    place = place_of(farm, 2)
    wanted = {
        "cpu.max": "50000 100000", "cpu.weight": "10", "memory.max": str(256 << 20), "memory.low": str(128 << 20),
        "memory.oom.group": "1", "pids.max": "128",
    }
    if (place / "memory.swap.max").exists():
        wanted["memory.swap.max"] = "0"
    assert {name: (place / name).read_text().strip() for name in wanted} == wanted
    assert not (place / "cgroup.procs").stat().st_mode & 0o022
    assert (place / "cgroup.procs").stat().st_uid == 0


def test_limits_pause_is_the_freezer(farm):
    place = place_of(farm, 3)
    farm.act(3, "pause")
    assert (place / "cgroup.freeze").read_text() == "1\n"
    wait_for(lambda: fields(place / "cgroup.events")["frozen"] == 1, what="all of it frozen")
    farm.act(3, "resume")
    assert (place / "cgroup.freeze").read_text() == "0\n"
    assert farm.worker(3).status == 200


def test_limits_out_of_memory_takes_the_whole_group(farm):
    place, before, since = place_of(farm, GREEDY), farm.server(GREEDY), farm.last_event()
    pids = lambda: [int(pid) for pid in (place / "cgroup.procs").read_text().split()]  # noqa: E731
    wait_for(lambda: len(pids()) == 3, what="the family")
    family = pids()
    for pid in family:
        if pid != before["pid"]:
            os.kill(pid, 10)  # those that wait for it block it, the one that takes memory takes it
    farm.wait_event("OOMKilled", GREEDY, since)
    after = farm.wait_restarted(GREEDY, before)
    assert [pid for pid in family if alive(pid)] == []
    assert after["last_exit"]["reason"] == "OOMKilled"
    assert after["oom_kills"] == before["oom_kills"] + 1
    assert farm.worker(GREEDY).status == 200


def test_limits_charge_a_server_and_never_farmd(farm):
    """Each process of a server is in its group as soon as it is there: it is seen in no other one."""
    own = cgroup_directories(farm.process.pid)[""]
    inside = set((own / "cgroup.procs").read_text().split())
    strays, done = set(), threading.Event()

    def watch():
        while not done.is_set():
            for pid in set((own / "cgroup.procs").read_text().split()) - inside:
                with contextlib.suppress(OSError):
                    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    if int(stat[1]) == farm.process.pid:
                        strays.add(pid)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(5):
            before = farm.server(4)
            farm.act(4, "restart")
            farm.wait_restarted(4, before)
    finally:
        done.set()
        watcher.join()
    assert strays == set()
