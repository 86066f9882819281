"""CPU limits and reservations, measured by what the kernel counted and by the work that got done."""

import contextlib
import mmap
import os
import pathlib
import signal
import struct
import subprocess
import sys
import time

import pytest

import farmd_process
from cgrouplib import SERVE, burning, cpu_seconds, kernel_limits, needs_root, periods, preferred, wait_window
from farmd_process import cgroup_directories
from farmlib import wait_for

pytestmark = needs_root

WEB, IDLE, FIRST, SECOND = 1, 2, 3, 4

# In a machine that counts its time in instructions nothing disturbs a measurement; elsewhere others want the CPU too.
UNDISTURBED = bool(os.environ.get("FARMD_VM_BOOT"))
PRECISION, THROTTLED, WINDOW = (0.05, 0.95, 5) if UNDISTURBED else (0.1, 0.5, 3)
TRIES = 1 if UNDISTURBED else 6
SHARE_TRIES = 3 if UNDISTURBED else 6  # one window of four was seen 10 % off in the virtual machine, cause not known

CONFIG = """
groups:
  - name: web
    count: 2
  - name: counters
    count: 2
    command: [python3, $DIR/count.py]
"""

# Counts equal pieces of work, about a millisecond each, into a file together with the CPU time it has used so far (ns).
COUNT = """
import mmap, os, struct, sys, time
page = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 4096)
done = 0
while True:
    for _ in range(20000):
        pass
    done += 1
    struct.pack_into("=QQ", page, 0, done, time.process_time_ns())
"""

COUNT_PROGRAM = SERVE + """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
threading.Thread(target=server.serve_forever, daemon=True).start()
signal.sigwait([signal.SIGUSR1])
sys.argv[1:] = [os.path.join(os.path.dirname(__file__), "work-" + os.environ["SERVER_ID"])]
""" + COUNT


class Work:
    """The file that a counter counts into."""

    def __init__(self, path):
        path.write_bytes(bytes(4096))
        path.chmod(0o666)
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)

    def read(self):
        """(pieces done, CPU seconds used)."""
        done, nanoseconds = struct.unpack_from("=QQ", self.page)
        return done, nanoseconds / 1e9


@pytest.fixture(scope="module")
def farm():
    one = farmd_process.Farmd(servers=4, config=CONFIG)
    (one.directory / "count.py").write_text(COUNT_PROGRAM)
    for server_id in (FIRST, SECOND):
        Work(one.directory / f"work-{server_id}")
    try:
        yield one.start()
        assert one.stop() == 0, one.errors()
        assert one.leftovers() == []
    finally:
        one.clean()


@contextlib.contextmanager
def counting(farm, server_id, cpu=None):
    """A counter counts, pinned to one CPU or not; yields its pid and its work."""
    work = Work(farm.directory / f"work-{server_id}")
    pid = farm.wait_status(server_id, "running")["pid"]
    if cpu is not None:
        os.sched_setaffinity(pid, {cpu})
    os.kill(pid, signal.SIGUSR1)
    try:
        wait_for(lambda: work.read()[0] > 0, what="the first piece of work")
        yield pid, work
    finally:
        farm.act(server_id, "kill")
        farm.wait_status(server_id, "running")


def cores_of(pid, seconds):
    """CPU seconds per second over a window of at least `seconds`; a delay between the readings makes it less, not more."""
    began = time.monotonic()
    used = cpu_seconds(pid)
    wait_window(seconds)
    return (cpu_seconds(pid) - used) / (time.monotonic() - began)


def assert_cores_near(pid, cores):
    """Never above its limit; on a busy machine a window may bring less than it could have had, so it has some tries."""
    seen = []
    for _ in range(4):
        seen.append(cores_of(pid, WINDOW))
        assert seen[-1] <= cores * 1.1, f"{seen} of {cores}"
        if seen[-1] >= cores * 0.9:
            return
    raise AssertionError(f"{seen} of {cores}")


def test_cpu_is_limited_and_the_limit_changes_live(farm):
    pid = farm.server(WEB)["pid"]
    with preferred(pid), burning(farm, WEB, 60):
        wait_for(lambda: farm.server(WEB)["throttled_percent"] > 0, what="throttling")
        assert_cores_near(pid, 0.5)

        def shown():
            entry = farm.server(WEB)
            return 80 <= entry["cpu_percent"] <= 120 and 20 <= entry["throttled_percent"] <= 100

        wait_for(shown, what="CPU and throttling in the API")
        wait_for(lambda: farm.worker(WEB, path="/health").json()["status"] == "degraded", what="degraded")
        assert farm.server(IDLE)["throttled_percent"] < 20

        since = farm.last_event()
        answer = farm.patch(f"/api/servers/{WEB}", {"cpu": 0.25})
        assert answer["limits"]["cpu"] == 0.25
        assert kernel_limits(pid)["cpu"] == 0.25
        assert_cores_near(pid, 0.25)
        wait_for(lambda: 80 <= farm.server(WEB)["cpu_percent"] <= 120, what="CPU of the new limit")
        assert farm.events(since, "LimitsChanged", WEB)
        assert farm.server(WEB)["pid"] == pid, "the change must not restart"
        assert farm.server(IDLE)["limits"]["cpu"] == 0.5
    # a restart keeps what was set for this server
    entry = farm.wait_status(WEB, "running")
    assert kernel_limits(entry["pid"])["cpu"] == 0.25
    farm.patch(f"/api/servers/{WEB}", {"cpu": 0.5})


def measure(pid, work, seconds):
    """What a counter got in a window: cores as the kernel counts, as it counts itself, pieces done, part throttled."""
    began = time.monotonic()
    used, (done, own), (all_before, throttled_before) = cpu_seconds(pid), work.read(), periods(pid)
    wait_window(seconds)
    after, (done_after, own_after), (all_after, throttled) = cpu_seconds(pid), work.read(), periods(pid)
    took = time.monotonic() - began
    part = (throttled - throttled_before) / max(1, all_after - all_before)
    return {"cores": (after - used) / took, "own": (own_after - own) / took, "pieces": (done_after - done) / took,
            "throttled": part}


def test_burner_gets_its_share_of_work_and_no_more(farm):
    """Half a core is half the work: what a piece costs is found out just before, without a limit that it could feel."""
    def near(cores):
        return abs(cores - 0.5) <= 0.5 * PRECISION

    with counting(farm, FIRST) as (pid, work), preferred(pid):
        seen = []
        for _ in range(TRIES):
            farm.patch(f"/api/servers/{FIRST}", {"cpu": 4})
            free = measure(pid, work, 2)
            farm.patch(f"/api/servers/{FIRST}", {"cpu": 0.5})
            wait_window(0.2)  # the period in which the limit came
            held = measure(pid, work, WINDOW)
            held["worked"] = held["pieces"] / (free["pieces"] / free["own"])
            seen.append({key: round(value, 3) for key, value in held.items()})
            assert held["cores"] <= 0.5 * (1 + PRECISION), seen
            if near(held["cores"]) and near(held["own"]) and near(held["worked"]) and held["throttled"] >= THROTTLED:
                return
        raise AssertionError(seen)


def pieces_ratio(one, other, seconds=WINDOW):
    before = one.read()[0], other.read()[0]
    wait_window(seconds)
    after = one.read()[0], other.read()[0]
    return (after[0] - before[0]) / max(1, after[1] - before[1])


def assert_ratio_near(one, other, wanted):
    """Without its reservation, or that of the slice, it would be 1. Outside the virtual machine 5.3 of 4 was seen once in six
    windows running, cause not known; in it a tenth is all that is allowed."""
    seen = []
    for _ in range(SHARE_TRIES):
        seen.append(round(pieces_ratio(one, other), 2))
        if abs(seen[-1] / wanted - 1) <= (0.1 if UNDISTURBED else 0.5):
            return
    raise AssertionError(f"{seen} of {wanted}")


@contextlib.contextmanager
def reserving(farm, cores):
    """Servers with these CPU reservations, and no limit that they could feel."""
    for server_id, reservation in cores.items():
        farm.patch(f"/api/servers/{server_id}", {"cpu": 4, "cpu_reservation": reservation})
    try:
        yield
    finally:
        for server_id in cores:
            farm.patch(f"/api/servers/{server_id}", {"cpu": 0.5, "cpu_reservation": 0.1})


def test_reservations_share_a_contended_cpu(farm):
    cpu = min(os.sched_getaffinity(0))
    with reserving(farm, {FIRST: 0.8, SECOND: 0.2}):
        with counting(farm, FIRST, cpu) as (_, one), counting(farm, SECOND, cpu) as (_, other):
            assert_ratio_near(one, other, 4)


@contextlib.contextmanager
def stranger(place, directory, cpu):
    """Another program that counts, in a cgroup of the kernel's default weight."""
    place.mkdir()
    work = Work(directory / "work-stranger")

    def enter():
        (place / "cgroup.procs").write_text(str(os.getpid()))
        os.sched_setaffinity(0, {cpu})

    process = subprocess.Popen([sys.executable, "-c", COUNT, str(directory / "work-stranger")], preexec_fn=enter)
    try:
        wait_for(lambda: work.read()[0] > 0, what="the stranger's first piece of work")
        yield work
    finally:
        process.kill()
        process.wait()
        place.rmdir()


def test_reservations_hold_against_other_programs(farm):
    """They would count for nothing if the slice weighed no more than one program, whatever its servers reserve."""
    cpu = min(os.sched_getaffinity(0))
    places = cgroup_directories(farm.server(FIRST)["pid"])
    above = places.get("cpu", places.get("")).parent.parent
    with reserving(farm, {FIRST: 2, SECOND: 1.8}):
        name = pathlib.Path(f"stranger-{os.getpid()}")
        with stranger(above / name, farm.directory, cpu) as other, counting(farm, FIRST, cpu) as (_, one):
            assert_ratio_near(one, other, 4)
