"""What is done to containers and their network through Docker itself; on the fake Engine, or a real one (make test-docker)."""

import contextlib
import os
import pathlib
import signal
import time

import pytest

import adoptlib
import dockerlib
from dockerlib import DockerFarm, an_engine
from farmlib import wait_for


# Who cannot be reached is restarted after 2 s, unless that was wanted; the Engine may take a second to disconnect one.
PROBED = """servers:
  count: 3
  probes: {liveness: {interval: 500ms, timeout: 1s, start_period: 0s, retries: 4}}
"""


@pytest.fixture(scope="module")
def engine():
    with an_engine() as made:
        yield made


@pytest.fixture
def farm(engine):
    with contextlib.ExitStack() as stack:
        farm = DockerFarm(engine, servers=3, config=PROBED)
        stack.callback(farm.clean)
        yield farm.start()
        if farm.process and farm.process.poll() is None:
            assert farm.stop() == 0, farm.errors()
            assert farm.leftovers() == []


def disconnect(engine, name):
    engine.command("network", "disconnect", "server-network", name)


def networks_of(engine, name):
    return engine.describe(name)["NetworkSettings"]["Networks"]


def test_what_a_person_disconnects_stays_so_and_is_shown(farm, engine):
    before = farm.server(1)
    disconnect(engine, "server-1")
    entry = farm.wait_status(1, "paused")
    assert "disconnected from server-network" in entry["error"] and "Docker" in entry["error"]
    began = time.monotonic()
    while time.monotonic() - began < 4:  # longer than failing probes would leave it alone
        farm.act(2, "restart")
    seen = farm.get("/api/health")["servers"]
    # not "healthy": where they have no limits of their own, a busy machine makes them degraded
    assert "error" not in [s["status"] for s in seen if s["server_id"] != 1]
    after = farm.server(1)
    assert (after["status"], after["pid"], after["restarts"]) == ("paused", before["pid"], before["restarts"])
    assert "server-network" not in networks_of(engine, "server-1")
    assert farm.events(reason="Paused", server_id=1)


def test_connecting_it_through_docker_brings_it_back(farm, engine):
    disconnect(engine, "server-1")
    farm.wait_status(1, "paused")
    engine.command("network", "connect", "server-network", "server-1")
    farm.wait_status(1, "running")
    assert farm.worker(1).status == 200


@pytest.mark.parametrize("action", ["resume", "start"])
def test_farmd_brings_it_back(farm, engine, action):
    pid = farm.server(2)["pid"]
    disconnect(engine, "server-2")
    farm.wait_status(2, "paused")
    farm.act(2, action)
    assert "server-network" in networks_of(engine, "server-2")
    assert farm.server(2)["status"] == "running" and farm.server(2)["pid"] == pid
    assert farm.worker(2).status == 200


def test_a_restart_of_it_connects_it(farm, engine):
    """The Engine would start it without a network."""
    disconnect(engine, "server-2")
    farm.wait_status(2, "paused")
    farm.act(2, "restart")
    assert "server-network" in networks_of(engine, "server-2")
    assert farm.worker(2).status == 200


def test_disconnected_and_paused_needs_both_undone(farm, engine):
    disconnect(engine, "server-3")
    farm.wait_status(3, "paused")
    engine.command("pause", "server-3")
    wait_for(lambda: engine.describe("server-3")["State"]["Paused"], what="the pause")
    engine.command("network", "connect", "server-network", "server-3")
    wait_for(lambda: "server-network" in networks_of(engine, "server-3"), what="the network")
    assert farm.server(3)["status"] == "paused"
    engine.command("unpause", "server-3")
    farm.wait_status(3, "running")


def test_the_next_farmd_leaves_it_disconnected(farm, engine):
    disconnect(engine, "server-1")
    farm.wait_status(1, "paused")
    pid = farm.server(2)["pid"]
    adoptlib.kill(farm)
    adoptlib.start(farm)
    entry = farm.server(1)
    assert entry["status"] == "paused" and "disconnected" in entry["error"]
    assert farm.server(2)["pid"] == pid
    farm.act(1, "resume")
    assert farm.worker(1).status == 200


def test_a_network_that_is_removed_is_made_anew(farm, engine):
    for i in (1, 2, 3):
        farm.act(i, "stop")
    engine.command("network", "rm", "server-network")
    wait_for(lambda: "server-network" in engine.network_names(), what="the network")
    wait_for(lambda: any("server-network" in e["message"] for e in farm.events(reason="PutRight")), what="the event")
    for i in (1, 2, 3):  # their containers know the old one
        farm.act(i, "start")
        assert farm.worker(i).status == 200


def test_a_network_removed_while_farmd_was_away_is_made_anew(farm, engine):
    for i in (1, 2, 3):
        disconnect(engine, f"server-{i}")
        farm.wait_status(i, "paused")
    adoptlib.kill(farm)
    engine.command("network", "rm", "server-network")
    adoptlib.start(farm)
    wait_for(lambda: "server-network" in engine.network_names(), what="the network")
    for i in (1, 2, 3):
        farm.act(i, "resume")
        assert farm.worker(i).status == 200


# --- while farmd is away ---


def end_main_process(engine, name):
    """Not through Docker: as if it had crashed."""
    os.kill(engine.describe(name)["State"]["Pid"], signal.SIGKILL)
    wait_for(lambda: not engine.describe(name)["State"]["Running"], what=f"the end of {name}")


def test_what_a_person_stops_while_farmd_is_away_stays_stopped(farm, engine):
    adoptlib.kill(farm)
    engine.command("kill", "-s", "URG", "server-1")
    engine.command("stop", "server-1")
    engine.command("kill", "server-2")
    adoptlib.start(farm)
    for i in (1, 2):
        entry = farm.wait_status(i, "stopped")
        assert "through Docker" in entry["error"]
        assert entry["restarts"] == 0
    assert farm.worker(3).status == 200
    engine.command("start", "server-1")
    farm.wait_status(1, "running")
    farm.act(2, "start")
    assert farm.worker(2).status == 200


def test_what_ends_by_itself_while_farmd_is_away_is_told_as_it_was(farm, engine):
    engine.command("kill", "-s", "URG", "server-1")
    adoptlib.kill(farm)
    end_main_process(engine, "server-1")
    adoptlib.start(farm)
    entry = farm.wait_status(1, "running")
    assert entry["restarts"] == 1
    assert (entry["last_exit"]["reason"], entry["last_exit"]["signal"]) == ("Crashed", 9)


# --- farmd and what it knows of containers ---


def forget(farm):
    (file,) = (p for p in pathlib.Path(farm.directory).rglob("state") if p.is_file())
    file.unlink()


def test_containers_are_found_by_their_labels_alone(farm, engine):
    """farmd may die before it has noted what it started, or its state be lost."""
    before = {i: engine.describe(f"server-{i}") for i in (1, 2, 3)}
    adoptlib.kill(farm)
    forget(farm)
    farm.start()
    for i, was in before.items():
        now = engine.describe(f"server-{i}")
        assert (now["Id"], now["State"]["StartedAt"]) == (was["Id"], was["State"]["StartedAt"])
        assert farm.worker(i).status == 200


def test_containers_of_servers_that_there_are_no_more_are_removed(farm, engine):
    adoptlib.kill(farm)
    forget(farm)
    farm.write_config(PROBED.replace("count: 3", "count: 1"))
    farm.servers_wanted = 1
    farm.start()
    wait_for(lambda: not {"server-2", "server-3"} & engine.names(), what="the others being gone")
    assert farm.worker(1).status == 200
