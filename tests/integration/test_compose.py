"""docker/: the compose file and the Dockerfile, as far as they can be looked at without a Docker Engine."""

import ipaddress
import os
import re
import shutil
import subprocess

import pytest
import yaml

from farmd_process import FARMD
from farmlib import DEADLINE, ROOT

COMPOSE = ROOT / "docker" / "compose.yaml"
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
needs_compose = pytest.mark.skipif(not shutil.which("docker-compose"), reason="no docker-compose here")


def config(file=COMPOSE, **environment):
    """The file as docker-compose understands it, every variable in its place."""
    done = subprocess.run(["docker-compose", "-f", file, "config"], capture_output=True, text=True, timeout=DEADLINE,
                          env={"PATH": os.environ["PATH"], "HOME": "/", **environment})
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


@needs_compose
def test_the_control_plane_may_next_to_nothing():
    farmd = config()["services"]["farmd"]
    assert farmd["cap_drop"] == ["ALL"] and "cap_add" not in farmd and "privileged" not in farmd
    assert farmd["read_only"] is True and farmd["security_opt"] == ["no-new-privileges:true"]
    volumes = dict(volume.split(":", 1) for volume in farmd["volumes"])
    assert volumes["/sys/fs/cgroup"] == "/sys/fs/cgroup:ro"
    assert set(volumes) == {"/var/run/docker.sock", "/sys/fs/cgroup", "state"}


@needs_compose
def test_the_api_is_where_servers_are_not():
    whole = config()
    farmd, networks = whole["services"]["farmd"], whole["networks"]
    address = farmd["environment"]["FARMD_HOST"]
    assert farmd["networks"]["control-network"]["ipv4_address"] == address
    subnet = ipaddress.ip_network(networks["control-network"]["ipam"]["config"][0]["subnet"])
    assert ipaddress.ip_address(address) in subnet
    assert networks["server-network"]["name"] == "server-network"
    assert networks["control-network"]["name"] < networks["server-network"]["name"], "Docker publishes through the first"
    assert all(port.startswith("127.0.0.1:") for port in farmd["ports"]) and len(farmd["ports"]) == 2


@needs_compose
def test_what_a_person_sets_arrives():
    set_by_hand = {"SERVER_COUNT": "7", "SERVER_BASE_PORT": "9001", "SERVER_CPU_LIMIT": "0.25", "SERVER_MEMORY_LIMIT": "64M",
                   "SERVER_CPU_RESERVATION": "0.05", "SERVER_MEMORY_RESERVATION": "32M", "LOG_LEVEL": "DEBUG",
                   "CONTROL_PLANE_PORT": "8100", "DASHBOARD_PORT": "3100"}
    farmd = config(**set_by_hand)["services"]["farmd"]
    assert farmd["environment"].items() >= set_by_hand.items()
    assert farmd["ports"] == ["127.0.0.1:8100:8100/tcp", "127.0.0.1:3100:3100/tcp"]


@needs_compose
def test_farmd_takes_its_environment(tmp_path):
    """All of it are settings of farmd's, with values that it takes: what it then prints says the same."""
    environment = config()["services"]["farmd"]["environment"]
    done = subprocess.run([FARMD, "export", "env"], capture_output=True, text=True, timeout=DEADLINE, cwd=tmp_path,
                          env={"PATH": os.environ["PATH"], **environment})
    assert done.returncode == 0, done.stderr
    printed = dict(line.split("=", 1) for line in done.stdout.splitlines() if re.match(r"[A-Z_]+=", line))
    assert {name: printed.get(name, "").strip("'\"") for name in environment} == environment


@needs_compose
def test_down_finds_the_servers():
    """Their containers are one-off containers of the service that this label names: one that is there and of one image."""
    services = config()["services"]
    named = services["farmd"]["labels"]["farmd.compose.service"]
    assert services[named]["image"] == services["farmd"]["environment"]["FARMD_DOCKER_IMAGE"]
    assert services["farmd"]["container_name"] == services["farmd"]["hostname"], "by which it finds its own labels"


def test_images_are_from_scratch():
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.M)[1:]
    last = {re.search(r"AS (\S+)", stage).group(1): stage for stage in stages if stage.startswith("scratch")}
    assert set(last) == {"farmd", "farm-worker"}
    for name, stage in last.items():
        words = re.findall(r"^([A-Z]+) ", stage, flags=re.M)
        assert set(words) <= {"COPY", "USER", "EXPOSE", "ENTRYPOINT"} and f'ENTRYPOINT ["/{name}"]' in stage
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last["farm-worker"], flags=re.M)


def ignored(path, patterns):
    """As Docker reads .dockerignore: the last line that fits a path, or a folder above it, decides."""
    verdict = False
    for line in patterns:
        pattern = line.lstrip("!")
        if pattern == "*" or path == pattern or path.startswith(pattern + "/"):
            verdict = not line.startswith("!")
    return verdict


def test_a_build_sees_all_that_make_needs(tmp_path):
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    copied = [ROOT / name for name in re.findall(r"^COPY ([^-]\S*) ", DOCKERFILE, flags=re.M)]
    for file in [file for part in copied for file in [part, *part.rglob("*")] if file.is_file()]:
        name = str(file.relative_to(ROOT))
        if not ignored(name, patterns):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tmp_path / name)
    (tmp_path / "build").mkdir()  # make notes its flags there, whatever it is asked for
    assert not (tmp_path / "tests").exists()
    own = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "SANITIZE"}
    done = subprocess.run(["make", "-n", "build"], cwd=tmp_path, env=own, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr


@needs_compose
def test_an_exported_farm_can_be_adopted(tmp_path):
    flags = ["--servers", "2", "--base-port", "9001", "--state-dir", tmp_path / "state"]
    done = subprocess.run([FARMD, "export", "compose", "--image", "farm-worker", *flags], capture_output=True, text=True,
                          timeout=DEADLINE, cwd=tmp_path)
    (tmp_path / "farm.yml").write_text(done.stdout)
    whole = config(tmp_path / "farm.yml")
    assert set(whole["services"]) == {"server-1", "server-2"} and whole["networks"]["default"]["name"] == "server-network"
    second = whole["services"]["server-2"]
    assert second["container_name"] == "server-2" and second["ports"] == ["127.0.0.1:9002:8000/tcp"]
    assert second["labels"]["farmd.server"] == "2" and second["labels"]["farmd.spec"] == "exported"
    assert re.fullmatch(r"farmd-[0-9a-f]{8}", second["labels"]["farmd.instance"])
    assert second["stop_grace_period"].endswith("s") and "." not in second["stop_grace_period"], "the Engine takes no fraction"
    assert second["cap_drop"] == ["ALL"] and second["read_only"] is True and second["user"] == "65534:65534"
