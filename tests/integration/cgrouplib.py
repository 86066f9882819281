"""The cgroups of servers as the kernel shows them, for the tests of what is enforced."""

import contextlib
import os
import pathlib
import threading
import time

import pytest

from farmd_process import cgroup_directories
from farmlib import wait_for

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="cgroups need root here")

# The beginning of a server in Python that answers every GET.
SERVE = """
import http.server, os, threading

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
"""


def read(path):
    return pathlib.Path(path).read_text().strip()


def fields(path):
    """{key: number} of a file with a pair in each line."""
    return {key: int(value) for key, value in (line.split() for line in read(path).splitlines())}


def kernel_limits(pid):
    """The limits of a process as its cgroups have them, in the API's units."""
    places = cgroup_directories(pid)
    if "memory" not in places:
        place = places[""]
        quota, period = read(place / "cpu.max").split()
        return {
            "cpu": int(quota) / int(period),
            "cpu_reservation": int(read(place / "cpu.weight")) / 100,
            "memory_mb": int(read(place / "memory.max")) / 2**20,
            "memory_reservation_mb": int(read(place / "memory.low")) / 2**20,
            "pids": int(read(place / "pids.max")),
        }
    cpu, memory = places["cpu"], places["memory"]
    return {
        "cpu": int(read(cpu / "cpu.cfs_quota_us")) / int(read(cpu / "cpu.cfs_period_us")),
        "cpu_reservation": round(int(read(cpu / "cpu.shares")) / 1024, 2),
        "memory_mb": int(read(memory / "memory.limit_in_bytes")) / 2**20,
        "memory_reservation_mb": int(read(memory / "memory.soft_limit_in_bytes")) / 2**20,
        "pids": int(read(places["pids"] / "pids.max")),
    }


def cpu_seconds(pid):
    places = cgroup_directories(pid)
    if "cpuacct" in places:
        return int(read(places["cpuacct"] / "cpuacct.usage")) / 1e9
    return fields(places[""] / "cpu.stat")["usage_usec"] / 1e6


def wait_window(seconds):
    """Lets at least `seconds` go by and returns how many did."""
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began >= seconds, deadline=seconds + 1, what="the window")
    return time.monotonic() - began


def periods(pid):
    """(periods of the CPU limit in which the server ran, those of them in which it was throttled)."""
    places = cgroup_directories(pid)
    found = fields(places.get("cpu", places.get("")) / "cpu.stat")
    return found["nr_periods"], found["nr_throttled"]


def members(entry):
    """Every pid in a server's cgroup."""
    places = cgroup_directories(entry["pid"])
    return [int(pid) for pid in read(places.get("pids", places.get("")) / "cgroup.procs").split()]


@contextlib.contextmanager
def burning(farm, server_id, seconds):
    """A server burns CPU until it is killed at the end, which may cut the request off; then it runs again."""
    def ask():
        with contextlib.suppress(OSError):
            farm.worker(server_id, "POST", f"/simulate-load?cpu_duration={seconds}&memory_mb=0", timeout=seconds * 2 + 30)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        farm.act(server_id, "kill")
        thread.join()
        farm.wait_status(server_id, "running")


@contextlib.contextmanager
def preferred(pid):
    """Before whatever else this machine does, so that a server gets all that its own limit lets it have."""
    places = cgroup_directories(pid)
    carried, most = (places["cpu"].parent / "cpu.shares", "262144") if "cpu" in places else (
        places[""].parent / "cpu.weight", "10000")
    before = carried.read_text()
    carried.write_text(most)
    try:
        yield
    finally:
        carried.write_text(before)
