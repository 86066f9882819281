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
from farmlib import SANITIZED, process_kb, wait_for

SERVERS = 50
FAULTS = int(os.environ.get("FARMD_STORM_FAULTS", "200"))
SEED = int(os.environ.get("FARMD_STORM_SEED", random.randrange(1 << 32)))
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


def test_storm(farm):
    kinds = [kind for kind in storm.KINDS if kind != "oom" or farm.server(1)["limits"]["memory_mb"] is not None]
    fill_events(farm)
    wait_for(lambda: is_settled(farm), what="every server probed and measured")
    open_before, mapped_before, family = descriptors(farm), mappings(farm), len(farm.processes())
    memory_before = process_kb(farm.process.pid, "VmRSS")
    weather = storm.Storm(farm, SEED, FAULTS, kinds)
    print(f"FARMD_STORM_SEED={SEED} FARMD_STORM_FAULTS={FAULTS}")
    began = time.monotonic()
    weather.run()
    took = time.monotonic() - began

    assert farm.get("/api/health")["unhealthy"] == 0
    assert all(farm.worker(server_id).status == 200 for server_id in weather.victims)
    assert len(farm.processes()) == family, "no double, no orphan"

    told, done, begun = weather.reasons, weather.kinds, weather.total("begun")
    assert {reason: told[reason] for reason in storm.TOLD} == {reason: weather.total("expected")[reason] for reason in storm.TOLD}
    assert (told["OOMKilled"], told["LivenessFailed"], told["Completed"]) == (done["oom"], done["freeze"], done["exit_0"])
    assert told["Crashed"] == sum(begun[kind] for kind in ("kill", "segv", "exit_1", "steal_port"))
    assert told["PortTaken"] >= done["steal_port"]
    assert sum(entry["restarts"] for entry in farm.servers().values()) == told["Started"]

    wait_for(lambda: is_settled(farm) and descriptors(farm) <= open_before, what=f"no more than {open_before} descriptors")
    memory = process_kb(farm.process.pid, "VmRSS")
    print(f"{FAULTS} faults in {took:.1f} s: {dict(done)}; farmd's memory {memory_before} KB, then {memory} KB")
    assert SANITIZED or (memory - memory_before < 1536 and mappings(farm) - mapped_before < 10)
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []
