"""farmd is killed: its servers go on, and the next farmd takes them over."""

import os
import signal

import pytest

from farmd_process import alive, farms  # noqa: F401
from farmlib import wait_for

ENFORCE = pytest.mark.parametrize("flags", [[], ["--enforce", "none"]], ids=["enforced", "none"])


def recorded(farm, condition):
    """Until the state file says so; it is written soon after each change."""
    def is_so():
        try:
            text = (farm.state_dir / "state").read_text()
        except FileNotFoundError:
            return False
        return text if condition(text) else False

    return wait_for(is_so, what="the state being recorded")


def recorded_running(farm):
    """Until every server is recorded as running in its process."""
    pids = farm.pids()

    def all_run(text):
        lines = [line.split() for line in text.splitlines() if line.startswith("server ")]
        found = {int(line[1]) for line in lines if line[3] == "running" and f"pid={pids[int(line[1])]}" in line}
        return found == set(pids)

    return recorded(farm, all_run)


@ENFORCE
def test_servers_go_on_under_the_next_farmd(farms, flags):  # noqa: F811
    farm = farms(servers=3, flags=flags).start()
    os.kill(farm.pids()[2], signal.SIGKILL)
    farm.wait_event("Ready", 2, farm.wait_event("Crashed", 2)["id"])
    recorded_running(farm)
    before = farm.servers()
    farm.kill()
    assert all(alive(entry["pid"]) for entry in before.values()), "the servers outlive a killed farmd"
    farm.start()
    after = farm.servers()
    for server_id, entry in after.items():
        for key in ("pid", "port", "started_at", "restarts", "last_exit", "limits"):
            assert entry[key] == before[server_id][key], key
        assert entry["uptime_seconds"] >= before[server_id]["uptime_seconds"]
    assert [event["server_id"] for event in farm.events(reason="Adopted")] == [1, 2, 3, None]
    assert farm.events(reason="Started") == []
    assert "  adopted     3 servers in " in farm.output()
    assert all(farm.worker(i).status == 200 for i in after)
    assert farm.stop() == 0
    assert farm.leftovers() == []


@ENFORCE
def test_an_unrecorded_process_is_swept(farms, flags):  # noqa: F811
    farm = farms(servers=2, flags=flags).start()
    old = farm.pids()
    farm.kill()
    (farm.state_dir / "state").unlink()
    farm.start()
    assert [pid for pid in old.values() if alive(pid)] == []
    assert not set(farm.pids().values()) & set(old.values())
    assert farm.stop() == 0
    assert farm.leftovers() == []
