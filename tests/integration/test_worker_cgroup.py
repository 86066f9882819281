"""farm-worker in a control group with limits: its figures are those of its own group."""

import contextlib
import os
import pathlib
import signal
import time

import pytest

import farmlib
from farmlib import wait_for

LIMIT_MB = 64
LIMIT_CORES = 0.2


def own_groups():
    """{controller: directory} of this process, v1 hierarchies under their own name, v2 as ''."""
    paths = {}
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    groups = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        root, point = left.split()[3:5]
        names = options.split(",") if kind == "cgroup" else [""] if kind == "cgroup2" else []
        for name in names:
            if name in paths and root == "/":
                groups.setdefault(name, pathlib.Path(point + paths[name]))
    return groups


def write_limits(groups):
    """Limits, and precedence over whatever else this machine does, so that all that they let it have is to be had."""
    if "memory" in groups:
        (groups["memory"] / "memory.limit_in_bytes").write_text(str(LIMIT_MB << 20))
        (groups["cpu"] / "cpu.shares").write_text("262144")
        (groups["cpu"] / "cpu.cfs_period_us").write_text("100000")
        (groups["cpu"] / "cpu.cfs_quota_us").write_text(str(int(LIMIT_CORES * 100000)))
    else:
        (groups[""] / "cpu.weight").write_text("10000")
        (groups[""] / "memory.max").write_text(str(LIMIT_MB << 20))
        (groups[""] / "cpu.max").write_text(f"{int(LIMIT_CORES * 100000)} 100000")


@pytest.fixture
def limited(start):
    """Starts a worker in a group of its own below this process's."""
    own = own_groups()
    wanted = ["cpu", "cpuacct", "memory"] if "memory" in own else [""]
    groups = {}
    workers = []
    with contextlib.ExitStack() as stack:
        try:
            for controller in wanted:
                directory = own[controller] / f"farmd-test-{os.getpid()}-{os.urandom(3).hex()}"
                directory.mkdir()
                stack.callback(remove, directory)
                groups[controller] = directory
            write_limits(groups)
        except (OSError, KeyError) as error:
            pytest.skip(f"no control group can be made here: {error}")

        def join():
            for directory in set(groups.values()):
                (directory / "cgroup.procs").write_text("0")

        def start_limited(**kwargs):
            workers.append(start(preexec_fn=join, **kwargs))
            return workers[-1]

        yield start_limited
        for worker in workers:
            worker.kill()


def remove(directory):
    def gone():
        with contextlib.suppress(OSError):  # busy for a moment after its last process
            directory.rmdir()
        return not directory.exists()

    wait_for(gone, what=f"the end of {directory}")


def test_memory_is_that_of_the_group(limited):
    worker = limited()
    memory = worker.get("/metrics").json()["memory"]
    assert memory["total_mb"] == LIMIT_MB
    assert 0 < memory["used_mb"] < LIMIT_MB / 2
    assert memory["percent"] == pytest.approx(100 * memory["used_mb"] / LIMIT_MB, abs=0.05)
    with farmlib.connect(worker.port) as s:
        s.sendall(b"POST /simulate-load?cpu_duration=600&memory_mb=55 HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: worker.get("/metrics").json()["memory"]["percent"] > 80, what="the held memory")
        wait_for(lambda: worker.get("/health").json()["status"] == "degraded", what="degraded by memory")


def test_cpu_is_that_of_the_group(limited):
    worker = limited()
    assert worker.get("/health").json()["status"] == "healthy"
    # a processor kept busy outside the group is none of its business
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        pass
    assert worker.get("/metrics").json()["cpu"]["percent"] < 20
    with farmlib.connect(worker.port) as s:
        s.sendall(b"POST /simulate-load?cpu_duration=600&memory_mb=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: worker.get("/metrics").json()["cpu"]["percent"] > 80, what="all of a fifth of a processor")
        wait_for(lambda: worker.get("/health").json()["status"] == "degraded", what="degraded by CPU")


def test_memory_past_the_limit_ends_the_worker(limited):
    worker = limited()
    with farmlib.connect(worker.port) as s:
        s.sendall(b"POST /simulate-load?cpu_duration=600&memory_mb=200 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert worker.process.wait(farmlib.DEADLINE) == -signal.SIGKILL
