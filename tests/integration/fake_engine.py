"""A Docker Engine for tests: its API over a Unix socket, with farm-workers as plain processes for containers.

It keeps what farmd relies on (names, labels, states, events, logs in frames, limits on memory), speaks as 1.41 or 1.44 does,
and misbehaves when told to.
"""

import contextlib
import datetime
import http.server
import json
import os
import queue
import re
import secrets
import signal
import socketserver
import struct
import subprocess
import threading
import time
import urllib.parse

import farmlib

SIGNALS = {name[3:]: int(getattr(signal, name)) for name in dir(signal) if name.startswith("SIG") and name[3] != "_"}


def now_ns():
    return time.time_ns()


def stamp(ns):
    seconds, rest = divmod(ns, 10**9)
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"


def nanoseconds(text):
    seconds, _, rest = text.partition(".")
    return int(seconds) * 10**9 + int(rest.ljust(9, "0") or 0)


class Problem(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


class Gate:
    """Requests of one kind wait at it, before anything is done, until it is opened."""

    def __init__(self, method, path):
        self.method, self.path, self.waiting = method, path, 0
        self.opened, self.dropped = threading.Event(), False

    def open(self):
        self.opened.set()

    def drop(self):
        """Those that wait are forgotten, with no answer."""
        self.dropped = True
        self.open()

    def let_through(self, method, path):
        if self.opened.is_set() or method != self.method or not re.fullmatch(self.path, path):
            return True
        self.waiting += 1
        self.opened.wait(farmlib.DEADLINE)
        return not self.dropped


class Container:
    def __init__(self, engine, name, body):
        self.engine, self.name, self.body = engine, name, body
        self.id = secrets.token_hex(32)
        self.host = dict(body.get("HostConfig") or {})
        self.process = None
        self.network_id = ""  # of the network it was started in; None: disconnected
        self.status, self.exit_code, self.oom_killed, self.started_ns = "created", 0, False, 0
        self.lines = []  # (ns, bytes)
        self.written = threading.Condition()

    # --- its process ---

    @property
    def running(self):
        return self.status in ("running", "paused")

    @property
    def port(self):
        bindings = self.host.get("PortBindings") or {}
        return int(next(iter(bindings.values()))[0]["HostPort"]) if bindings else 0

    @property
    def address(self):
        return self.engine.network and f"{self.engine.network}{10 + int(self.body['Labels']['farmd.server'])}"

    def place(self):
        """Where its program listens: it has no network of its own, so at once where the Engine would publish it."""
        return (self.address, 8000) if self.address else ("127.0.0.1", self.port)

    def join_network(self):
        """As the Engine does at every start: by the id that it knows, and by name where it knows none."""
        if self.network_id is None or self.host.get("NetworkMode") != "server-network":
            return
        found = [n["Id"] for n in self.engine.networks.values() if self.network_id in (n["Id"], "")]
        if not found:
            raise Problem(404, f"network {self.network_id or 'server-network'} not found")
        self.network_id = found[0]

    def start(self):
        self.join_network()
        host, port = self.place()
        if self.port and not self.address and not self.engine.port_is_free(host, port):
            raise Problem(500, f"driver failed programming external connectivity on endpoint {self.name}: "
                               f"Bind for 127.0.0.1:{self.port} failed: port is already allocated")
        env = dict(entry.partition("=")[::2] for entry in self.body.get("Env") or [])
        env.update(PORT=str(port), SERVER_PORT=str(port), SERVER_HOST=host)
        program = [*self.engine.entrypoint(self.body.get("Image", "")), *(self.body.get("Cmd") or [])]
        try:
            self.process = subprocess.Popen(program, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            self.exit_code = 127
            raise Problem(400, f'OCI runtime create failed: exec: "{program[0]}": {error.strerror}') from error
        self.status, self.started_ns, self.oom_killed, self.exit_code = "running", now_ns(), False, 0
        self.ending = threading.Event()
        for task in (self._read, self._guard_memory):
            threading.Thread(target=task, args=(self.process,), daemon=True).start()
        self.engine.tell("start", self)

    def _read(self, process):
        for line in process.stdout:
            with self.written:
                self.lines.append((now_ns(), line))
                self.written.notify_all()
        code = process.wait()
        process.stdout.close()
        with self.engine.lock:
            self.status = self.status if self.status == "removing" else "exited"
            self.exit_code = 128 - code if code < 0 else code
            self.ending.set()
            with self.written:
                self.written.notify_all()
            self.engine.tell("die", self, exitCode=str(self.exit_code))

    def _guard_memory(self, process):
        while not self.ending.wait(0.02):
            with contextlib.suppress(OSError, AttributeError):
                if farmlib.process_kb(process.pid, "VmRSS") * 1024 > self.host.get("Memory", 0) > 0:
                    self.oom_killed = True
                    self.engine.tell("oom", self)
                    process.kill()

    def write(self, line, ago_ns=0):
        """As if its program had written it, stamped a little before it got to the log."""
        with self.written:
            self.lines.append((now_ns() - ago_ns, line))
            self.written.notify_all()

    def send(self, number):
        if not self.running:
            raise Problem(409, f"Cannot kill container: {self.name}: Container {self.id} is not running")
        self.engine.tell("kill", self, signal=str(number))
        os.kill(self.process.pid, number)
        if self.status == "paused":  # the Engine lets it go on, so that it can take the signal
            self.freeze(False)

    def freeze(self, frozen):
        if not self.running or (self.status == "paused") == frozen:
            raise Problem(409, f"Container {self.id} is {'already' if frozen else 'not'} paused")
        os.kill(self.process.pid, signal.SIGSTOP if frozen else signal.SIGCONT)
        self.status = "paused" if frozen else "running"
        self.engine.tell("pause" if frozen else "unpause", self)

    def describe(self):
        return {
            "Id": self.id, "Name": "/" + self.name,
            "State": {
                "Status": self.status, "Running": self.running, "Paused": self.status == "paused",
                "OOMKilled": self.oom_killed, "Dead": False, "Error": "", "ExitCode": self.exit_code,
                "Pid": self.process.pid if self.running else 0, "StartedAt": stamp(self.started_ns),
            },
            "Config": {"Image": self.body.get("Image", ""), "Labels": self.body.get("Labels") or {}},
            "HostConfig": self.host,
            "NetworkSettings": {"Networks": {} if self.network_id is None else {"server-network": {
                "IPAddress": self.running and self.address or "", "NetworkID": self.network_id}}},
        }

    def summary(self):
        return {"Id": self.id, "Names": ["/" + self.name], "Image": self.body.get("Image", ""), "State": self.status,
                "Labels": self.body.get("Labels") or {}}


class Engine:
    """Up between start() and stop(). Containers live on while it is down; `keep` says whether they do across a restart."""

    handler = None  # the class of what answers; EngineHandler, below

    def __init__(self, directory, version="1.41"):
        self.socket = str(directory / "engine.sock")
        self.version, self.least_version = version, "1.24"
        self.versions = set()  # that were spoken
        self.lock = threading.RLock()
        self.containers, self.images, self.networks = {}, {}, {}
        self.events, self.followers, self.connections, self.handlers = [], [], set(), set()
        self.requests = []  # (method, path without version and query)
        self.split = False  # every byte of an answer by itself
        self.network = None  # "127.83.7.": containers have addresses of their own there, and publish nothing
        self.gates = []
        self.faults = []  # (method, regular expression of the path, what to do, how often)
        self.server = None

    @property
    def host(self):
        return f"unix://{self.socket}"

    # --- its life ---

    def start(self):
        engine = self
        handler = self.handler

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            request_queue_size = 256

        class Handler(handler):
            pass

        Handler.engine = engine
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        self.server = Server(self.socket, Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self):
        """As kill -9 of it: connections break, containers don't."""
        if not self.server:
            return
        self.server.shutdown()
        self.server.server_close()
        os.unlink(self.socket)
        self.server = None
        with self.lock:
            for follower in self.followers:
                follower.put(None)
            self.followers, self.events = [], []  # it keeps them in memory
            for connection in list(self.connections):
                with contextlib.suppress(OSError):
                    connection.shutdown(2)

    def clean(self):
        self.stop()
        for container in self.containers.values():
            if container.process and container.process.poll() is None:
                os.kill(container.process.pid, signal.SIGCONT)
                container.process.kill()

    # --- what tests do ---

    def misbehave(self, method, path, what, times=1):
        """`what`: a status to answer with (or it and the Engine's words), "stall", "cut" (half an answer) or "drop" (none)."""
        self.faults.append([method, path, what, times])

    def port_is_free(self, host, port):
        return farmlib.port_is_free(port)

    def entrypoint(self, image):
        """farmd's own image has the one program, which is on this machine too; of others the test names a program."""
        return [farmlib.FARM_WORKER] if self.images.get(image) else []

    def break_streams(self, path):
        for handler in [h for h in list(self.handlers) if re.fullmatch(path, h.asked)]:
            with contextlib.suppress(OSError):
                handler.connection.shutdown(2)

    @property
    def busy(self):
        """Whether it is at something that changes what there is."""
        return [h.asked for h in list(self.handlers) if h.working]

    def hold(self, method, path):
        self.gates.append(Gate(method, path))
        return self.gates[-1]

    def by_name(self, name):
        return next((c for c in self.containers.values() if c.name == name), None)

    def command(self, *words):
        """As the docker program would do it."""
        verb, name = words[0], words[-1]
        container = self.by_name(name)
        if verb == "stop":
            container.send(signal.SIGTERM)
            container.ending.wait(farmlib.DEADLINE)
        elif words[:2] == ("kill", "-s"):
            container.send(SIGNALS[words[2]])
        elif verb == "kill":
            container.send(signal.SIGKILL)
            container.ending.wait(farmlib.DEADLINE)
        elif verb == "start":
            container.start()
        elif verb in ("pause", "unpause"):
            container.freeze(verb == "pause")
        elif verb == "rm":
            with self.lock:
                self.remove(container)
        elif verb == "rename":
            container = self.by_name(words[1])
            container.name = words[2]
            self.tell("rename", container)
        elif verb == "update":
            container.host["NanoCpus"] = int(float(words[2]) * 1e9)
            self.tell("update", container)
        elif verb == "network":
            self.change_network(*words[1:])
        elif verb == "create":  # create NAME IMAGE: somebody else's
            self.add(words[1], {"Image": words[2]})
        else:
            raise ValueError(verb)

    def change_network(self, verb, network, name=None):
        """As `docker network connect|disconnect server-network NAME` and `docker network rm server-network`."""
        with self.lock:
            key = next(n["Id"] for n in self.networks.values() if n["Name"] == network)
            if verb == "rm":
                users = [c.name for c in self.containers.values() if c.running and c.network_id == key]
                if users:
                    raise Problem(403, f"error while removing network: network {network} has active endpoints")
                del self.networks[key]
                self.emit("network", "destroy", key, {"name": network})
            else:
                self.connect(self.find(name), key if verb == "connect" else None)

    # --- what it does ---

    def connect(self, container, network_id):
        """To a network, or from its own with None."""
        if (container.network_id is None) == (network_id is None):
            raise Problem(403, f"container {container.id} is {'not' if network_id is None else 'already'} connected")
        of, container.network_id = network_id or container.network_id, network_id
        self.emit("network", "disconnect" if network_id is None else "connect", of,
                  {"container": container.id, "name": "server-network"})

    def emit(self, kind, action, key, attributes):
        with self.lock:
            at = now_ns()
            event = {"Type": kind, "Action": action, "time": at // 10**9, "timeNano": at,
                     "Actor": {"ID": key, "Attributes": attributes}}
            self.events.append(event)
            for follower in self.followers:
                follower.put(event)

    def tell(self, action, container, **attributes):
        self.emit("container", action, container.id,
                  {"name": container.name, **attributes, **(container.body.get("Labels") or {})})

    def find(self, key):
        container = self.containers.get(key) or self.by_name(key)
        if not container:
            raise Problem(404, f"No such container: {key}")
        return container

    def add(self, name, body):
        if self.by_name(name):
            raise Problem(409, f'Conflict. The container name "/{name}" is already in use by container '
                               f'"{self.by_name(name).id}". You have to remove (or rename) that container')
        container = Container(self, name, body)
        self.containers[container.id] = container
        self.tell("create", container)
        return container

    def remove(self, container):
        if container.running:
            container.status, was = "removing", container.process
            self.tell("kill", container, signal="9")
            os.kill(was.pid, signal.SIGKILL)
            self.lock.release()
            try:
                container.ending.wait(farmlib.DEADLINE)
            finally:
                self.lock.acquire()
        self.containers.pop(container.id, None)
        self.tell("destroy", container)


class EngineHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine = None
    routes = ()  # ROUTES, below

    def setup(self):
        super().setup()
        self.engine.connections.add(self.connection)
        self.asked, self.working = "", False
        self.engine.handlers.add(self)

    def finish(self):
        self.engine.connections.discard(self.connection)
        self.engine.handlers.discard(self)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self):
        with contextlib.suppress(OSError):  # the other side has gone
            super().handle()

    def address_string(self):
        return "unix"

    def log_message(self, *args):
        pass

    # --- writing ---

    def put(self, data):
        pieces = [data[i:i + 1] for i in range(len(data))] if self.engine.split else [data]
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()

    def chunk(self, data):
        self.put(b"%x\r\n%s\r\n" % (len(data), data))

    def head(self, status, headers):
        lines = [f"HTTP/1.1 {status} X", f"Api-Version: {self.engine.version}",
                 *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        self.put("\r\n".join(lines).encode())

    def answer(self, status, value=None, cut=False):
        data = b"" if value is None else json.dumps(value).encode()
        if status in (204, 304):
            self.head(status, {})
            return
        self.head(status, {"Content-Type": "application/json", "Content-Length": len(data)})
        self.put(data[:len(data) // 2] if cut else data)
        if cut:
            self.close_connection = True
            self.connection.shutdown(2)

    def begin_stream(self):
        self.head(200, {"Content-Type": "application/octet-stream", "Transfer-Encoding": "chunked"})

    # --- requests ---

    def handle_one(self):
        url = urllib.parse.urlsplit(self.path)
        versioned = re.match(r"/v([0-9.]+)/", url.path)
        path = url.path[versioned.end() - 1:] if versioned else url.path
        query = dict(urllib.parse.parse_qsl(url.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.engine.requests.append((self.command, path))
        self.asked = path
        if not all(gate.let_through(self.command, path) for gate in self.engine.gates):
            self.close_connection = True
            return
        cut = False
        for fault in self.engine.faults:
            if fault[3] > 0 and fault[0] == self.command and re.fullmatch(fault[1], path):
                fault[3] -= 1
                if fault[2] == "stall":
                    time.sleep(farmlib.DEADLINE)
                if fault[2] in ("drop", "stall"):
                    self.close_connection = True
                    return
                if fault[2] != "cut":
                    status, words = fault[2] if isinstance(fault[2], tuple) else (fault[2], "the fake is told to fail")
                    self.answer(status, {"message": words})
                    return
                cut = True
        try:
            self.check_version(versioned and versioned[1], path)
            for method, pattern, function in self.routes:
                match = method == self.command and re.fullmatch(pattern, path)
                if match:
                    function(self, query, body, *match.groups(), **({"cut": True} if cut else {}))
                    return
            raise Problem(404, "page not found")
        except Problem as problem:
            self.answer(problem.status, {"message": problem.message})

    def do_GET(self):
        self.handle_one()

    def do_POST(self):
        self.working = True
        try:
            self.handle_one()
        finally:
            self.working = False

    do_DELETE = do_POST

    def check_version(self, asked, path):
        """farmd puts one in front of every path but the first it asks for."""
        if asked is None:
            assert path == "/_ping", f"{path} without a version"
            return
        number = [int(part) for part in asked.split(".")]
        if number > [int(part) for part in self.engine.version.split(".")]:
            raise Problem(400, f"client version {asked} is too new. Maximum supported API version is {self.engine.version}")
        if number < [int(part) for part in self.engine.least_version.split(".")]:
            raise Problem(400, f"client version {asked} is too old. "
                               f"Minimum supported API version is {self.engine.least_version}")
        self.engine.versions.add(asked)

    def ping(self, query, body):
        self.answer(200, "OK")

    def info(self, query, body):
        self.answer(200, {"CgroupVersion": "1", "CpuCfsQuota": True, "MemoryLimit": True, "PidsLimit": True})

    def image(self, query, body, name):
        if name not in self.engine.images:
            raise Problem(404, f"No such image: {name}")
        self.answer(200, {"Id": name})

    def import_image(self, query, body):
        assert body[257:262] == b"ustar"
        self.engine.images[f"{query['repo']}:{query['tag']}"] = len(body)
        self.answer(200, {"status": "sha256:0"})

    def network(self, query, body, name):
        found = [n for n in self.engine.networks.values() if name in (n["Name"], n["Id"])]
        if not found:
            raise Problem(404, f"network {name} not found")
        self.answer(200, found[0])

    def make_network(self, query, body):
        wanted = json.loads(body)
        network = {"Id": secrets.token_hex(32), "Name": wanted["Name"], "Labels": wanted.get("Labels") or {}}
        self.engine.networks[network["Id"]] = network
        self.answer(201, {"Id": network["Id"]})

    def remove_network(self, query, body, name):
        with self.engine.lock:
            if not self.engine.networks.pop(name, None):
                raise Problem(404, f"network {name} not found")
            self.engine.emit("network", "destroy", name, {"name": "server-network"})
        self.answer(204)

    def connect_network(self, query, body, name):
        with self.engine.lock:
            found = [n["Id"] for n in self.engine.networks.values() if name in (n["Name"], n["Id"])]
            if not found:
                raise Problem(404, f"network {name} not found")
            self.engine.connect(self.engine.find(json.loads(body)["Container"]), found[0])
        self.answer(200)

    def list(self, query, body, cut=False):
        filters = json.loads(query.get("filters") or "{}")
        with self.engine.lock:
            found = [c for c in self.engine.containers.values() if query.get("all") or c.running]
        for label in filters.get("label") or []:
            key, _, value = label.partition("=")
            found = [c for c in found if (c.body.get("Labels") or {}).get(key) == value]
        for port in filters.get("publish") or []:
            found = [c for c in found if c.port == int(port.split("/")[0])]
        if "network" in filters:
            found = [c for c in found if c.host.get("NetworkMode") == "server-network"]
        self.answer(200, [c.summary() for c in found], cut)

    def create(self, query, body, cut=False):
        with self.engine.lock:
            wanted = json.loads(body)
            if wanted["Image"] not in self.engine.images:
                raise Problem(404, f"No such image: {wanted['Image']}")
            container = self.engine.add(query["name"], wanted)
        self.answer(201, {"Id": container.id, "Warnings": []}, cut)

    def inspect(self, query, body, key, cut=False):
        with self.engine.lock:
            container = self.engine.find(key).describe()
        self.answer(200, container, cut)

    def act(self, query, body, key, verb, cut=False):
        with self.engine.lock:
            container = self.engine.find(key)
            if verb == "start" and container.running:
                self.answer(304)
                return
            if verb == "start":
                container.start()
            elif verb == "kill":
                name = query.get("signal", "KILL")
                container.send(int(name) if name.isdigit() else SIGNALS[name])
            elif verb in ("pause", "unpause"):
                container.freeze(verb == "pause")
            elif verb == "rename":
                container.name = query["name"]
                self.engine.tell("rename", container)
            else:
                container.host.update(json.loads(body))
                self.engine.tell("update", container)
        if cut:
            self.answer(200, {"Warnings": None}, cut)
        elif verb == "update":
            self.answer(200, {"Warnings": None})
        else:
            self.answer(204)

    def stats(self, query, body, key):
        with self.engine.lock:
            container = self.engine.find(key)
            pid = container.process.pid if container.running else None
        memory = farmlib.process_kb(pid, "VmRSS") * 1024 if pid else 0
        self.answer(200, {
            "cpu_stats": {"cpu_usage": {"total_usage": 10**6}, "throttling_data": {}},
            "memory_stats": {"usage": memory, "stats": {"inactive_file": 0}}, "pids_stats": {"current": 1},
        })

    def remove(self, query, body, key):
        with self.engine.lock:
            container = self.engine.find(key)
            if container.running and not query.get("force"):
                raise Problem(409, "You cannot remove a running container")
            self.engine.remove(container)
        self.answer(204)

    def logs(self, query, body, key):
        container = self.engine.find(key)
        seconds, _, rest = query.get("since", "0").partition(".")
        since, at = int(seconds) * 10**9 + int(rest.ljust(9, "0") or 0), 0
        self.begin_stream()
        while True:
            with container.written:
                container.written.wait_for(lambda: len(container.lines) > at or not container.running, 0.2)
                lines, at, running = container.lines[at:], len(container.lines), container.running
            for when, line in lines:
                if when >= since:
                    if query.get("timestamps"):
                        line = stamp(when).encode() + b" " + line
                    self.chunk(struct.pack(">BxxxI", 1, len(line)) + line)
            if not running and not lines:
                break
            if self.engine.server is None:
                return
        self.put(b"0\r\n\r\n")

    def follow_events(self, query, body):
        since, until = (nanoseconds(query.get(word, "0")) for word in ("since", "until"))
        filters = json.loads(query["filters"])
        follower = queue.Queue()
        with self.engine.lock:
            for event in self.engine.events[-256:]:
                if event["timeNano"] >= since:
                    follower.put(event)
            if until:
                follower.put(None)
            else:
                self.engine.followers.append(follower)
        self.begin_stream()
        while (event := follower.get()) is not None:
            said = {"type": event.get("Type", "container"), "event": event.get("Action", "die"),
                    "container": event.get("Actor", {}).get("ID")}
            if all(said[key] in wanted for key, wanted in filters.items()):
                self.chunk(json.dumps(event).encode() + b"\n")
        if until:
            self.put(b"0\r\n\r\n")


ROUTES = [
    ("GET", "/_ping", EngineHandler.ping),
    ("GET", "/info", EngineHandler.info),
    ("GET", "/events", EngineHandler.follow_events),
    ("GET", "/images/(.+)/json", EngineHandler.image),
    ("POST", "/images/create", EngineHandler.import_image),
    ("GET", "/networks/([^/]+)", EngineHandler.network),
    ("POST", "/networks/create", EngineHandler.make_network),
    ("DELETE", "/networks/([^/]+)", EngineHandler.remove_network),
    ("POST", "/networks/([^/]+)/connect", EngineHandler.connect_network),
    ("GET", "/containers/json", EngineHandler.list),
    ("POST", "/containers/create", EngineHandler.create),
    ("GET", "/containers/([^/]+)/json", EngineHandler.inspect),
    ("GET", "/containers/([^/]+)/logs", EngineHandler.logs),
    ("GET", "/containers/([^/]+)/stats", EngineHandler.stats),
    ("POST", "/containers/([^/]+)/(start|kill|pause|unpause|rename|update)", EngineHandler.act),
    ("DELETE", "/containers/([^/]+)", EngineHandler.remove),
]

EngineHandler.routes = ROUTES
Engine.handler = EngineHandler
