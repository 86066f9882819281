"""Two private Docker daemons in two network namespaces that a veth pair joins, one Swarm of both.

Nothing of the machine is touched (see tests/private_dockerd.py), and all of it goes with `close`."""

import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import private_dockerd  # noqa: E402

HEARTBEAT_S = 2
CLONE_NEWNET = 0x40000000


def missing():
    """What there isn't of what the bed is made with, in a sentence, or None."""
    if os.geteuid() != 0:
        return "not root: network namespaces and daemons of one's own need it"
    lacking = [name for name in private_dockerd.NEEDS if not shutil.which(name)]
    return f"{', '.join(lacking)} not found; fix: apt-get install docker.io iproute2 iptables" if lacking else None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def wait_for(condition, deadline_s, what):
    """Polls until it is true and returns its value."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {deadline_s} s")
        time.sleep(0.1)


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=30)


class Node:
    """One daemon in its namespaces."""

    def __init__(self, folder, name, address):
        self.name, self.address = name, address
        self.folder = os.path.join(folder, name)
        self.socket = os.path.join(self.folder, "docker.sock")
        self.holder = None  # a process that keeps the network namespace; the daemon may be killed
        self.process = None
        os.makedirs(self.folder)

    @property
    def inside(self):
        # not `ip netns exec`: that mounts another /sys, which hides the cgroups, and leaves /run/netns behind
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]

    def open(self):
        self.holder = subprocess.Popen(["unshare", "--net", *private_dockerd.WITH_US, "sleep", "infinity"], start_new_session=True)
        home = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != home, 10, "a network namespace")
        run(*self.inside, "ip", "link", "set", "lo", "up")

    @contextlib.contextmanager
    def network(self):
        """Sockets that are made within are of this node."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as home, open(f"/proc/{self.holder.pid}/ns/net") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                libc.setns(home.fileno(), CLONE_NEWNET)

    def start(self):
        log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(
            [*self.inside, *private_dockerd.command(self.name, self.folder, "--storage-driver", "vfs")],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "DOCKER_SERVICE_PREFER_OFFLINE_IMAGE": "1"})
        log.close()
        wait_for(self.answers, 60, f"the daemon of {self.name}")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon of {self.name} ended: {self.log()}")
        try:
            return self.ask("GET", "/_ping") is not None
        except OSError:
            return False

    def log(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as file:
            return file.read()[-3000:]

    def ask(self, method, path, body=None, timeout=60, raw=None):
        connection = _Connection(self.socket, timeout)
        try:
            data = raw if raw is not None else json.dumps(body) if body is not None else None
            kind = "application/x-tar" if raw is not None else "application/json"
            connection.request(method, "/v1.41" + path, data, {"Content-Type": kind} if data is not None else {})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise AssertionError(f"{method} {path}: {answer.status} {text[:300]!r}")
        try:
            return json.loads(text) if text else {}
        except ValueError:
            return {"text": text.decode(errors="replace")}

    def save_image(self, name):
        connection = _Connection(self.socket, 60)
        try:
            connection.request("GET", f"/v1.41/images/{name}/get")
            answer = connection.getresponse()
            if answer.status != 200:
                raise AssertionError(f"no image {name}: {answer.read()[:200]!r}")
            return answer.read()
        finally:
            connection.close()

    def load_image(self, tar):
        self.ask("POST", "/images/load?quiet=1", raw=tar)

    def family(self):
        """The daemon, its containerd, and the shims: those whose command names the folder."""
        mine = {self.process.pid} if self.process is not None else set()
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/cmdline", "rb") as file:
                        if self.folder.encode() in file.read():
                            mine.add(int(entry))
                except OSError:
                    pass
        return mine

    def children_of(self, pids):
        found = set(pids)
        grew = True
        while grew:
            grew = False
            for entry in os.listdir("/proc"):
                if entry.isdigit() and int(entry) not in found:
                    try:
                        with open(f"/proc/{entry}/stat", "rb") as file:
                            parent = int(file.read().rsplit(b")", 1)[1].split()[1])
                    except (OSError, IndexError, ValueError):
                        continue
                    if parent in found:
                        found.add(int(entry))
                        grew = True
        return found

    def end_all(self):
        for pid in self.children_of(self.family()) - {os.getpid()}:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def kill(self):
        """As a machine that loses its power: the daemon and all that it runs, at once."""
        if self.process is None:
            return
        self.end_all()
        self.process.wait(20)
        self.process = None

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        self.end_all()
        if self.holder is not None:
            self.holder.kill()
            self.holder.wait()
        wait_for(lambda: private_dockerd.remove_cgroups(self.name), 20, f"the end of what {self.name} ran")


class Swarm:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="farmd-swarm-")
        tag = f"fsw{os.getpid() % 100000}"
        self.manager = Node(self.folder, f"{tag}a", "10.213.77.1")
        self.worker = Node(self.folder, f"{tag}b", "10.213.77.2")
        self.nodes = [self.manager, self.worker]

    def open(self):
        for node in self.nodes:
            node.open()
        a, b = self.nodes
        run(*a.inside, "ip", "link", "add", "sw0", "type", "veth", "peer", "name", "sw0", "netns", str(b.holder.pid))
        for node in self.nodes:
            run(*node.inside, "ip", "address", "add", f"{node.address}/24", "dev", "sw0")
            run(*node.inside, "ip", "link", "set", "sw0", "up")
            # the daemon looks for a default route before it believes in an address of its own
            run(*node.inside, "ip", "route", "add", "default", "dev", "sw0")
            node.start()
        return self

    def form(self):
        self.manager.ask("POST", "/swarm/init", {
            "ListenAddr": f"{self.manager.address}:2377", "AdvertiseAddr": self.manager.address,
            "Spec": {"Dispatcher": {"HeartbeatPeriod": HEARTBEAT_S * 10**9}}})
        token = self.manager.ask("GET", "/swarm")["JoinTokens"]["Worker"]
        self.worker.ask("POST", "/swarm/join", {
            "ListenAddr": f"{self.worker.address}:2377", "AdvertiseAddr": self.worker.address,
            "RemoteAddrs": [f"{self.manager.address}:2377"], "JoinToken": token})
        wait_for(lambda: len(self.ready_nodes()) == 2, 30, "a Swarm of two")
        return self

    def ready_nodes(self):
        return [node for node in self.manager.ask("GET", "/nodes") if node["Status"]["State"] == "ready"]

    def close(self):
        try:
            for node in self.nodes:
                node.close()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
