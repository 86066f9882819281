"""A Docker Engine of the tests' own: dockerd with its own root, socket and network namespace, so that no port, no container
and no rule of the machine's own Engine is touched; and the base image of a machine without a registry."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD_DIR", "build")
BASE = "debian:12"
DEADLINE = 60

# In the Engine's network, where its ports are: status and body of one request.
ASK = """
import sys, urllib.request, urllib.error
request = urllib.request.Request(sys.argv[1], method=sys.argv[2], data=sys.argv[3].encode() or None)
try:
    answer = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status); print(answer.read().decode())
"""


def wanting():
    """What is missing here for an Engine, or None."""
    if os.geteuid() != 0:
        return "only root may start a Docker Engine"
    for program in ("dockerd", "docker", "docker-compose", "debootstrap", "nsenter", "unshare", "ip"):
        if not shutil.which(program):
            return f"there is no {program} here"
    return None


def until(condition, what, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"not within {deadline} s: {what}"
        time.sleep(0.1)


def base_tar():
    """Debian 12 with what farmd's build needs, so that a build needs no network; kept for the next time."""
    tar = BUILD / "docker" / "debian-12.tar"
    deps = (ROOT / ".ci" / "install-deps").read_bytes()
    stamp = BUILD / "docker" / "debian-12.deps"
    if tar.exists() and stamp.exists() and stamp.read_bytes() == deps:
        return tar
    tar.parent.mkdir(parents=True, exist_ok=True)
    tree = pathlib.Path(tempfile.mkdtemp(prefix="farmd-debian-"))
    try:
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", tree], check=True, stdout=subprocess.DEVNULL)
        shutil.copy("/etc/resolv.conf", tree / "etc" / "resolv.conf")
        (tree / "tmp" / "install-deps").write_bytes(deps)
        subprocess.run(["chroot", tree, "sh", "/tmp/install-deps", "build"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["chroot", tree, "apt-get", "clean"], check=True)
        (tree / "tmp" / "install-deps").unlink()
        subprocess.run(["tar", "-C", tree, "--exclude=./proc/*", "--exclude=./sys/*", "-cf", tar, "."], check=True)
        stamp.write_bytes(deps)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    return tar


class Engine:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="farmd-engine-"))
        self.socket = self.directory / "docker.sock"
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec dockerd "$@"', "dockerd",
             "--data-root", self.directory / "data", "--exec-root", self.directory / "exec",
             "--pidfile", self.directory / "pid", "-H", f"unix://{self.socket}"],
            stdout=self.log, stderr=self.log, start_new_session=True)
        try:
            until(lambda: self.docker("version", check=False).returncode == 0, "a Docker Engine")
        except BaseException:
            self.close()
            raise

    def close(self):
        """dockerd ends its containers by itself."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def environment(self, **more):
        return dict(os.environ, DOCKER_HOST=f"unix://{self.socket}", DOCKER_BUILDKIT="0",
                    FARMD_DOCKER_SOCKET=str(self.socket), **more)

    def run(self, *command, check=True, timeout=600, **more):
        done = subprocess.run([str(word) for word in command], env=self.environment(**more), cwd=ROOT, text=True,
                              capture_output=True, timeout=timeout)
        if check and done.returncode != 0:
            sys.stderr.write(done.stdout + done.stderr)
            done.check_returncode()
        return done

    def docker(self, *command, check=True, **more):
        return self.run("docker", *command, check=check, **more)

    def compose(self, *command, check=True, **more):
        return self.run("docker-compose", "-f", "docker/compose.yaml", *command, check=check, **more)

    def inspect(self, name):
        return json.loads(self.docker("inspect", name).stdout)[0]

    def names(self, *flags):
        return set(self.docker("ps", *flags, "--format", "{{.Names}}").stdout.split())

    def inside(self, *command, **more):
        """A program in the Engine's network namespace, where its ports are published."""
        return self.run("nsenter", "--target", self.process.pid, "--net", *command, **more)

    def ask(self, url, method="GET", body=""):
        status, text = self.inside("/usr/bin/python3", "-c", ASK, url, method, body).stdout.split("\n", 1)
        return int(status), text
