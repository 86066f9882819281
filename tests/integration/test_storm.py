"""Storms of faults over a farm of 50 that retries at once: afterwards every server serves, every counter tells what was
done, and farmd is as large as before. FARMD_STORM_SEED repeats one, FARMD_STORM_FAULTS makes it longer."""

import os
import pathlib
import random
import time

import pytest

import farmd_process
import farmlib
import storm
import storm_of_farmd
from farmlib import SANITIZED, process_kb, wait_for

SERVERS = 50
FAULTS = int(os.environ.get("FARMD_STORM_FAULTS", "200"))
SEED = int(os.environ.get("FARMD_STORM_SEED", random.randrange(1 << 32)))
KILLS = int(os.environ.get("FARMD_STORM_KILLS", "5"))  # of farmd
EVENTS_KEPT = 4096


@pytest.fixture
def farm():
    one = farmd_process.Farmd(servers=SERVERS, config=storm.config(SERVERS, 20 if os.environ.get("SLOW_MACHINE") else 10))
    one.install_worker()
    wrapper = one.directory / "wrapper"
    wrapper.write_text(storm.WRAPPER.replace("$DIR", str(one.directory)))
    wrapper.chmod(0o755)
    try:
        yield one.start()
    finally:
        one.clean()


def descriptors(farm):
    return len(os.listdir(f"/proc/{farm.process.pid}/fd"))


def mappings(farm):
    return pathlib.Path(f"/proc/{farm.process.pid}/maps").read_text().count("\n")


def is_settled(farm):
    """Whether every server has been probed and measured, so that all is open for it that will be."""
    return all(entry["health"] == "healthy" and entry.get("memory_mb", 0) > 0 for entry in farm.servers().values())


def fill_events(farm):
    """The ring of events takes its memory with its first round; then it is as large as it ever will be."""
    while farm.last_event() <= EVENTS_KEPT:
        for action in ("pause", "resume"):
            farm.post("/api/servers/action", {"ids": "all", "action": action})


class Before:
    """What farmd takes of the machine when every server is up, and must take no more of after a storm."""

    def __init__(self, farm):
        fill_events(farm)
        wait_for(lambda: is_settled(farm), what="every server probed and measured")
        self.farm, self.family = farm, len(farm.processes())
        self.descriptors, self.mappings = descriptors(farm), mappings(farm)
        self.memory = process_kb(farm.process.pid, "VmRSS")

    def expect_again(self):
        farm = self.farm
        assert farm.get("/api/health")["unhealthy"] == 0
        assert all(farm.worker(server_id).status == 200 for server_id in farm.servers())
        assert len(farm.processes()) == self.family, "no double, no orphan"
        wait_for(lambda: is_settled(farm) and descriptors(farm) <= self.descriptors,
                 what=f"no more than {self.descriptors} descriptors")
        memory = process_kb(farm.process.pid, "VmRSS")
        print(f"farmd's memory {self.memory} KB, then {memory} KB; {self.descriptors} descriptors")
        assert SANITIZED or (memory - self.memory < 1536 and mappings(farm) - self.mappings < 10)


def kinds(farm):
    return [kind for kind in storm.KINDS if kind != "oom" or farm.server(1)["limits"]["memory_mb"] is not None]


def blow(weather):
    print(f"\nFARMD_STORM_SEED={SEED} FARMD_STORM_FAULTS={FAULTS}")
    began = time.monotonic()
    weather.run()
    print(f"{weather.kinds.total()} faults in {time.monotonic() - began:.1f} s: {dict(weather.kinds)}")


def test_storm(farm):
    before = Before(farm)
    weather = storm.Storm(farm, SEED, FAULTS, kinds(farm))
    blow(weather)

    told, done, begun = weather.reasons, weather.kinds, weather.total("begun")
    assert {reason: told[reason] for reason in storm.TOLD} == {reason: weather.total("expected")[reason] for reason in storm.TOLD}
    assert (told["OOMKilled"], told["LivenessFailed"], told["Completed"]) == (done["oom"], done["freeze"], done["exit_0"])
    assert told["Crashed"] == sum(begun[kind] for kind in ("kill", "segv", "exit_1", "steal_port"))
    assert told["PortTaken"] >= done["steal_port"]
    assert sum(entry["restarts"] for entry in farm.servers().values()) == told["Started"]

    before.expect_again()
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []


def test_storm_in_which_farmd_is_killed(farm):
    before = Before(farm)
    weather = storm_of_farmd.StormOfFarmd(farm, SEED, FAULTS // 2, kinds(farm), KILLS)
    blow(weather)
    assert not weather.kill_at and weather.adopted > 0
    print(f"farmd killed {KILLS} times, {weather.adopted} adoptions of servers that nothing had happened to")
    before.expect_again()
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []
