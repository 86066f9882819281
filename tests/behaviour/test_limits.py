"""Limits: those in force are those that are told, and they can be changed."""

import os
import signal

from farmlib import wait_for
from watching import reasons, wait_answer


def told(entry, key="limits"):
    return {name: entry[key][name] for name in ("cpu", "memory_mb", "pids")}


def test_limits_are_in_force(bed, farm):
    def in_force():
        return all(bed.limits(farm, i) == told(entry) == {"cpu": 0.5, "memory_mb": 256, "pids": 128}
                   for i, entry in farm.servers().items())

    wait_for(in_force, what="the limits of the settings, by the runtime's word and by farmd's")
    assert farm.worker(1, path="/metrics").json()["memory"]["total_mb"] > 0


def test_limits_change(bed, farm):
    since, before = farm.last_event(), bed.runs(farm)
    for wanted in ({"cpu": 0.25, "memory_mb": 300, "pids": 100}, {"cpu": 0.5, "memory_mb": 256, "pids": 128}):
        farm.patch("/api/servers/1", wanted)
        assert told(farm.server(1), "limits_configured") == wanted

        def changed():
            entry = farm.server(1)
            return entry["status"] == "running" and told(entry) == wanted and 1 in bed.runs(farm) and \
                bed.limits(farm, 1) == wanted  # noqa: B023

        wait_for(changed, what="the new limits being in force")
    after = bed.runs(farm)
    assert (after[1] != before[1]) == bed.differs("limits_replace")
    assert {**after, 1: 0} == {**before, 1: 0}
    assert not {"Crashed", "Completed", "Killed", "ExitUnknown"} & set(reasons(farm, 1, since))
    wait_answer(farm, 1)


def test_limits_of_settings_that_are_read_anew(bed, farm_of):
    settings = "groups: [{{name: a, count: 1, cpu: {cpu}, memory: {memory}M, pids: 128}}]\n"
    farm = farm_of(servers=1, config=settings.format(cpu=0.5, memory=256)).start()
    farm.write_config(settings.format(cpu=0.25, memory=300))
    os.kill(farm.process.pid, signal.SIGHUP)
    wait_for(lambda: farm.events(reason="Reloaded") or farm.events(reason="ReloadFailed"), what="their being read")
    assert not farm.events(reason="ReloadFailed")
    wanted = {"cpu": 0.25, "memory_mb": 300, "pids": 128}
    wait_for(lambda: farm.server(1)["status"] == "running" and told(farm.server(1)) == wanted and
             bed.limits(farm, 1) == wanted, what="the new limits being in force")
