"""docker/compose.yaml on a real Docker Engine: what it builds, what it brings up, who reaches what, and that nothing is left."""

import json
import os
import signal

import pytest

from engine import BASE, Engine, base_tar, until, wanting

READY_WITHIN_S = 300  # on machines that are busy with something else, too
SERVERS = {f"server-{i}" for i in range(1, 51)}
pytestmark = pytest.mark.skipif(wanting() is not None, reason=str(wanting()))


@pytest.fixture(scope="module")
def engine():
    engine = Engine()
    try:
        engine.docker("import", base_tar(), BASE)
        engine.compose("build")
        yield engine
    finally:
        engine.close()


@pytest.fixture(scope="module")
def farm(engine):
    try:
        bring_up(engine)
        yield engine
    finally:
        engine.compose("down", "-v", check=False)


def bring_up(engine):
    engine.compose("up", "-d")
    until(lambda: ready(engine), "50 servers ready", READY_WITHIN_S)


def ready(engine):
    if engine.docker("exec", "farmd", "/farmd", "wait", "all", "--healthy", "--timeout", "0", check=False).returncode != 0:
        return False
    return engine.names() >= SERVERS


def files_of(engine, image):
    container = engine.docker("create", image, "x").stdout.strip()
    try:
        tar = engine.run("sh", "-c", f"docker export {container} | tar -t").stdout.split()
    finally:
        engine.docker("rm", container)
    # What the Engine itself puts into every container.
    return {name for name in tar if not name.endswith("/") and not name.startswith(("dev/", "etc/", ".dockerenv"))}


def test_images_hold_the_programs_alone(engine):
    assert files_of(engine, "farm-worker:latest") == {"farm-worker"}
    others = files_of(engine, "farmd:latest") - {"farmd"}
    assert others and all(".so" in name for name in others), others
    assert engine.inspect("farm-worker:latest")["Config"]["User"] == "65534:65534"


def test_a_second_build_makes_the_same_layers(engine):
    engine.docker("build", "--no-cache", "-q", "-f", "docker/Dockerfile", "--target", "farmd", "-t", "again", ".")
    assert engine.inspect("again")["RootFS"]["Layers"] == engine.inspect("farmd:latest")["RootFS"]["Layers"]


def test_up_brings_the_farm(farm):
    assert farm.names() == SERVERS | {"farmd"}
    status, text = farm.ask("http://localhost:8000/api/servers")
    answer = json.loads(text)
    assert status == 200 and answer["total_servers"] == 50 and answer["runtime"] == "docker"
    assert answer["limits_in_force"] == {"cpu": True, "memory": True, "pids": True}
    assert {server["status"] for server in answer["servers"]} == {"running"}
    assert all("memory_mb" in server for server in answer["servers"]), "figures come from the cgroups"
    for port in (8001, 8050):
        assert json.loads(farm.ask(f"http://localhost:{port}/")[1])["port"] == port
    assert "<html" in farm.ask("http://localhost:3000/")[1].lower()
    health = json.loads(farm.ask("http://localhost:8000/api/health")[1])
    assert health["healthy"] == 50
    load = json.loads(farm.ask("http://localhost:8000/api/load-test", "POST", '{"target_servers": [3, 4], "requests": 50}')[1])
    assert load["total_successful"] == 100
    for i in (3, 4): # and each got its own
        assert json.loads(farm.ask(f"http://localhost:{8000 + i}/")[1])["total_requests"] >= 51


def test_limits_and_rights(farm):
    host = farm.inspect("server-7")["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (500_000_000, 256 << 20, 256 << 20)
    assert host["CapDrop"] == ["ALL"] and host["ReadonlyRootfs"] and host["PidsLimit"] == 128
    control = farm.inspect("farmd")
    with open(f"/proc/{control['State']['Pid']}/status") as file:
        caps = dict(line.split(":", 1) for line in file if line.startswith(("Cap", "NoNewPrivs")))
    assert all(int(value, 16) == 0 for name, value in caps.items() if name != "NoNewPrivs"), caps
    assert caps["NoNewPrivs"].strip() == "1" and control["HostConfig"]["ReadonlyRootfs"]


def test_only_loopback_is_published(farm):
    bound = {(binding["HostIp"], name) for name in SERVERS | {"farmd"}
             for bindings in farm.inspect(name)["NetworkSettings"]["Ports"].values() for binding in bindings or []}
    assert {address for address, _ in bound} == {"127.0.0.1"}


def test_servers_know_each_other_and_not_the_api(farm):
    networks = farm.inspect("farmd")["NetworkSettings"]["Networks"]
    addresses = [networks[name]["IPAddress"] for name in ("control-network", "server-network")]
    gateway = networks["server-network"]["Gateway"]
    reach = 'timeout 3 bash -c "exec 3<>/dev/tcp/$0/$1" 2>/dev/null && echo "$0:$1"'
    targets = [("server-7", 8000)] + [(host, port) for host in ["farmd", gateway, *addresses] for port in (8000, 3000)]
    script = "\n".join(f"bash -c '{reach}' {host} {port}" for host, port in targets)
    seen = farm.docker("run", "--rm", "--network", "server-network", BASE, "bash", "-c", script + "\ntrue").stdout.split()
    assert seen == ["server-7:8000"]


def test_up_again_changes_nothing(farm):
    before = {name: farm.inspect(name)["Id"] for name in SERVERS | {"farmd"}}
    farm.compose("up", "-d")
    assert {name: farm.inspect(name)["Id"] for name in SERVERS | {"farmd"}} == before


def test_a_crash_of_farmd_is_survived_by_its_servers(farm):
    before = {name: farm.inspect(name)["State"]["StartedAt"] for name in SERVERS}
    pid = farm.inspect("farmd")["State"]["Pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: farm.inspect("farmd")["State"]["Pid"] not in (0, pid), "farmd is started again")
    until(lambda: "adopted     50 servers" in farm.docker("logs", "farmd").stdout, "50 adopted")
    assert {name: farm.inspect(name)["State"]["StartedAt"] for name in SERVERS} == before


@pytest.mark.parametrize("ending", ["at work", "killed"])
def test_down_leaves_nothing(farm, ending):
    bring_up(farm)
    farm.docker("exec", "farmd", "/farmd", "scale", "52")
    assert "server-52" in farm.names()
    if ending == "killed":
        farm.docker("kill", "farmd")
    done = farm.compose("down", "-v")
    assert "rror" not in done.stderr, done.stderr
    assert farm.names("-a") == set()
    assert set(farm.docker("network", "ls", "--format", "{{.Name}}").stdout.split()) == {"bridge", "host", "none"}
    assert farm.docker("volume", "ls", "-q").stdout == ""


def test_a_new_image_makes_new_containers(farm):
    """`up` with another build under the same name: the containers of the old one, which still stand, are not used."""
    bring_up(farm)
    old = farm.inspect("server-1")
    farm.compose("stop")
    farm.run("sh", "-c", "printf 'FROM farm-worker:latest\\nLABEL other=build\\n' | docker build -t farm-worker:latest -")
    try:
        farm.compose("start")
        until(lambda: ready(farm), "50 servers ready", READY_WITHIN_S)
        assert farm.inspect("server-1")["Image"] not in (old["Image"], None)
    finally:
        farm.docker("tag", old["Image"], "farm-worker:latest")
