"""What every host that the test machine is booted as must give: the right enforcement, said once, and servers that live."""

import os
import pathlib
import signal

import pytest

import boots
from farmd_process import alive, cgroup_directories, farms, running  # noqa: F401 (a fixture)
from farmlib import DEADLINE, wait_for

EXPECTED = boots.BOOTS[os.environ["FARMD_VM_BOOT"]].enforcement


def test_hosts_enforcement_is_what_the_kernel_has(farms):  # noqa: F811
    farm = farms(servers=3).start()
    listing = farm.get("/api/servers")
    assert listing["enforcement"] == EXPECTED
    assert listing["limits_in_force"] == dict.fromkeys(("cpu", "memory", "pids"), EXPECTED != "none")
    told = farm.output() + farm.errors()
    if EXPECTED == "none":
        assert "not in force" in listing["enforcement_warning"]
        assert told.count("limits are not in force") == 1, told
        assert told.count("fix: ") == 1
    else:
        assert "enforcement_warning" not in listing
        assert "not in force" not in told
    for entry in listing["servers"]:
        in_force = {key: entry["limits"][key] for key in ("cpu", "memory_mb", "pids")}
        wanted = {"cpu": 0.5, "memory_mb": 256, "pids": 128}
        assert in_force == (dict.fromkeys(wanted) if EXPECTED == "none" else wanted)
        assert entry["limits_configured"]["cpu"] == 0.5
        if EXPECTED != "none":
            places = cgroup_directories(entry["pid"])
            assert {place.name for name, place in places.items() if name != "" or EXPECTED == "cgroup2"} == {entry["name"]}
    assert farm.stop() == 0
    assert farm.leftovers() == []


def test_hosts_required_enforcement_starts_or_says_why(farms):  # noqa: F811
    farm = farms(servers=1, flags=["--enforce", "required"])
    farm.start(wait=EXPECTED != "none")
    if EXPECTED == "none":
        assert farm.process.wait(DEADLINE) == 2
        assert farm.errors().startswith("farmd: enforcement is required"), farm.errors()
        assert "farmd doctor" in farm.errors()
    else:
        assert farm.get("/api/servers")["enforcement"] == EXPECTED
        assert farm.stop() == 0
    assert farm.leftovers() == []


def test_hosts_servers_live_and_die():
    with running(servers=5) as farm:
        before = farm.servers()
        for server_id in before:
            assert farm.worker(server_id).status == 200
        os.kill(before[1]["pid"], signal.SIGKILL)
        after = farm.wait_restarted(1, before[1])
        assert after["restarts"] == 1
        farm.act(2, "restart")
        farm.wait_restarted(2, before[2])
        farm.act(3, "stop")
        assert not alive(before[3]["pid"])
        assert farm.server(3)["status"] == "stopped"
        farm.act(3, "start")
        farm.wait_status(3, "running")
        farm.act(4, "pause")
        assert farm.server(4)["status"] == "paused"
        farm.act(4, "resume")
        wait_for(lambda: farm.worker(4).status == 200, what="the resumed server's answer")
        assert (farm.server(4)["pid"], farm.server(5)["pid"]) == (before[4]["pid"], before[5]["pid"])


@pytest.mark.skipif(not os.environ.get("FARMD_VM_WRAPPER"), reason="no wrapper here")
def test_hosts_wrapper_is_in_force():
    with running(servers=1) as farm:
        own = pathlib.Path(f"/proc/{farm.process.pid}")
        if os.environ["FARMD_VM_WRAPPER"] == "no-clone3":
            assert "Seccomp:\t2\n" in (own / "status").read_text()
        else:
            assert "/no_cgroup_kill.so" in (own / "maps").read_text()
