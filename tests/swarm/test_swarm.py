"""What only Swarm has, on a real one of two nodes: `make test-swarm`. What every server must do is in tests/behaviour. The
tests are one story, in order, on one Swarm: forming it costs more than all of them."""

import pathlib
import shutil
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import swarmbed  # noqa: E402
from swarmbed import wait_for  # noqa: E402
from swarmfarm import Farm, services  # noqa: E402

SERVERS = 6
SHOWN_WITHIN_S = 10  # that a node is lost, with the heartbeat of this Swarm: 5 s of Swarm's own, and one listing

pytestmark = pytest.mark.skipif(swarmbed.missing() is not None, reason=str(swarmbed.missing()))


@pytest.fixture(scope="module")
def swarm():
    bed = swarmbed.Swarm()
    try:
        yield bed.open()
    finally:
        bed.close()


@pytest.fixture(scope="module")
def farm(swarm):
    farm = Farm(swarm, SERVERS)
    yield farm
    if farm.process is not None and farm.process.poll() is None:
        farm.kill()
    shutil.rmtree(farm.folder)


def test_an_engine_without_a_swarm_is_refused(farm):
    code, said = farm.refused(*farm.settings())
    assert code == 1
    assert "is not part of a Swarm (inactive)" in said and "fix: docker swarm init" in said


def test_a_worker_is_refused(farm, swarm):
    swarm.form()
    code, said = farm.refused(*farm.settings(), DOCKER_HOST=f"unix://{swarm.worker.socket}")
    assert code == 1
    assert "is a worker of a Swarm" in said and f"docker node promote {swarm.worker.name}" in said


def test_a_node_without_the_image_says_so(farm, swarm):
    farm.start()
    failed = wait_for(lambda: [s for s in farm.servers().values() if "No such image" in (s.get("error") or "")], 60,
                      "a server that has no image")
    assert any(s["last_exit"]["reason"] == "StartFailed" for s in failed)
    image = services(swarm)["server-1"]["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
    swarm.worker.load_image(swarm.manager.save_image(image))
    wait_for(farm.all_serve, 60, "every server, once the image is there")


def test_servers_are_spread_and_all_answer_on_localhost(farm, swarm):
    found = farm.servers()
    assert {s["node"] for s in found.values()} == {swarm.manager.name, swarm.worker.name}
    for server_id, server in found.items():
        status, answer = farm.ask("GET", "/", port=server["port"])
        assert status == 200 and answer["server_id"] == f"server-{server_id}"
        assert answer["hostname"] == f"server-{server_id}"


def test_nodes_are_shown_by_ps_and_inspect(farm):
    heading, *rows = farm.told("ps").splitlines()
    assert " NODE " in heading
    for server in farm.servers().values():
        assert any(f" {server['name']} " in row and f" {server['node']} " in row for row in rows), rows
        assert f"node {server['node']}" in farm.told("inspect", str(server["id"]))


def test_asks_for_limits_and_nothing_more(swarm, farm):
    resources = services(swarm)["server-1"]["Spec"]["TaskTemplate"]["Resources"]
    assert resources["Limits"] == {"NanoCPUs": 500000000, "MemoryBytes": 256 * 2**20, "Pids": 128}
    assert resources["Reservations"] == {"NanoCPUs": 100000000, "MemoryBytes": 128 * 2**20}
    for node in (swarm.manager, swarm.worker):
        for container in node.ask("GET", "/containers/json"):
            host = node.ask("GET", f"/containers/{container['Id']}/json")["HostConfig"]
            assert host["CapDrop"] == ["ALL"] and host["ReadonlyRootfs"]


def test_what_no_node_has_room_for_says_so(farm):
    assert farm.ask("PATCH", "/api/servers/4", {"cpu": 512, "cpu_reservation": 512})[0] == 200
    waits = wait_for(lambda: "no suitable node" in (farm.servers()[4].get("error") or ""), 30, "the reason")
    assert waits and farm.servers()[4]["status"] in ("backoff", "starting")
    assert farm.ask("PATCH", "/api/servers/4", {"cpu": 0.5, "cpu_reservation": 0.1})[0] == 200
    wait_for(farm.all_serve, 60, "the server, now that there is room")


def change(swarm, kind, name, how):
    """As `docker service update` and `docker node update` do it."""
    found = services(swarm)[name] if kind == "services" else \
        next(n for n in swarm.manager.ask("GET", "/nodes") if n["Description"]["Hostname"] == name)
    how(found["Spec"])
    swarm.manager.ask("POST", f"/{kind}/{found['ID']}/update?version={found['Version']['Index']}", found["Spec"])


def put_right(farm, server_id, text):
    return wait_for(lambda: [e for e in farm.events(server_id, "PutRight") if text in e["message"]], 20, text)


def test_what_somebody_stops_and_starts_through_docker_stays_so(farm, swarm):
    change(swarm, "services", "server-5", lambda spec: spec["Mode"]["Replicated"].update(Replicas=0))
    wait_for(lambda: farm.servers()[5]["status"] == "stopped", 20, "the stop being shown")
    assert farm.servers()[5]["error"] == "stopped through Docker"
    change(swarm, "services", "server-5", lambda spec: spec["Mode"]["Replicated"].update(Replicas=1))
    put_right(farm, 5, "was started through Docker")
    wait_for(farm.all_serve, 60, "the server that was started there")
    tasks = [t for t in swarm.manager.ask("GET", "/tasks") if t["DesiredState"] == "running" and
             t["Spec"]["ContainerSpec"]["Labels"]["farmd.server"] == "5"]
    assert len(tasks) == 1 and services(swarm)["server-5"]["Spec"]["TaskTemplate"]["ForceUpdate"] == 0, \
        "its task is taken as it is"


def test_what_somebody_removes_or_changes_through_docker_is_put_right(farm, swarm):
    swarm.manager.ask("DELETE", "/services/server-5")
    put_right(farm, 5, "was removed through Docker: it is made anew")
    change(swarm, "services", "server-6",
           lambda spec: spec["TaskTemplate"]["Resources"]["Limits"].update(MemoryBytes=200 * 2**20))
    put_right(farm, 6, "had its limits changed through Docker: put back")
    wait_for(farm.all_serve, 60, "both again")
    assert services(swarm)["server-6"]["Spec"]["TaskTemplate"]["Resources"]["Limits"]["MemoryBytes"] == 256 * 2**20


def test_a_drained_node_is_left_and_comes_back(farm, swarm):
    change(swarm, "nodes", swarm.worker.name, lambda spec: spec.update(Availability="drain"))
    wait_for(lambda: farm.all_serve() and {s["node"] for s in farm.servers().values()} == {swarm.manager.name}, 60,
             "all on the other node")
    change(swarm, "nodes", swarm.worker.name, lambda spec: spec.update(Availability="active"))
    assert farm.ask("POST", "/api/rolling-restart", {"max_unavailable": 3})[0] == 200
    wait_for(lambda: farm.all_serve() and len({s["node"] for s in farm.servers().values()}) == 2, 60, "both nodes in use")


def test_use_is_known_of_every_node(farm):
    wait_for(lambda: all(s["memory_mb"] > 0 for s in farm.servers().values()), 30, "memory of each")


def running_tasks(swarm):
    return {t["Spec"]["ContainerSpec"]["Labels"]["farmd.server"]: t["ID"] for t in swarm.manager.ask("GET", "/tasks")
            if t["DesiredState"] == "running"}


def test_a_farmd_without_anything_of_its_own_finds_its_services(farm, swarm):
    assert farm.ask("PATCH", "/api/servers/2", {"memory": "64M", "memory_reservation": "32M"})[0] == 200
    wait_for(lambda: services(swarm)["server-2"]["Spec"]["TaskTemplate"]["Resources"]["Limits"]["MemoryBytes"] ==
             64 * 2**20 and farm.all_serve(), 60, "the server with other limits")
    assert farm.ask("POST", "/api/servers/3/action", {"action": "stop"})[0] == 200
    tasks = running_tasks(swarm)
    farm.kill()
    shutil.rmtree(farm.folder / "state")
    farm.start()
    found = farm.servers()
    assert farm.output().count("adopted     5 servers") == 1
    assert found[3]["status"] == "stopped"
    wait_for(lambda: farm.servers()[2]["limits"]["memory_mb"] == 256, 60, "the limits that are set")
    now = running_tasks(swarm)
    assert {i: t for i, t in now.items() if i != "2"} == {i: t for i, t in tasks.items() if i != "2"}
    assert farm.ask("POST", "/api/servers/3/action", {"action": "start"})[0] == 200
    wait_for(farm.all_serve, 60, "every server")


def test_a_lost_node_shows_and_its_servers_come_back_elsewhere(farm, swarm):
    lost = [s["id"] for s in farm.servers().values() if s["node"] == swarm.worker.name]
    assert lost
    began = time.monotonic()
    swarm.worker.kill()
    for server_id in lost:
        left = began + SHOWN_WITHIN_S - time.monotonic()
        told = wait_for(lambda: farm.events(server_id, "ExitUnknown"), left, "the lost node")  # noqa: B023
        assert f"node {swarm.worker.name} is down" in told[-1]["message"]
    found = wait_for(farm.all_serve, 60, "its servers elsewhere")
    assert {s["node"] for s in found.values()} == {swarm.manager.name}
    assert all(farm.ask("GET", "/health", port=found[i]["port"])[0] == 200 for i in lost)


def test_the_end_leaves_no_service(farm, swarm):
    assert farm.stop() == 0
    assert services(swarm) == {}
