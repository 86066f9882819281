"""Ends that nobody asked for, and what follows: crash, OOM kill, hang, restart policies and profiles."""

import contextlib
import http.client
import os
import signal

import pytest

from differences import PROFILES
from farmd_process import run_farmd
from farmlib import DEADLINE, wait_for
from watching import reasons, wait_answer, wait_back, when

HANGS = """
servers:
  stop_grace: 1s
  probes:
    startup: {interval: 100ms}
    liveness: {interval: 200ms, timeout: 1s, start_period: 0s, retries: 2}
    readiness: {interval: 200ms, timeout: 1s, start_period: 0s, retries: 1}
"""


def test_a_crash_is_told_and_restarted(bed, farm):
    crashing = [server_id for server_id, _ in bed.places(farm)]
    for server_id in crashing:
        farm.act(server_id, "restart")  # no failures are remembered
    before, since, runs = farm.servers(), farm.last_event(), bed.runs(farm)
    for server_id in crashing:
        os.kill(runs[server_id], signal.SIGKILL)
    for server_id in crashing:
        after = wait_back(farm, server_id, before[server_id])
        assert after["restarts"] == before[server_id]["restarts"] + 1
        assert after["last_exit"] == {"reason": "Crashed", "exit_code": None, "signal": 9, "oom_killed": False,
                                      "at": after["last_exit"]["at"]}
        assert reasons(farm, server_id, since) == ["Crashed", "Started", "Ready"]
        assert bool(farm.events(since, "BackOff", server_id)) == bed.differs("first_restart_waits")
        wait_answer(farm, server_id)
    now = bed.runs(farm)
    assert set(now) == {1, 2, 3} and all((now[i] != runs[i]) == (i in crashing) for i in runs)


def test_an_end_by_itself_is_no_crash(bed, farm):
    before, since = farm.server(2), farm.last_event()
    os.kill(bed.runs(farm)[2], signal.SIGTERM)
    after = wait_back(farm, 2, before)
    assert (after["last_exit"]["reason"], after["last_exit"]["exit_code"]) == ("Completed", 0)
    assert reasons(farm, 2, since) == ["Completed", "Started", "Ready"]


def test_memory_past_the_limit_is_an_oom_kill(bed, farm):
    places, before, since = bed.places(farm), farm.servers(), farm.last_event()
    for server_id, _ in places:
        with contextlib.suppress(OSError, http.client.HTTPException):  # it dies without an answer
            farm.worker(server_id, "POST", "/simulate-load?memory_mb=400&cpu_duration=0", timeout=20)
    for server_id, here in places:
        after = wait_back(farm, server_id, before[server_id])
        reason = "OOMKilled" if here else bed.differs("oom_kill_elsewhere")
        assert after["last_exit"]["reason"] == reason
        assert after["last_exit"]["oom_killed"] == (reason == "OOMKilled")
        assert after["oom_kills"] == before[server_id]["oom_kills"] + (reason == "OOMKilled")
        assert after["restarts"] == before[server_id]["restarts"] + 1
        assert reasons(farm, server_id, since) == [reason, "Started", "Ready"]
        wait_answer(farm, server_id)


def test_what_is_within_the_limit_is_none(farm):
    before = farm.server(1)
    assert farm.worker(1, "POST", "/simulate-load?memory_mb=100&cpu_duration=0").status == 200
    assert farm.server(1)["started_at"] == before["started_at"]


def test_one_that_hangs_is_replaced(bed, farm_of):
    farm = farm_of(servers=2, config=HANGS).start()
    before, since, runs = farm.server(1), farm.last_event(), bed.runs(farm)
    os.kill(runs[1], signal.SIGSTOP)
    event = farm.wait_event("LivenessFailed", 1, since)
    assert event["warning"] and "2 probes" in event["message"]
    after = wait_back(farm, 1, before)
    assert after["last_exit"]["reason"] == "LivenessFailed"
    assert after["restarts"] == before["restarts"] + 1
    wait_for(lambda: farm.server(1)["health"] == "healthy", what="its health")
    assert bed.runs(farm)[2] == runs[2]


def test_restart_policies(bed, farm_of):
    farm = farm_of(servers=2, config="groups: [{name: never, count: 1, restart: never}, "
                                     "{name: failure, count: 1, restart: on-failure}]\n").start()
    never, failure = 1, 2
    os.kill(bed.runs(farm)[never], signal.SIGKILL)
    entry = farm.wait_status(never, "stopped")
    assert (entry["restarts"], entry["last_exit"]["reason"], entry["next_restart_at"]) == (0, "Crashed", None)
    assert never not in bed.runs(farm)

    before = farm.server(failure)
    os.kill(bed.runs(farm)[failure], signal.SIGKILL)
    after = wait_back(farm, failure, before)
    assert after["restarts"] == 1
    os.kill(bed.runs(farm)[failure], signal.SIGTERM)
    entry = farm.wait_status(failure, "stopped")
    assert (entry["restarts"], entry["last_exit"]["reason"]) == (1, "Completed")

    for server_id in (never, failure):
        farm.act(server_id, "start")
        wait_answer(farm, server_id)


def test_a_profile_waits_and_gives_up(bed, farm_of):
    profile, waits, counts_earlier = bed.differs("gives_up")
    farm = farm_of(servers=1)
    program = bed.failing(farm)
    farm.write_config(f"servers: {{restart_profile: {profile}, count: 1, {program}}}\n")
    farm.start(wait=False)
    entry = wait_for(lambda: _entry(farm, "failed"), deadline=2 * DEADLINE, what="giving up")
    assert (entry["last_exit"]["reason"], entry["last_exit"]["exit_code"]) == ("Crashed", 2)
    assert entry["next_restart_at"] is None
    assert entry["restarts"] == len(waits)
    told = farm.events(reason="BackOff")
    seen = [when(event["next_try_at"]) - when(event["at"]) for event in told]
    assert len(seen) == len(waits)
    assert all((counts_earlier and 0 < left <= wait) or abs(left - wait) < 0.05 for left, wait in zip(seen, waits)), seen
    tries = [when(event["next_try_at"]) for event in told]
    assert all(b - a >= wait for a, b, wait in zip(tries, tries[1:], waits[1:])), tries
    assert farm.events(reason="GaveUp", server_id=1)
    assert bed.runs(farm) == {}


def _entry(farm, status):
    assert farm.process.poll() is None, farm.errors()
    with contextlib.suppress(OSError):
        entry = farm.server(1)
        return entry if entry["status"] == status else None
    return None


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_are_taken_or_refused(bed, tmp_path, profile):
    done = run_farmd("check", "--runtime", bed.runtime, "--restart-profile", profile, directory=tmp_path)
    if profile in bed.differs("profiles"):
        assert done.returncode == 0, done.stderr
        assert f"restart_profile: {profile}\n" in done.stdout
    else:
        assert done.returncode == 2 and f"cannot do it as {profile} does" in done.stderr
