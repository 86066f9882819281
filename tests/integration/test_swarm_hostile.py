"""A manager of a Swarm that is slow, fails, stalls or answers with half of it; always the in-tree fake, since a real one
cannot be told to."""

import contextlib
import pathlib
import shutil
import tempfile
import time

import pytest

import farmlib
from fake_swarm import FAR, SwarmEngine
from farmlib import wait_for
from swarmlib import SwarmFarm

TASKS, CREATE, UPDATE, SERVICE = "/tasks", "/services/create", "/services/[^/]+/update", "/services/[^/]+"


@pytest.fixture
def engine():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="farmd-engine-"))
    made = SwarmEngine(directory).start()
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def farm_of(engine):
    with contextlib.ExitStack() as stack:
        def make(*args, **kwargs):
            farm = SwarmFarm(engine, *args, **kwargs)
            stack.callback(farm.clean)
            return farm

        yield make


def end(farm):
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []


def limits_of(entry, key="limits"):
    return entry[key]["cpu"], entry[key]["memory_mb"], entry[key]["pids"]


def test_limits_in_force_are_those_of_the_task_that_runs(farm_of, engine):
    """Between the change of a service and its next task; of one on another node Swarm's word is all there is."""
    farm = farm_of(servers=2).start()
    far = farm.at(FAR)
    before, new = (0.5, 256, 128), (0.25, 300, 100)
    wait_for(lambda: limits_of(farm.server(far)) == before, what="the limits of the settings")
    engine.at_work.clear()
    answer = farm.patch(f"/api/servers/{far}", {"cpu": 0.25, "memory_mb": 300, "pids": 100})
    told = farm.server(far)
    assert engine.service(f"server-{far}").spec["TaskTemplate"]["Resources"]["Limits"]["NanoCPUs"] == 250_000_000
    for entry in (answer, told):
        assert limits_of(entry) == before
        assert limits_of(entry, "limits_configured") == new
    assert "is replaced to have 0.25 CPU" in farm.wait_event("LimitsChanged", far)["message"]
    engine.at_work.set()
    wait_for(lambda: farm.server(far)["status"] == "running" and limits_of(farm.server(far)) == new,
             what="the new limits being in force")
    end(farm)


def test_a_restart_that_failed_before_its_turn_is_the_last_when_swarm_says_so(farm_of, engine):
    """farmd waits for its own timer then: it must not push Swarm past the attempts that it allows."""
    farm = farm_of(servers=1).start()
    updates = farm.updates()
    farm.task(1).container.process.kill()
    farm.wait_event("BackOff", 1)
    engine.fail_for_good("server-1")
    entry = farm.wait_status(1, "failed")
    assert (entry["last_exit"]["reason"], entry["restarts"]) == ("StartFailed", 1)
    assert "it was told to" in farm.wait_event("GaveUp", 1)["message"]
    assert farm.updates() == updates
    farm.act(1, "start")  # by hand it may
    farm.wait_ready()
    end(farm)


def test_a_stop_before_its_next_try_holds(farm_of, engine):
    farm = farm_of(servers=1).start()
    farm.task(1).container.process.kill()
    farm.wait_event("BackOff", 1)
    farm.act(1, "stop")
    assert farm.server(1)["status"] == "stopped"
    wait_for(lambda: engine.service("server-1").wanted == 0, what="Swarm being told")
    wait_for(lambda: all(task.is_over for task in engine.tasks), what="its next task being taken back")
    assert farm.server(1)["status"] == "stopped"
    farm.act(1, "start")
    farm.wait_ready()
    end(farm)


@pytest.mark.parametrize("what", [500, "drop", "cut"])
def test_a_start_that_fails_is_tried_again(farm_of, engine, what):
    """Also one that was done and whose answer was lost: it is found by its name."""
    engine.misbehave("POST", CREATE, what)
    farm = farm_of(servers=2).start(wait=False)
    wait_for(farm._all_run, what="every server running")
    assert len(engine.services) == 2
    end(farm)


def test_a_service_of_somebody_else_is_left_alone(farm_of, engine):
    """With the name of one whose creation was not answered."""
    farm = farm_of(servers=1)
    other = {"Name": "server-1", "Labels": {}, "EndpointSpec": {"Ports": []}, "Mode": {"Replicated": {"Replicas": 0}},
             "TaskTemplate": {"ContainerSpec": {"Labels": {}}}}
    engine.add_service(other)
    engine.misbehave("POST", CREATE, "drop")
    farm.start(wait=False)
    wait_for(lambda: _is_told(farm, "already exists"), what="its being told")
    assert farm.stop() == 0
    assert [service.spec for service in engine.services.values()] == [other]


def _is_told(farm, words):
    with contextlib.suppress(OSError):
        return any(words in event["message"] for event in farm.events(server_id=1))
    return False


@pytest.mark.parametrize("what", [500, "drop", "cut"])
def test_a_stop_that_swarm_does_not_take_at_first_is_done(farm_of, engine, what):
    farm = farm_of(servers=1).start()
    engine.misbehave("POST", UPDATE, what)
    farm.act(1, "stop")
    assert farm.server(1)["status"] == "stopped"
    assert engine.service("server-1").wanted == 0
    end(farm)


def test_limits_that_swarm_refuses_are_not_told_as_set(farm_of, engine):
    farm = farm_of(servers=1).start()
    before, task = farm.server(1), farm.task(1)
    engine.misbehave("POST", UPDATE, (400, "invalid cpu value"))
    answer = farm.request("PATCH", "/api/servers/1", {"cpu": 0.25})
    assert answer.status >= 400 and "invalid cpu value" in answer.json()["detail"]
    assert farm.server(1)["limits_configured"] == before["limits_configured"]
    assert not farm.events(reason="LimitsChanged")
    service = engine.service("server-1")
    wait_for(lambda: service.index > 1, what="the limits of before being put back")
    assert service.spec["TaskTemplate"]["Resources"]["Limits"]["NanoCPUs"] == 500_000_000
    assert farm.task(1) is task
    farm.patch("/api/servers/1", {"cpu": 0.25})
    wait_for(lambda: farm.task(1) not in (None, task), what="its being replaced")
    farm.wait_ready()
    end(farm)


def test_a_removal_that_fails_is_tried_again(farm_of, engine):
    farm = farm_of(servers=2).start()
    engine.misbehave("DELETE", SERVICE, 500)
    farm.post("/api/scale", {"servers": 1})
    wait_for(lambda: len(engine.services) == 1, what="the second service being removed")
    farm.post("/api/scale", {"servers": 2})
    farm.wait_ready()
    end(farm)


@pytest.mark.parametrize("path", [TASKS, "/nodes"])
@pytest.mark.parametrize("what", [500, "drop", (200, "no list")])
def test_a_list_that_is_none_ends_no_server(farm_of, engine, path, what):
    farm = _goes_on(farm_of, engine, lambda: engine.misbehave("GET", path, what, times=2))
    assert "cannot be asked" in farm.errors() + farm.output()


def test_half_a_list_ends_no_server(farm_of, engine):
    _goes_on(farm_of, engine, lambda: engine.misbehave("GET", TASKS, "cut", times=2))


def test_a_list_without_a_task_that_runs_ends_no_server(farm_of, engine):
    """As a manager gives it that has just come up."""
    _goes_on(farm_of, engine, lambda: engine.forget_tasks(times=2))


def _goes_on(farm_of, engine, disturb):
    farm = farm_of(servers=2).start()
    before = farm.servers()
    listed = engine.requests.count(("GET", TASKS)) + 4
    disturb()
    wait_for(lambda: engine.requests.count(("GET", TASKS)) >= listed and not engine.disturbed,
             what="the lists of afterwards")
    farm.wait_ready()
    for server_id, entry in farm.servers().items():
        assert (entry["started_at"], entry["restarts"]) == (before[server_id]["started_at"], 0)
        wait_for(lambda i=server_id: farm.server(i)["limits"]["cpu"] == 0.5, what="its limits being known")
        wait_for(lambda i=server_id: _answers(farm, i), what="an answer")
    assert not farm.events(reason="Crashed") and not farm.events(reason="ExitUnknown")
    end(farm)
    return farm


def _answers(farm, server_id):
    with contextlib.suppress(OSError):
        return farm.worker(server_id).status == 200
    return False


def test_a_manager_that_stalls_is_noticed(farm_of, engine):
    farm = farm_of(servers=2).start()
    engine.misbehave("GET", TASKS, "stall")
    wait_for(lambda: "cannot be asked" in farm.errors() + farm.output(), what="the stall being noticed")
    began = time.monotonic()
    health = farm.get("/api/health")
    assert health["unhealthy"] == 0, health
    wait_for(lambda: "answers again" in farm.errors() + farm.output(), what="its end")
    assert time.monotonic() - began < farmlib.DEADLINE / 2, "before the call that stalled came back"
    farm.act(1, "restart")
    end(farm)


def test_a_log_goes_on_when_its_stream_breaks(farm_of, engine):
    farm = farm_of(servers=1).start()
    wait_for(lambda: _said(farm, ""), what="its first words")
    engine.break_streams("/tasks/[^/]+/logs")
    farm.task(1).container.write(b"written while nobody listened\n")
    wait_for(lambda: _said(farm, "while nobody listened"), what="what it wrote meanwhile")
    farm.task(1).container.write(b"written later\n")
    wait_for(lambda: _said(farm, "written later"), what="what it writes now")
    assert len(_said(farm, "while nobody listened")) == 1
    end(farm)


def _said(farm, words):
    return [line for line in farm.get("/api/servers/1/logs")["lines"] if words in str(line)]


def test_a_farm_ends_without_its_manager(farm_of, engine):
    farm = farm_of(servers=2).start()
    engine.stop()
    began = time.monotonic()
    farm.stop()
    assert time.monotonic() - began < farmlib.DEADLINE
    engine.start()
    end(farm.start())
