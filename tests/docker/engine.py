"""A Docker Engine of the tests' own, in a network namespace of its own (see tests/private_dockerd.py); and the base image of a
machine without a registry."""

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
sys.path.insert(0, str(ROOT / "tests"))
import private_dockerd  # noqa: E402

BUILD = ROOT / os.environ.get("BUILD_DIR", "build")
BASE = "debian:12"
DEADLINE = 60
NO_NAMES = ("--dns", "127.0.0.1")  # what looks for a name that is not there is told so at once

# In memory, where the package manager's many syncs cost nothing; it is gone with the mount namespace.
MAKE_BASE = """
mount -t tmpfs tmpfs "$0"
debootstrap --variant=minbase bookworm "$0"
cp /etc/resolv.conf "$0/etc/resolv.conf"
cp "$2" "$0/tmp/install-deps"
chroot "$0" sh /tmp/install-deps build
chroot "$0" apt-get clean
rm "$0/tmp/install-deps"
tar -C "$0" --exclude='./proc/*' --exclude='./sys/*' -cf "$1" .
"""

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
    for program in (*private_dockerd.NEEDS, "docker", "docker-compose", "debootstrap"):
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
        subprocess.run(["unshare", "--mount", "sh", "-ec", MAKE_BASE, tree, tar, ROOT / ".ci" / "install-deps"], check=True,
                       stdout=subprocess.DEVNULL)
        stamp.write_bytes(deps)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    return tar


class Engine:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="farmd-engine-"))
        self.socket = self.directory / "docker.sock"
        self.log = open(self.directory / "log", "wb")
        self.name = self.directory.name
        self.process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
             *private_dockerd.command(self.name, self.directory, *NO_NAMES)],
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
        until(lambda: private_dockerd.remove_cgroups(self.name), "the end of what the Engine ran")
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
