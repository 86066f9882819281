"""Limits and isolation as the kernel shows them: what the API claims is read back, burnt, allocated and forked against."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import threading
import time

import pytest

import farmd_process
import farmlib
from farmd_process import NOBODY, alive, cgroup_directories, environment_of, farms  # noqa: F401
from farmlib import DEADLINE, process_kb, wait_for

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="cgroups need root here")

WEB, BOMB, STUBBORN = (1, 2, 3), 4, 5

CONFIG = """
groups:
  - name: web
    count: 3
  - name: bomb
    count: 1
    pids: 48
    stop_grace: 1s
    command: [python3, $DIR/bomb.py]
  - name: stubborn
    count: 1
    stop_grace: 5s
    command: [python3, $DIR/stubborn.py]
"""

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

# Every process forks without end. It begins when it is told to, so that the farm is up before it.
BOMB_PROGRAM = SERVE + """
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
threading.Thread(target=server.serve_forever, daemon=True).start()
signal.sigwait([signal.SIGUSR1])
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.2)
"""

# A grandchild in a session of its own, away from its parent, that takes no polite signal.
STUBBORN_PROGRAM = SERVE + """
import signal, time
if os.fork() == 0:
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    server.server_close()
    if os.fork() != 0:
        os._exit(0)
    while True:
        time.sleep(1000)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def farm():
    one = farmd_process.Farmd(servers=5, config=CONFIG)
    (one.directory / "bomb.py").write_text(BOMB_PROGRAM)
    (one.directory / "stubborn.py").write_text(STUBBORN_PROGRAM)
    try:
        yield one.start()
        assert one.stop() == 0, one.errors()
        assert one.leftovers() == []
    finally:
        one.clean()


def read(path):
    return pathlib.Path(path).read_text().strip()


def kernel_limits(pid):
    """The limits of a process as its cgroups have them, in the API's units."""
    places = cgroup_directories(pid)
    if "memory" not in places:
        place = places[""]
        quota, period = read(place / "cpu.max").split()
        return {
            "cpu": int(quota) / int(period),
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
    lines = dict(line.split() for line in read(places[""] / "cpu.stat").splitlines())
    return int(lines["usage_usec"]) / 1e6


def cpu_used(pid, seconds=3.0):
    """CPU seconds per second of a server over a window of at least `seconds`."""
    used, began = cpu_seconds(pid), time.monotonic()
    wait_for(lambda: time.monotonic() - began >= seconds, what="the window")
    return (cpu_seconds(pid) - used) / (time.monotonic() - began)


def assert_cpu_near(pid, cores):
    """Never above its limit; on a busy machine a window may bring less than it could have had, so it has some tries."""
    seen = []
    for _ in range(4):
        seen.append(cpu_used(pid))
        assert seen[-1] <= cores * 1.1, f"{seen} of {cores}"
        if seen[-1] >= cores * 0.9:
            return
    raise AssertionError(f"{seen} of {cores}")


def members(entry):
    """Every pid in a server's cgroup."""
    places = cgroup_directories(entry["pid"])
    return [int(pid) for pid in read(places.get("pids", places.get("")) / "cgroup.procs").split()]


@contextlib.contextmanager
def burning(farm, server_id, seconds):
    """A server burns CPU; the request may be cut off by its end."""
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


@needs_root
def test_limits_are_those_of_the_kernel(farm):
    listing = farm.get("/api/servers")
    assert listing["enforcement"] in ("cgroup1", "cgroup2")
    assert listing["limits_in_force"] == {"cpu": True, "memory": True, "pids": True}
    assert "enforcement_warning" not in listing
    for entry in listing["servers"]:
        expected = kernel_limits(entry["pid"])
        assert {key: entry["limits"][key] for key in expected} == pytest.approx(expected)
        assert entry["limits"]["cpu"] == 0.5
        assert entry["limits"]["memory_mb"] == 256
        assert entry["limits"]["cpu_reservation"] == 0.1
        assert entry["limits"]["memory_reservation_mb"] == 128
        assert entry["limits"]["pids"] == (48 if entry["id"] == BOMB else 128)
        assert entry["limits_configured"] == entry["limits"]


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


@needs_root
def test_cpu_is_limited_and_the_limit_changes_live(farm):
    server_id = WEB[0]
    pid = farm.server(server_id)["pid"]
    with preferred(pid), burning(farm, server_id, 60):
        wait_for(lambda: farm.server(server_id)["throttled_percent"] > 0, what="throttling")
        assert_cpu_near(pid, 0.5)

        def shown():
            entry = farm.server(server_id)
            return 80 <= entry["cpu_percent"] <= 120 and 20 <= entry["throttled_percent"] <= 100

        wait_for(shown, what="CPU and throttling in the API")
        wait_for(lambda: farm.worker(server_id, path="/health").json()["status"] == "degraded", what="degraded")
        assert farm.server(WEB[1])["throttled_percent"] < 20

        since = farm.last_event()
        answer = farm.patch(f"/api/servers/{server_id}", {"cpu": 0.25})
        assert answer["limits"]["cpu"] == 0.25
        assert kernel_limits(pid)["cpu"] == 0.25
        assert_cpu_near(pid, 0.25)
        wait_for(lambda: 80 <= farm.server(server_id)["cpu_percent"] <= 120, what="CPU of the new limit")
        assert farm.events(since, "LimitsChanged", server_id)
        assert farm.server(server_id)["pid"] == pid, "the change must not restart"
        assert farm.server(WEB[1])["limits"]["cpu"] == 0.5
    # a restart keeps what was set for this server
    entry = farm.wait_status(server_id, "running")
    assert kernel_limits(entry["pid"])["cpu"] == 0.25
    farm.patch(f"/api/servers/{server_id}", {"cpu": 0.5})


@needs_root
def test_memory_limit_shrinks_and_grows_live(farm):
    entry = farm.server(WEB[2])
    for megabytes in (64, 512, 256):
        answer = farm.patch(f"/api/servers/{WEB[2]}", {"memory_mb": megabytes, "memory_reservation_mb": 32})
        assert answer["limits"]["memory_mb"] == megabytes
        assert kernel_limits(entry["pid"])["memory_mb"] == megabytes
    assert farm.server(WEB[2])["pid"] == entry["pid"]


@needs_root
def test_pressure_of_a_server_where_the_kernel_tells(farm):
    server_id = WEB[0]
    places = cgroup_directories(farm.server(server_id)["pid"])
    if "memory" in places or not (places[""] / "cpu.pressure").exists():
        assert farm.get(f"/api/servers/{server_id}")["pressure"] is None
        return
    with burning(farm, server_id, 60):
        def waits():
            return farm.get(f"/api/servers/{server_id}")["pressure"]["cpu"]["some"]["avg10"] > 5

        wait_for(waits, what="a server at its limit waiting for the CPU")
        pressure = farm.get(f"/api/servers/{server_id}")["pressure"]
    assert pressure["cpu"]["some"]["total_us"] > 0
    assert set(pressure) == {"cpu", "memory", "io"}
    assert pressure["memory"]["full"] == {"avg10": 0, "avg60": 0, "avg300": 0, "total_us": 0}
    quiet = farm.get(f"/api/servers/{WEB[2]}")["pressure"]
    assert quiet["cpu"]["some"]["total_us"] < pressure["cpu"]["some"]["total_us"]
    farm.act(WEB[2], "stop")
    assert farm.get(f"/api/servers/{WEB[2]}")["pressure"] is None
    farm.act(WEB[2], "start")
    farm.wait_status(WEB[2], "running")


@needs_root
def test_slice_carries_what_its_servers_reserve(farm):
    """A reservation counts only within that of the cgroup above: it has the sum, and never less than any other program."""
    places = cgroup_directories(farm.server(WEB[0])["pid"])
    default = {"cpu.shares": 1024, "cpu.weight": 100, "memory.low": 0}
    files = [("cpu", "cpu.shares")] if "cpu" in places else [("", "cpu.weight"), ("", "memory.low")]

    def assert_carried(is_sum):
        for controller, file in files:
            above = places[controller].parent
            parts = [int(read(leaf / file)) for leaf in above.glob("server-*")]
            assert int(read(above / file)) == max(sum(parts), default[file]), (file, parts)
            assert file == "memory.low" or (sum(parts) > default[file]) == is_sum

    assert_carried(False)
    for server_id in WEB:
        farm.patch(f"/api/servers/{server_id}", {"cpu_reservation": 0.5, "memory_reservation_mb": 64})
    assert_carried(True)
    farm.act(WEB[1], "stop")
    assert_carried(True)
    farm.act(WEB[1], "start")
    farm.wait_status(WEB[1], "running")
    assert_carried(True)
    for server_id in WEB:
        farm.patch(f"/api/servers/{server_id}", {"cpu_reservation": 0.1, "memory_reservation_mb": 128})
    assert_carried(False)


@needs_root
def test_memory_limit_below_what_is_used_is_refused(farm):
    entry = farm.server(BOMB)
    wait_for(lambda: farm.server(BOMB)["memory_mb"] > 6, what="its memory in the API")
    detail = farm.patch(f"/api/servers/{BOMB}", {"memory_mb": 4, "memory_reservation_mb": 0}, status=409)["detail"]
    assert re.search(r"server-4 uses [0-9.]+ MB, more than 4 MB", detail), detail
    after = farm.server(BOMB)
    assert (after["pid"], after["oom_kills"], after["limits"]) == (entry["pid"], entry["oom_kills"], entry["limits"])
    assert kernel_limits(entry["pid"])["memory_mb"] == 256
    if "memory" not in cgroup_directories(entry["pid"]):
        assert read(cgroup_directories(entry["pid"])[""] / "memory.high") == "max"


@needs_root
def test_memory_past_the_limit_is_an_oom_kill(farm):
    server_id = WEB[1]
    since, before = farm.last_event(), farm.servers()
    with pytest.raises(OSError):
        response = farm.worker(server_id, "POST", "/simulate-load?cpu_duration=30&memory_mb=400")
        raise AssertionError(f"answered {response.status}")

    event = farm.wait_event("OOMKilled", server_id, since)
    assert event["warning"] is True
    assert "256 MB" in event["message"]
    after = farm.wait_restarted(server_id, before[server_id])
    assert after["restarts"] == before[server_id]["restarts"] + 1
    assert after["last_exit"]["reason"] == "OOMKilled"
    assert after["last_exit"]["oom_killed"] is True
    assert after["last_exit"]["signal"] == signal.SIGKILL
    assert after["last_exit"]["exit_code"] is None
    wait_for(lambda: farm.server(server_id)["oom_kills"] == before[server_id]["oom_kills"] + 1, what="one OOM kill counted")
    assert farm.worker(server_id).status == 200
    assert not farm.events(since, "Crashed")
    for other, entry in farm.servers().items():
        if other != server_id:
            assert (entry["pid"], entry["restarts"]) == (before[other]["pid"], before[other]["restarts"])


@needs_root
def test_allocation_within_the_limit_is_none(farm):
    before = farm.server(WEB[2])
    assert farm.worker(WEB[2], "POST", "/simulate-load?cpu_duration=0.1&memory_mb=150").status == 200
    after = farm.server(WEB[2])
    assert (after["pid"], after["oom_kills"]) == (before["pid"], before["oom_kills"])


@needs_root
def test_fork_bomb_stays_inside(farm):
    entry, others = farm.server(BOMB), farm.pids()
    place = cgroup_directories(entry["pid"])
    pids = place.get("pids", place.get(""))
    os.kill(entry["pid"], signal.SIGUSR1)
    try:
        wait_for(lambda: int(read(pids / "pids.current")) == 48, what="the bomb filling its room")
        refused = lambda: int(read(pids / "pids.events").split()[1]) > 10  # noqa: E731
        wait_for(refused, what="forks refused by the kernel")
        for server_id in WEB:
            began = time.monotonic()
            assert farm.worker(server_id).status == 200
            assert time.monotonic() - began < 2
        assert int(read(pids / "pids.current")) <= 48
        wait_for(lambda: farm.server(BOMB)["pids"] >= 47, what="the API showing the processes")
    finally:
        inside = members(entry)
        farm.act(BOMB, "stop")
    assert len(inside) > 20
    assert [pid for pid in inside if alive(pid)] == []
    farm.act(BOMB, "start")
    del others[BOMB]
    assert {k: v for k, v in farm.pids().items() if k != BOMB} == others


@needs_root
@pytest.mark.parametrize("ending", ["stop", "kill", "restart", "signal"])
def test_grandchildren_die_with_their_server(farm, ending):
    entry = farm.wait_status(STUBBORN, "running")
    wait_for(lambda: len(members(entry)) == 2, what="the grandchild")
    family = members(entry)
    [grandchild] = [pid for pid in family if pid != entry["pid"]]
    wait_for(lambda: os.getsid(grandchild) != os.getsid(entry["pid"]), what="the grandchild leaving the session")
    if ending == "signal":
        os.kill(entry["pid"], signal.SIGKILL)
    else:
        farm.act(STUBBORN, ending)
    wait_for(lambda: not alive(grandchild), what="the grandchild's end")
    wait_for(lambda: farm.server(STUBBORN)["pid"] != entry["pid"], what="farmd knowing it")
    if ending == "stop":
        assert farm.server(STUBBORN)["status"] == "stopped"
        assert not any(environment_of(pid).get("SERVER_ID") == str(STUBBORN) for pid in farm.processes())
        farm.act(STUBBORN, "start")
    wait_for(lambda: farm.server(STUBBORN)["status"] == "running", what="running again")


# --- isolation ---


def status_of(pid):
    lines = (line.partition(":") for line in read(f"/proc/{pid}/status").splitlines())
    return {key: value.split() for key, _, value in lines}


@needs_root
def test_servers_run_without_privileges(farm):
    own_name = os.stat("/proc/self/ns/uts").st_ino
    seen = set()
    for server_id, entry in farm.servers().items():
        status = status_of(entry["pid"])
        assert set(status["Uid"]) == set(status["Gid"]) == {str(NOBODY)}
        assert status["Groups"] in ([], [str(NOBODY)])
        assert status["NoNewPrivs"] == ["1"]
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[kind][0], 16) == 0, kind
        if server_id in WEB and not farmlib.SANITIZED:
            assert status["Seccomp"] == ["2"]
            assert farm.worker(server_id).json()["hostname"] == f"server-{server_id}"
        seen.add(os.stat(f"/proc/{entry['pid']}/ns/uts").st_ino)
    assert own_name not in seen and len(seen) == 5, "each has a host name of its own"


def descriptors(pid):
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return found


@needs_root
def test_nothing_is_inherited_but_what_is_needed(farm):
    ours = set(descriptors(farm.process.pid).values())
    shared_kinds = ("socket:", "pipe:")
    for server_id in (WEB[0], STUBBORN):
        entry = farm.wait_status(server_id, "running")
        fds = descriptors(entry["pid"])
        log = str(farm.state_dir / "logs" / f"server-{server_id}.log")
        assert (fds[0], fds[1], fds[2]) == ("/dev/null", log, log)
        shared = {fd: target for fd, target in fds.items() if target.startswith(shared_kinds) and target in ours}
        if server_id == STUBBORN:
            # between two probes: while one is answered there is its connection too
            fds = wait_for(lambda: len(now := descriptors(entry["pid"])) == 5 and now, what=f"no more than these: {fds}")
            sockets = [target for target in fds.values() if target.startswith("socket:")]
            assert len(sockets) == 1, fds
            # the readiness pipe, which it does not know and so leaves open
            assert len(shared) == 1, fds
            assert list(shared.values())[0].startswith("pipe:")
        else:
            assert shared == {}


# --- without root ---


def binaries_for_anyone(farm):
    """farmd and farm-worker where an unprivileged user gets at them."""
    farm.install_worker()
    target = farm.directory / "farmd"
    shutil.copy(os.path.realpath(farmd_process.FARMD), target)
    target.chmod(0o755)
    os.chown(farm.directory, NOBODY, NOBODY)
    return str(target)


@needs_root
def test_without_root_it_says_so_once_and_runs(farms):  # noqa: F811
    farm = farms(servers=3)
    farm.start(program=binaries_for_anyone(farm), user=NOBODY, group=NOBODY, extra_groups=[])
    listing = farm.get("/api/servers")
    assert listing["enforcement"] == "none"
    assert listing["limits_in_force"] == {"cpu": False, "memory": False, "pids": False}
    assert "not in force" in listing["enforcement_warning"]
    for entry in listing["servers"]:
        assert entry["limits"]["cpu"] is None and entry["limits"]["memory_mb"] is None
        assert entry["limits_configured"]["cpu"] == 0.5
    told = farm.output() + farm.errors()
    assert told.count("limits are not in force: this user may not create cgroups") == 1
    assert told.count("fix: systemd-run --user --scope -p Delegate=yes") == 1
    assert "limits are not in force" in farm.errors()
    assert farm.output().splitlines()[0].endswith(" · 3 servers, limits not in force"), "no figures that do not hold"

    before = farm.server(1)
    os.kill(before["pid"], signal.SIGKILL)
    farm.wait_restarted(1, before)
    assert farm.stop() == 0
    assert farm.leftovers() == []


@needs_root
def test_required_enforcement_without_root_does_not_start(farms):  # noqa: F811
    farm = farms(servers=3, flags=["--enforce", "required"])
    farm.start(wait=False, program=binaries_for_anyone(farm), user=NOBODY, group=NOBODY, extra_groups=[])
    assert farm.process.wait(DEADLINE) == 2
    assert farm.errors().count("\n") == 1
    assert farm.errors().startswith("farmd: enforcement is required")
    assert "Started" not in farm.output()
    assert farm.leftovers() == []


@pytest.fixture
def delegated():
    """A cgroup in v2, or in every v1 hierarchy, that belongs to nobody; yields the files to join them by."""
    own = cgroup_directories(os.getpid())
    controllers = ("cpu", "cpuacct", "memory", "pids", "freezer", "blkio")
    if "memory" in own:
        places = {own[name] / f"delegated-{os.getpid()}" for name in controllers if name in own}
    elif "memory" in read(own[""] / "cgroup.controllers").split():
        (own[""] / "cgroup.subtree_control").write_text("+cpu +memory +pids")
        places = {own[""] / f"delegated-{os.getpid()}"}
    else:
        pytest.skip("no controllers here")
    for place in places:
        place.mkdir()
        for path in (place, place / "cgroup.procs", place / "tasks", place / "cgroup.subtree_control"):
            if path.exists():
                os.chown(path, NOBODY, NOBODY)
    yield [place / "cgroup.procs" for place in places]
    for place in places:
        for inner in sorted(place.glob("**/"), reverse=True):
            inner.rmdir()


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv")
def test_delegated_subtree_of_a_user_is_enforced(farms, delegated):  # noqa: F811
    farm = farms(servers=2)
    program = binaries_for_anyone(farm)
    join = "".join(f"echo $$ > {path}; " for path in delegated)
    drop = f'exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups -- "$@"'
    farm.start(program=program, prefix=["sh", "-c", join + drop, "sh"])
    assert status_of(farm.process.pid)["Uid"][0] == str(NOBODY)
    listing = farm.get("/api/servers")
    assert listing["enforcement"] == ("cgroup1" if "memory" in cgroup_directories(os.getpid()) else "cgroup2")
    assert "enforcement_warning" not in listing
    for entry in listing["servers"]:
        expected = kernel_limits(entry["pid"])
        assert expected["cpu"] == 0.5 and expected["memory_mb"] == 256
        assert {key: entry["limits"][key] for key in expected} == pytest.approx(expected)
    before = farm.server(1)
    with pytest.raises(OSError):
        farm.worker(1, "POST", "/simulate-load?cpu_duration=30&memory_mb=400")
    assert farm.wait_restarted(1, before)["last_exit"]["reason"] == "OOMKilled"
    assert farm.stop() == 0
    assert farm.leftovers() == []


def test_enforcement_can_be_switched_off(farms):  # noqa: F811
    farm = farms(servers=2, flags=["--enforce", "none"]).start()
    listing = farm.get("/api/servers")
    assert listing["enforcement"] == "none"
    own = cgroup_directories(os.getpid())
    assert cgroup_directories(listing["servers"][0]["pid"]) == own
    assert process_kb(listing["servers"][0]["pid"], "VmRSS") > 0
    family = farm.processes()
    assert farm.stop() == 0
    assert [pid for pid in family if alive(pid)] == []
    assert farm.leftovers() == []


@needs_root
def test_no_descriptor_of_the_starter_reaches_a_server(farms):  # noqa: F811
    read_end, write_end = os.pipe()
    farm = farms(servers=1)
    try:
        farm.start(pass_fds=[write_end])
        target = os.readlink(f"/proc/self/fd/{write_end}")
        assert target in descriptors(farm.process.pid).values()
        assert target not in descriptors(farm.pids()[1]).values()
    finally:
        os.close(read_end)
        os.close(write_end)
    assert farm.stop() == 0
