"""An Engine that fails, stalls, lies in wait or goes away; always the in-tree fake, since a real one cannot be told to."""

import contextlib
import os
import pathlib
import shutil
import signal
import tempfile
import time

import pytest

import dockerlib
import farmlib
from dockerlib import DockerFarm, FakeEngine
from farmlib import wait_for

pytestmark = pytest.mark.skipif(dockerlib.REAL, reason="the fake Engine is asked to misbehave")


@pytest.fixture
def engine():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="farmd-engine-"))
    made = FakeEngine(directory).start()
    yield made
    made.clean()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def farm_of(engine):
    with contextlib.ExitStack() as stack:
        def make(*args, **kwargs):
            farm = DockerFarm(engine, *args, **kwargs)
            stack.callback(farm.clean)
            return farm

        yield make


def end(farm):
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []


def test_answers_that_come_byte_by_byte(farm_of, engine):
    engine.split = True
    farm = farm_of(servers=2).start()
    before = farm.server(1)
    farm.act(1, "kill")
    farm.wait_restarted(1, before)
    wait_for(lambda: farm.get("/api/servers/1/logs")["lines"], what="its log")
    end(farm)


@pytest.mark.parametrize("method, path", [
    ("POST", "/containers/create"), ("POST", "/containers/[^/]+/start"), ("GET", "/containers/server-1/json"),
])
@pytest.mark.parametrize("what", [500, "drop", "cut"])
def test_a_step_of_a_start_that_fails_is_tried_again(farm_of, engine, method, path, what):
    """Also one that was done and whose answer was lost: no second container, and none left."""
    engine.misbehave(method, path, what)
    farm = farm_of(servers=2, flags=["--log-level", "DEBUG"]).start(wait=False)
    wait_for(farm._all_run, what="every server running")
    assert engine.names() == {"server-1", "server-2"}
    end(farm)


def test_an_end_whose_look_fails_is_told_all_the_same(farm_of, engine):
    farm = farm_of(servers=1).start()
    before = farm.server(1)
    engine.misbehave("GET", "/containers/[^/]+/json", 500)
    farm.act(1, "kill")
    farm.wait_restarted(1, before)
    end(farm)


def test_an_engine_that_goes_away_and_comes_back(farm_of, engine):
    """Lists go on, actions answer 503; what happened meanwhile is found."""
    farm = farm_of(servers=3).start()
    pids = farm.pids()
    engine.stop()
    wait_for(lambda: farm.request("POST", "/api/servers/1/action", {"action": "stop"}).status == 503, what="503")
    answer = farm.request("POST", "/api/servers/1/action", {"action": "stop"})
    assert "Docker Engine" in answer.json()["detail"]
    assert farm.request("PATCH", "/api/servers/1", {"memory_mb": 300}).status == 503
    assert farm.get("/api/health")["healthy"] == 3
    assert [s["status"] for s in farm.servers().values()] == ["running"] * 3
    engine.by_name("server-2").process.kill()
    engine.by_name("server-2").ending.wait(farmlib.DEADLINE)
    engine.start()
    wait_for(lambda: farm.pids()[2] not in (None, pids[2]), what="the one that ended meanwhile being started again")
    farm.wait_ready()
    assert {i: p for i, p in farm.pids().items() if i != 2} == {i: p for i, p in pids.items() if i != 2}
    farm.act(1, "restart")
    end(farm)


def test_servers_out_of_reach_without_an_engine_are_not_restarted_for_it(farm_of, engine):
    """Its port proxies end with it: containers that live on cannot be asked how they do until it is back."""
    farm = farm_of(servers=1, config="""servers:
  count: 1
  probes: {liveness: {interval: 200ms, timeout: 200ms, start_period: 0s, retries: 2}}
""").start()
    before = farm.server(1)
    engine.stop()
    wait_for(lambda: farm.request("POST", "/api/servers/1/action", {"action": "stop"}).status == 503, what="503")
    os.kill(before["pid"], signal.SIGSTOP)
    wait_for(lambda: farm.server(1)["health"] == "unhealthy", what="its being out of reach")
    began = time.monotonic()
    while time.monotonic() - began < 2:  # five times as long as is enough otherwise
        assert farm.server(1)["status"] == "running"
    os.kill(before["pid"], signal.SIGCONT)
    engine.start()
    wait_for(lambda: farm.server(1)["health"] != "unhealthy", what="its being reached")
    after = farm.server(1)
    assert (after["pid"], after["restarts"]) == (before["pid"], 0)
    assert not farm.events(reason="LivenessFailed")
    wait_for(lambda: farm.request("POST", "/api/servers/1/action", {"action": "restart"}).status == 200, what="an action")
    end(farm)


def test_an_engine_that_ends_all_with_itself(farm_of, engine):
    """As dockerd does when it is restarted: by the same signals as a person's docker stop."""
    farm = farm_of(servers=2).start()
    pids = farm.pids()
    engine.misbehave("GET", "/containers/[^/]+/json", "drop", times=100)
    for container in list(engine.containers.values()):
        engine.command("stop", container.name)
    engine.stop()
    wait_for(lambda: all(s["status"] != "running" for s in farm.servers().values()), what="the ends")
    engine.faults.clear()
    engine.start()
    farm.wait_ready()
    assert not set(pids.values()) & set(farm.pids().values())
    end(farm)


def test_an_engine_that_goes_down_has_stopped_nothing_by_hand(farm_of, engine):
    """It tells of the signals that it sends, and is gone before it tells of the ends."""
    farm = farm_of(servers=2).start()
    before = farm.servers()
    for i in (1, 2):
        engine.tell("kill", engine.by_name(f"server-{i}"), signal="15")
    engine.stop()
    wait_for(lambda: farm.request("POST", "/api/servers/1/action", {"action": "stop"}).status == 503, what="503")
    for i in (1, 2):
        engine.by_name(f"server-{i}").process.terminate()
        engine.by_name(f"server-{i}").ending.wait(farmlib.DEADLINE)
    engine.start()
    for i in (1, 2):
        farm.wait_restarted(i, before[i])
    end(farm)


def test_what_a_person_stops_while_the_feed_is_broken(farm_of, engine):
    farm = farm_of(servers=1).start()
    gate = engine.hold("GET", "/_ping")
    engine.break_streams("/events")
    engine.command("stop", "server-1")
    assert "Docker" in farm.wait_status(1, "stopped")["error"]
    gate.open()
    wait_for(lambda: farm.request("POST", "/api/servers/1/action", {"action": "start"}).status == 200, what="the start")
    end(farm)


def test_an_out_of_memory_is_nobodys_hand(farm_of, engine):
    """Some Engines tell of the kernel's SIGKILL as if somebody had sent it."""
    farm = farm_of(servers=1).start()
    before = farm.server(1)
    container = engine.by_name("server-1")
    container.oom_killed = True
    engine.tell("kill", container, signal="9")
    container.process.kill()
    assert farm.wait_restarted(1, before)["last_exit"]["reason"] == "OOMKilled"
    end(farm)


def test_an_engine_that_hangs_is_noticed(farm_of, engine):
    farm = farm_of(servers=1).start()
    engine.misbehave("GET", "/_ping", "stall", times=1)
    wait_for(lambda: "does not answer" in farm.errors() + farm.output(), what="the hang being noticed")
    wait_for(lambda: "answers again" in farm.errors() + farm.output(), what="its end")
    farm.act(1, "restart")
    end(farm)


def test_a_farm_ends_without_its_engine(farm_of, engine):
    farm = farm_of(servers=2).start()
    engine.stop()
    began = time.monotonic()
    farm.stop()
    assert time.monotonic() - began < farmlib.DEADLINE
    assert "farmd down" in farm.errors() + farm.output()
    engine.start()
    again = farm.start()
    end(again)


def test_events_that_come_late_or_twice(farm_of, engine):
    farm = farm_of(servers=1).start()
    before = farm.server(1)
    farm.act(1, "kill")
    after = farm.wait_restarted(1, before)
    container = engine.by_name("server-1")
    for event in [e for e in engine.events if e["Action"] in ("die", "kill", "start")]:
        for follower in engine.followers:
            follower.put(event)
    engine.tell("pause", container)
    engine.tell("die", container)
    wait_for(lambda: farm.request("POST", "/api/servers/1/action", {"action": "pause"}).status == 200, what="a pause")
    farm.act(1, "resume")
    assert farm.server(1)["restarts"] == after["restarts"]
    assert farm.server(1)["pid"] == after["pid"]
    end(farm)


def test_an_event_that_is_no_json(farm_of, engine):
    farm = farm_of(servers=1).start()
    for follower in engine.followers:
        follower.put({"Actor": {"Attributes": {"farmd.instance": engine.events[0]["Actor"]["Attributes"]["farmd.instance"]}},
                      "junk": "x" * 70000})
    before = farm.server(1)
    farm.act(1, "kill")
    farm.wait_restarted(1, before)
    end(farm)


def test_an_engine_that_is_restarted_in_the_middle_of_starts(farm_of, engine):
    farm = farm_of(servers=8).start(wait=False)
    wait_for(lambda: len(engine.names()) >= 2, what="the first containers")
    engine.stop()
    engine.start()
    wait_for(farm._all_run, what="every server running")
    assert len(engine.names()) == 8
    end(farm)
