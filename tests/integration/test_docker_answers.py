"""An answer of farmd's is true: pauses, resumes and limits of containers are answered when the Engine has answered, and it
never waits for ever. On the fake Engine, which is told to refuse, to hang and to go away."""

import concurrent.futures
import contextlib
import time

import pytest

import dockerlib
import farmlib
from dockerlib import DockerFarm, an_engine
from farmlib import wait_for

pytestmark = pytest.mark.skipif(dockerlib.REAL, reason="the fake Engine is asked to misbehave")
CHANGE_MAX = 15  # seconds, of supervisor/runtime/docker/control.c


@pytest.fixture
def engine():
    with an_engine() as made:
        yield made


@pytest.fixture
def farm(engine):
    with contextlib.ExitStack() as stack:
        farm = DockerFarm(engine, servers=2, config="servers: {count: 2, stop_grace: 1s}\n")
        stack.callback(farm.clean)
        yield farm.start()
        assert farm.stop() == 0, farm.errors()
        assert farm.leftovers() == []


@pytest.fixture
def at_once():
    """Calls a function in a thread: its future."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        yield pool.submit


def action(farm, i, word):
    return farm.request("POST", f"/api/servers/{i}/action", {"action": word}, timeout=farmlib.DEADLINE)


def asked(engine, path):
    return [r for r in engine.requests if r == ("POST", f"/containers/{path}")]


def limit_mb(farm, i):
    return farm.get(f"/api/servers/{i}")["limits_configured"]["memory_mb"]


def container(engine, i):
    return engine.by_name(f"server-{i}")


def test_a_pause_is_answered_when_it_is_so(farm, engine, at_once):
    gate = engine.hold("POST", "/containers/[^/]+/(un)?pause")
    answer = at_once(action, farm, 1, "pause")
    wait_for(lambda: gate.waiting, what="the Engine being asked")
    assert farm.server(1)["status"] == "running" and not answer.done()
    gate.open()
    assert answer.result().status == 200 and answer.result().json()["state"] == "paused"
    assert container(engine, 1).status == "paused" and farm.server(1)["status"] == "paused"
    gate = engine.hold("POST", "/containers/[^/]+/(un)?pause")
    answer = at_once(action, farm, 1, "start")
    wait_for(lambda: gate.waiting, what="the Engine being asked")
    assert farm.server(1)["status"] == "paused" and not answer.done()
    gate.open()
    assert answer.result().status == 200
    assert container(engine, 1).status == "running"


@pytest.mark.parametrize("word, before, after", [("pause", None, "running"), ("resume", "pause", "paused")])
def test_one_that_is_refused_is_told_and_does_not_count(farm, engine, word, before, after):
    if before:
        farm.act(1, before)
    engine.misbehave("POST", "/containers/[^/]+/(un)?pause", 500)
    answer = action(farm, 1, word)
    assert answer.status == 500 and "the fake is told to fail" in answer.json()["detail"]
    assert farm.server(1)["status"] == container(engine, 1).status == after
    assert len(farm.events(reason="Paused", server_id=1)) == (1 if before else 0)
    assert action(farm, 1, word).status == 200


def test_a_resume_overtakes_a_pause_that_is_under_way(farm, engine, at_once):
    gate = engine.hold("POST", "/containers/[^/]+/pause")
    pause = at_once(action, farm, 1, "pause")
    wait_for(lambda: gate.waiting, what="the Engine being asked")
    resume = at_once(action, farm, 1, "resume")
    assert pause.result().status == 409 and not resume.done()
    gate.open()
    assert resume.result().status == 200
    assert container(engine, 1).status == "running" and farm.server(1)["status"] == "running"


def test_a_stop_overtakes_a_pause_that_is_under_way(farm, engine, at_once):
    """The server gets its SIGTERM, not a kill after its grace period."""
    gate = engine.hold("POST", "/containers/[^/]+/pause")
    pause = at_once(action, farm, 1, "pause")
    wait_for(lambda: gate.waiting, what="the Engine being asked")
    stop = at_once(action, farm, 1, "stop")
    assert pause.result().status == 409
    gate.open()
    assert stop.result().status == 200
    assert farm.server(1)["status"] == "stopped" and container(engine, 1).exit_code == 0
    assert not farm.events(reason="StopForced", server_id=1)
    farm.act(1, "start")


def test_a_stop_takes_back_a_pause_that_waits_for_its_turn(farm, engine, at_once):
    gate = engine.hold("POST", "/containers/[^/]+/update")
    limits = at_once(farm.request, "PATCH", "/api/servers/1", {"memory_mb": 300})
    wait_for(lambda: gate.waiting, what="the Engine being asked")
    pause = at_once(action, farm, 1, "pause")
    wait_for(lambda: farm.request("POST", "/api/servers/1/action", {"action": "nothing"}).status == 400 and
             not pause.done(), what="the pause being asked for")
    stop = at_once(action, farm, 1, "stop")
    assert pause.result().status == 409
    gate.open()
    assert stop.result().status == limits.result().status == 200
    assert not asked(engine, container(engine, 1).id + "/pause")
    assert container(engine, 1).exit_code == 0


def test_one_that_dies_meanwhile_answers(farm, engine, at_once):
    before = farm.server(1)
    gate = engine.hold("POST", "/containers/[^/]+/pause")
    pause = at_once(action, farm, 1, "pause")
    wait_for(lambda: gate.waiting, what="the Engine being asked")
    container(engine, 1).process.kill()
    assert pause.result().status == 409
    gate.drop()
    farm.wait_restarted(1, before)


def test_limits_are_answered_when_they_are_in_force(farm, engine, at_once):
    gate = engine.hold("POST", "/containers/[^/]+/update")
    first = at_once(farm.request, "PATCH", "/api/servers/1", {"memory_mb": 300})
    wait_for(lambda: gate.waiting, what="the Engine being asked")
    second = at_once(farm.request, "PATCH", "/api/servers/1", {"cpu": 0.25})  # of what the first will have made of it
    assert limit_mb(farm, 1) == 256 and not first.done()
    gate.open()
    assert first.result().status == second.result().status == 200
    host = container(engine, 1).host
    assert (host["Memory"], host["NanoCpus"]) == (300 << 20, 250_000_000)
    configured = second.result().json()["limits_configured"]
    assert (configured["cpu"], configured["memory_mb"]) == (0.25, 300)


def test_limits_that_are_refused_are_told_and_do_not_count(farm, engine):
    engine.misbehave("POST", "/containers/[^/]+/update", 500)
    answer = farm.request("PATCH", "/api/servers/1", {"memory_mb": 300})
    assert answer.status == 500 and "the fake is told to fail" in answer.json()["detail"]
    assert limit_mb(farm, 1) == 256 and not farm.events(reason="LimitsChanged")
    engine.misbehave("POST", "/containers/[^/]+/update", 500)
    answer = farm.request("PATCH", "/api/servers", {"ids": [1, 2], "memory_mb": 280}).json()
    assert (answer["successful"], answer["failed"]) == (1, 1)
    assert sorted(c.host["Memory"] >> 20 for c in engine.containers.values()) == [256, 280]
    assert sorted(limit_mb(farm, i) for i in (1, 2)) == [256, 280]


def test_an_engine_that_hangs_over_it_is_not_waited_for(farm, engine, at_once):
    """It answers everything else, so nothing else tells. What it does later is undone."""
    gate = engine.hold("POST", "/containers/[^/]+/(pause|update)")
    began = time.monotonic()
    pause = at_once(action, farm, 1, "pause")
    limits = at_once(farm.request, "PATCH", "/api/servers/2", {"memory_mb": 300})
    for answer in (pause, limits):
        assert answer.result().status == 504
        assert "Docker Engine" in answer.result().json()["detail"]
    assert time.monotonic() - began >= CHANGE_MAX
    assert farm.server(1)["status"] == "running" and limit_mb(farm, 2) == 256
    gate.open()
    wait_for(lambda: asked(engine, container(engine, 1).id + "/unpause") and container(engine, 1).status == "running",
             what="the pause being undone")
    wait_for(lambda: len(asked(engine, container(engine, 2).id + "/update")) == 2
             and container(engine, 2).host["Memory"] == 256 << 20, what="the limits being put back")
    assert not farm.events(reason="PutRight")  # it was nobody else's doing
    assert farm.worker(1).status == 200


@pytest.mark.parametrize("how", ["hangs", "goes away"])
def test_an_engine_that_fails_meanwhile_is_told_of(farm, engine, at_once, how):
    gate = engine.hold("POST", "/containers/[^/]+/(pause|update)")
    pause = at_once(action, farm, 1, "pause")
    limits = at_once(farm.request, "PATCH", "/api/servers/2", {"memory_mb": 300})
    wait_for(lambda: gate.waiting == 2, what="the Engine being asked")
    if how == "hangs":
        engine.misbehave("GET", "/_ping", "stall", times=3)
    else:
        engine.stop()
    for answer in (pause, limits):
        assert answer.result().status == 503, answer.result().json()
        assert "Docker Engine" in answer.result().json()["detail"]
    gate.open()
    if how == "goes away":
        engine.start()
    wait_for(lambda: action(farm, 1, "pause").status == 200, what="its being back")
    farm.act(1, "resume")


@pytest.mark.parametrize("how, status", [("over everything", 503), ("over this", 504)])
def test_a_stop_that_the_engine_hangs_over_is_answered(farm, engine, at_once, how, status):
    gate = engine.hold("POST", "/containers/[^/]+/kill")
    stop = at_once(action, farm, 1, "stop")
    wait_for(lambda: gate.waiting, what="the Engine being asked")
    if how == "over everything":
        engine.misbehave("GET", "/_ping", "stall", times=3)
    assert stop.result().status == status, stop.result().json()
    assert farm.server(1)["status"] == "stopping"
    gate.open()
    farm.wait_status(1, "stopped")
    wait_for(lambda: action(farm, 1, "start").status == 200, what="the start")
