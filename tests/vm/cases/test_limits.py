"""Limits on cgroup v2 to the figure, and what only cgroup v2 has."""

import contextlib
import os
import pathlib

import pytest

import farmd_process
from cgrouplib import SERVE, fields
from farmd_process import alive, cgroup_directories
from farmlib import wait_for

SERVERS = 6
GREEDY = SERVERS
CACHE = 40 << 20

# A child of a child takes more than there is; both ancestors only wait.
GREEDY_PROGRAM = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.sigwait([signal.SIGUSR1])
        taken = [b"x" * (1 << 20) for _ in range(400)]
    signal.pause()
""" + SERVE + "server.serve_forever()\n"

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


@pytest.fixture
def cached(farm):
    """Two servers whose cgroups hold as much page cache: {id: its memory.stat}."""
    places = {server_id: place_of(farm, server_id) for server_id in (1, 2)}
    pid = os.fork()
    if pid == 0:
        for server_id, place in places.items():
            (place / "cgroup.procs").write_text(str(os.getpid()))
            (farm.directory / f"cache-{server_id}").write_bytes(bytes(CACHE))
        os.sync()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    return {server_id: place / "memory.stat" for server_id, place in places.items()}


def test_limits_reserved_memory_is_taken_last(farm, cached):
    """The kernel takes back as much as one of them has, as when the machine runs out of memory."""
    farm.patch("/api/servers/1", {"memory_reservation_mb": 128})
    farm.patch("/api/servers/2", {"memory_reservation_mb": 0})
    assert all(fields(stat)["file"] >= CACHE for stat in cached.values())
    with contextlib.suppress(OSError):  # a few pages less are no matter
        pathlib.Path("/sys/fs/cgroup/memory.reclaim").write_text(str(CACHE))
    left = {server_id: fields(stat)["file"] for server_id, stat in cached.items()}
    assert left[1] >= CACHE * 0.9 and left[2] <= CACHE * 0.1, left
