"""Farms of containers: on the in-tree fake of the Engine, or on a real one of the tests' own (FARMD_TEST_ENGINE=real)."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import farmlib
from fake_engine import Engine
from farmd_process import Farmd
from farmlib import wait_for

REAL = os.environ.get("FARMD_TEST_ENGINE") == "real"


class Dockerd:
    """A real Engine with nothing in common with the machine's own: data root, exec root, pid file, socket, bridge."""

    version = "real"

    def __init__(self, directory, flags=()):
        self.directory = pathlib.Path(directory)
        self.socket = str(self.directory / "docker.sock")
        self.flags = list(flags)
        self.process = None

    @property
    def host(self):
        return f"unix://{self.socket}"

    def start(self):
        """In a network that tests/run has made for it: dockerd changes the packet filter and settings of the one it is in."""
        others = [name for _, name in socket.if_nameindex() if not name.startswith(("lo", "br-", "veth"))]
        assert not others, f"this network is the machine's ({others}): start this by tests/run docker"
        with open(self.directory / "dockerd.log", "ab") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", self.directory / "data", "--exec-root", self.directory / "exec",
                 "--pidfile", self.directory / "pid", "-H", self.host, "--storage-driver", "vfs", "--bridge", "none",
                 *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_for(self._answers, what="dockerd answering")
        return self

    def _answers(self):
        assert self.process.poll() is None, (self.directory / "dockerd.log").read_text()[-3000:]
        return self._docker("version").returncode == 0

    def _docker(self, *words):
        return subprocess.run(["docker", *words], env={**os.environ, "DOCKER_HOST": self.host}, capture_output=True,
                              text=True, timeout=farmlib.DEADLINE)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """In order, and all that it ran."""
        if self.process is None:
            return
        if self.process.poll() is None:
            names = self._docker("ps", "-aq").stdout.split()
            if names:
                self._docker("rm", "-f", *names)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._end_containerd()

    def _end_containerd(self):
        """dockerd that was killed leaves its containerd, and that its shims: found by the exec root that they name."""
        for _ in range(100):
            pids = [int(p.name) for p in pathlib.Path("/proc").iterdir() if p.name.isdigit() and self._names_us(p)]
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not pids:
                break
        for line in reversed(pathlib.Path("/proc/self/mounts").read_text().splitlines()):
            if line.split()[1].startswith(str(self.directory)):
                subprocess.run(["umount", "-l", line.split()[1]], check=False)

    def _names_us(self, process):
        try:
            return str(self.directory / "exec") in (process / "cmdline").read_text()
        except OSError:
            return False

    def command(self, *words):
        done = self._docker(*words)
        assert done.returncode == 0, done.stderr

    def describe(self, name):
        done = self._docker("inspect", name)
        return json.loads(done.stdout)[0] if done.returncode == 0 else None

    def names(self):
        return set(self._docker("ps", "-a", "--format", "{{.Names}}").stdout.split())

    def network_names(self):
        return set(self._docker("network", "ls", "--format", "{{.Name}}").stdout.split())


class FakeEngine(Engine):
    def end(self):
        self.clean()

    def describe(self, name):
        container = self.by_name(name)
        return container.describe() if container else None

    def names(self):
        return {container.name for container in self.containers.values()}

    def network_names(self):
        return {network["Name"] for network in self.networks.values()}


def make_engine(version="1.41", flags=()):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="farmd-engine-"))
    return Dockerd(directory, flags) if REAL else FakeEngine(directory, version)


@contextlib.contextmanager
def an_engine(version="1.41", flags=()):
    engine = make_engine(version, flags)
    try:
        yield engine.start()
    finally:
        engine.end()
        shutil.rmtree(pathlib.Path(engine.socket).parent, ignore_errors=True)


class DockerFarm(Farmd):
    """A farmd of containers; its processes are the Engine's."""

    def __init__(self, engine, *args, flags=(), env=None, **kwargs):
        super().__init__(*args, flags=["--runtime", "docker", *flags], env={"DOCKER_HOST": engine.host, **(env or {})},
                         **kwargs)
        self.engine = engine

    def processes(self):
        return [self.process.pid] if self.process and self.process.poll() is None else []

    def leftovers(self):
        left = super().leftovers()
        left += [f"container {name}" for name in self.engine.names() if name.startswith("server-")]
        left += [f"network {name}" for name in self.engine.network_names() if name == "server-network"]
        return left
