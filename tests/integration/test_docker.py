"""What only containers have: on the fake Engine, or on a real one (make test-docker). What every server must do is in
tests/behaviour."""

import contextlib
import random

import pytest

import dockerlib
import farmlib
from dockerlib import DockerFarm, an_engine
from farmlib import wait_for

VERSIONS = ["real"] if dockerlib.REAL else ["1.41", "1.44"]
only_fake = pytest.mark.skipif(dockerlib.REAL, reason="the fake Engine is asked to misbehave")


@pytest.fixture(scope="module", params=VERSIONS)
def engine(request):
    with an_engine(request.param) as made:
        yield made


@pytest.fixture
def farm_of(engine):
    """Makes a running farm; it must leave nothing behind."""
    with contextlib.ExitStack() as stack:
        made = []

        def make(*args, **kwargs):
            farm = DockerFarm(engine, *args, **kwargs)
            stack.callback(farm.clean)
            made.append(farm)
            return farm

        yield make
        for farm in made:
            if farm.process and farm.process.poll() is None:
                assert farm.stop() == 0, farm.errors()
                assert farm.leftovers() == []


@pytest.fixture
def farm(farm_of):
    return farm_of(servers=3).start()


@only_fake
def test_a_farmd_in_their_network_asks_servers_there():
    """Where farmd is a container, the ports that others reach servers by are not to be reached."""
    with an_engine() as engine:
        engine.network = f"127.{random.randint(16, 250)}.{random.randint(0, 250)}."
        farm = DockerFarm(engine, servers=2, flags=["--docker-in-network"])
        try:
            farm.start()
            assert all(farmlib.port_is_free(server["port"]) for server in farm.get("/api/servers")["servers"])
            assert farm.get("/api/health")["healthy"] == 2
            answers = farm.post("/api/broadcast?endpoint=/")["results"]
            assert [answer["server_id"] for answer in answers] == ["server-1", "server-2"]
            test = farm.post("/api/load-test", {"requests": 20, "concurrency": 2})
            assert (test["total_successful"], test["total_failed"]) == (40, 0)
            wait_for(lambda: all(server["health"] == "healthy" for server in farm.get("/api/servers")["servers"]),
                     what="the probes' verdict")
            assert farm.stop() == 0 and farm.leftovers() == []
        finally:
            farm.clean()


def test_asks_for_limits_and_nothing_more(farm, engine):
    host = engine.describe("server-1")["HostConfig"]
    assert host["NanoCpus"] == 500_000_000
    assert host["Memory"] == host["MemorySwap"] == 256 << 20
    assert host["PidsLimit"] == 128
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert host["RestartPolicy"]["Name"] == "no"
    assert not host.get("Privileged")
    assert [b["HostIp"] for bindings in host["PortBindings"].values() for b in bindings] == ["127.0.0.1"]


def test_stops_and_starts_the_same_container(farm, engine):
    container = engine.describe("server-2")["Id"]
    farm.act(2, "stop")
    assert farm.server(2)["status"] == "stopped"
    assert not engine.describe("server-2")["State"]["Running"]
    farm.act(2, "start")
    assert engine.describe("server-2")["Id"] == container
    assert farm.worker(2).status == 200


# --- by the means of Docker itself ---


def test_what_a_person_stops_stays_stopped(farm, engine):
    engine.command("stop", "server-1")
    entry = farm.wait_status(1, "stopped")
    assert "Docker" in entry["error"]
    engine.command("start", "server-1")
    farm.wait_status(1, "running")
    engine.command("kill", "server-2")
    farm.wait_status(2, "stopped")
    farm.act(2, "start")


def test_what_a_person_pauses_stays_paused(farm, engine):
    engine.command("pause", "server-1")
    assert "Docker" in farm.wait_status(1, "paused")["error"]
    engine.command("unpause", "server-1")
    farm.wait_status(1, "running")


def test_what_is_removed_is_made_anew(farm, engine):
    before = farm.server(1)
    engine.command("rm", "-f", "server-1")
    farm.wait_restarted(1, before)
    assert farm.events(reason="PutRight", server_id=1)


def test_what_is_removed_while_stopped_by_hand_is_made_anew(farm, engine):
    engine.command("stop", "server-1")
    farm.wait_status(1, "stopped")
    engine.command("rm", "-f", "server-1")
    farm.wait_status(1, "running")


def test_name_and_limits_are_put_right(farm, engine):
    engine.command("rename", "server-1", "other")
    wait_for(lambda: "server-1" in engine.names(), what="its name")
    engine.command("update", "--cpus", "0.2", "server-2")
    wait_for(lambda: engine.describe("server-2")["HostConfig"]["NanoCpus"] == 500_000_000, what="its limit")
    farm.wait_event("PutRight", 1)
    farm.wait_event("PutRight", 2)


# --- bad input ---


def test_a_foreign_container_is_never_touched(farm_of, engine):
    if dockerlib.REAL:
        pytest.skip("there is no image to make one from before a farm runs")
    engine.command("create", "server-1", "postgres")
    foreign = engine.describe("server-1")["Id"]
    farm = farm_of(servers=2).start(wait=False)
    try:
        event = wait_for(lambda: farm.process.poll() is None and _events(farm, "StartFailed"), what="the failure")[0]
        assert "server-1" in event["message"] and "postgres" in event["message"]
        farm.wait_status(2, "running")
        assert farm.stop() == 0
        assert engine.describe("server-1")["Id"] == foreign
    finally:
        engine.containers.pop(foreign)
    assert farm.leftovers() == []


def _events(farm, reason):
    with contextlib.suppress(OSError):
        return farm.events(reason=reason)
    return None


@pytest.mark.parametrize("host, words", [
    ("tcp://127.0.0.1:2375", "is no Unix socket"),
    ("unix://relative", "no absolute path"),
    ("unix:///nowhere/docker.sock", "does not exist"),
])
def test_no_engine_is_told_clearly(farm_of, host, words):
    farm = farm_of(servers=1, env={"DOCKER_HOST": host}).start(wait=False)
    assert farm.process.wait(farmlib.DEADLINE) != 0
    assert words in farm.errors() and "fix:" in farm.errors()


@only_fake
def test_an_engine_that_is_too_old(farm_of, engine):
    was, engine.version = engine.version, "1.40"
    try:
        farm = farm_of(servers=1).start(wait=False)
        assert farm.process.wait(farmlib.DEADLINE) != 0
    finally:
        engine.version = was
    assert "1.41 is needed" in farm.errors()


def test_an_image_that_is_not_there(farm_of):
    config = "servers: {image: 'no/such:1', count: 1}\n"
    farm = farm_of(servers=1, config=config).start(wait=False)
    event = wait_for(lambda: _events(farm, "StartFailed"), what="the failure")[0]
    assert "no/such" in event["message"]


def test_a_command_needs_an_image(farm_of):
    farm = farm_of(servers=1, config="servers: {command: [sh]}\n").start(wait=False)
    assert farm.process.wait(farmlib.DEADLINE) == 2
    assert "image" in farm.errors()
