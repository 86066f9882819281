"""Two private Docker daemons in two network namespaces that a veth pair joins, one Swarm of both.

Nothing of the machine is touched: the daemons have their own data, exec root, pid file and socket below one temporary
folder, their bridges and rules live in the namespaces, and all of it goes with `close`."""

import contextlib
import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HEARTBEAT_S = 2
CLONE_NEWNET = 0x40000000
NEEDS = ("dockerd", "ip", "iptables", "nsenter")


def missing():
    """What there isn't of what the bed is made with, in a sentence, or None."""
    if os.geteuid() != 0:
        return "not root: network namespaces and daemons of one's own need it"
    lacking = [name for name in NEEDS if not shutil.which(name)]
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
    """One daemon in its namespace."""

    def __init__(self, folder, name, address):
        self.name, self.address = name, address
        self.folder = os.path.join(folder, name)
        self.namespace = name
        # not `ip netns exec`: that mounts another /sys, which hides the cgroups
        self.inside = ["nsenter", f"--net=/run/netns/{name}"]
        self.socket = os.path.join(self.folder, "docker.sock")
        self.process = None
        os.makedirs(self.folder)

    @contextlib.contextmanager
    def network(self):
        """Sockets that are made within are of this node."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.namespace}") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                libc.setns(home.fileno(), CLONE_NEWNET)

    def start(self):
        log = open(os.path.join(self.folder, "log"), "ab")
        # a host name of its own: it is what Swarm calls the node
        self.process = subprocess.Popen(
            [*self.inside, "unshare", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"', self.name, "dockerd",
             "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec",
             "--pidfile", f"{self.folder}/pid", "-H", f"unix://{self.socket}", "--storage-driver", "vfs"],
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

    def pids(self):
        """Of everything in the namespace, and the daemon's own family."""
        found = subprocess.run(["ip", "netns", "pids", self.namespace], capture_output=True, text=True, timeout=10)
        return [int(pid) for pid in found.stdout.split()]

    def family(self):
        """The daemon, its containerd, the shims and what they run: those whose command or parents name the folder."""
        mine = set(self.pids())
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

    def kill(self):
        """As a machine that loses its power: the daemon and all that it runs, at once."""
        if self.process is None:
            return
        for pid in self.children_of(self.family()) - {os.getpid()}:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.process.wait(20)
        self.process = None

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        for pid in self.children_of(self.family()) - {os.getpid()}:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        mounts = []
        with open("/proc/mounts") as file:
            mounts = [line.split()[1] for line in file if self.folder in line]
        for mount in sorted(mounts, reverse=True):
            subprocess.run(["umount", "-l", mount], stderr=subprocess.DEVNULL, timeout=10)


class Swarm:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="farmd-swarm-")
        tag = f"fsw{os.getpid() % 100000}"
        self.manager = Node(self.folder, f"{tag}a", "10.213.77.1")
        self.worker = Node(self.folder, f"{tag}b", "10.213.77.2")
        self.nodes = [self.manager, self.worker]
        self.made = []

    def open(self):
        for node in self.nodes:
            run("ip", "netns", "add", node.namespace)
            self.made.append(node.namespace)
            run("ip", "-n", node.namespace, "link", "set", "lo", "up")
        a, b = (node.namespace for node in self.nodes)
        run("ip", "-n", a, "link", "add", "sw0", "type", "veth", "peer", "name", "sw0", "netns", b)
        for node in self.nodes:
            run("ip", "-n", node.namespace, "address", "add", f"{node.address}/24", "dev", "sw0")
            run("ip", "-n", node.namespace, "link", "set", "sw0", "up")
            # the daemon looks for a default route before it believes in an address of its own
            run("ip", "-n", node.namespace, "route", "add", "default", "dev", "sw0")
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
        for node in self.nodes:
            node.close()
        for namespace in self.made:
            subprocess.run(["ip", "netns", "delete", namespace], stderr=subprocess.DEVNULL, timeout=10)
        shutil.rmtree(self.folder, ignore_errors=True)
