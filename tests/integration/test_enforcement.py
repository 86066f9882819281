"""Limits as the kernel shows them: what the API claims is read back, allocated, forked, frozen and killed against."""

import os
import pathlib
import re
import signal
import time

import pytest

import farmd_process
from cgrouplib import SERVE, burning, cpu_seconds, fields, kernel_limits, members, needs_root, read, wait_window
from farmd_process import alive, cgroup_directories, environment_of
from farmlib import wait_for

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


@needs_root
def test_limits_change_live(farm):
    entry = farm.server(WEB[2])
    rounds = (
        {"cpu": 0.25, "cpu_reservation": 0.2, "memory_mb": 64, "memory_reservation_mb": 32, "pids": 20},
        {"cpu": 1.5, "cpu_reservation": 0.75, "memory_mb": 512, "memory_reservation_mb": 256, "pids": 300},
        {"cpu": 0.5, "cpu_reservation": 0.1, "memory_mb": 256, "memory_reservation_mb": 128, "pids": 128},
    )
    for wanted in rounds:
        answer = farm.patch(f"/api/servers/{WEB[2]}", wanted)
        assert answer["limits"] == wanted
        assert kernel_limits(entry["pid"]) == pytest.approx(wanted)
    assert farm.server(WEB[2])["pid"] == entry["pid"]


@needs_root
def test_a_paused_server_uses_no_cpu(farm):
    entry = farm.server(WEB[0])
    places = cgroup_directories(entry["pid"])
    frozen = (places["freezer"] / "freezer.state", "FROZEN") if "freezer" in places else (
        places[""] / "cgroup.freeze", "1")
    with burning(farm, WEB[0], 60):
        used = cpu_seconds(entry["pid"])
        wait_for(lambda: cpu_seconds(entry["pid"]) > used, what="the burner")
        farm.act(WEB[0], "pause")
        wait_for(lambda: read(frozen[0]) == frozen[1], what="all of it frozen")
        if "freezer" not in places:
            wait_for(lambda: fields(places[""] / "cgroup.events")["frozen"] == 1, what="all of it frozen")
        used = cpu_seconds(entry["pid"])
        wait_window(0.5)
        assert cpu_seconds(entry["pid"]) == used
        farm.act(WEB[0], "resume")
        wait_for(lambda: cpu_seconds(entry["pid"]) > used, what="the burner going on")


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
            assert time.monotonic() - began < 5
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
