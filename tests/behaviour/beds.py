"""What the suite runs on. A bed makes farms of one runtime and says of them what only that runtime can tell: what really
runs, which limits the kernel or the Engine has, what is left behind. What it does differently on purpose is in
differences.py. Services are in swarm_bed.py; kinds.py has the list."""

import contextlib
import http.client

import adoptlib
import cgrouplib
import dockerlib
import farmlib
from differences import difference
from farmd_process import Farmd, environment_of, run_farmd
from farmlib import wait_for

SERVERS = 3


class Bed:
    runtime = ""
    has_pids = True  # the next farmd knows servers by them

    def __init__(self):
        self._shared = None
        self.failed = False  # the last test

    def differs(self, name):
        return difference(name, self.runtime)

    # --- farms ---

    def make(self, servers=SERVERS, **kwargs):
        raise NotImplementedError

    def shared(self):
        if self._shared is None:
            self._shared = self.make(SERVERS, spare=3)
            self._shared.start()
        return self._shared

    def end(self, farm):
        """In order, if it runs; nothing may be left."""
        if farm.process is not None and farm.process.poll() is None:
            assert farm.stop() == 0, farm.errors()
            assert self.leftovers(farm) == []

    def end_shared(self):
        farm = self._shared
        try:
            if farm is not None:
                self.end(farm)
        finally:
            self.discard_shared()

    def discard_shared(self):
        farm, self._shared = self._shared, None
        if farm is not None:
            self.discard(farm)

    def discard(self, farm):
        """By force, and whatever it has made."""
        farm.clean()

    def kill(self, farm):
        """Of farmd alone, when it has written down what the API tells, which it does a moment after each change."""
        wait_for(lambda: adoptlib.is_recorded(farm, by_pid=self.has_pids), what="the state being recorded")
        farm.kill()

    def leftovers(self, farm):
        return farm.leftovers()

    def run(self, farm, *words):
        """A farmd to its end, where that of the farm is."""
        return run_farmd(*words, directory=farm.directory, env=farm.env)

    def inside(self):
        """Sockets that are made within are where the farm's are."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def listening(self, port):
        """A program of somebody else, where the farm's ports are."""
        with contextlib.ExitStack() as stack:
            with self.inside():
                stack.enter_context(farmlib.listening(port))
            yield

    # --- servers ---

    def places(self, farm):
        """A server for each kind of place that it can be in, with whether farmd itself is there."""
        return [(1, True)]

    def address(self, farm, server_id):
        """Where it answers with no farmd in between."""
        return "127.0.0.1", farm.base_port + server_id - 1

    def answers(self, host, port):
        try:
            with self.inside():
                return farmlib.request(port, "GET", "/", host=host).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def refuses(self, port):
        with self.inside():
            return farmlib.refuses(port)

    def started_at(self, farm, server_id):
        """By the runtime's own word, where that is what the next farmd goes by."""
        raise NotImplementedError

    def pid(self, farm, server_id):
        """As the runtime knows it, farmd or not."""
        raise NotImplementedError

    def runs(self, farm):
        """{id: pid} of the servers that run."""
        found = {server_id: self.pid(farm, server_id) for server_id in range(1, SERVERS + 4)}
        return {server_id: pid for server_id, pid in found.items() if pid}

    def limits(self, farm, server_id):
        """cpu, memory_mb and pids that are in force; None while it doesn't run."""
        pid = self.pid(farm, server_id)
        try:
            limits = cgrouplib.kernel_limits(pid)
        except (FileNotFoundError, ProcessLookupError):
            return None
        return {key: limits[key] for key in ("cpu", "memory_mb", "pids")}

    def made(self, farm):
        """The ids of servers of which anything is there, if it doesn't run."""
        raise NotImplementedError

    # --- programs ---

    def failing(self, farm):
        """The settings of a group whose program ends at once, with code 2."""
        raise NotImplementedError


class ProcessBed(Bed):
    runtime = "process"

    def make(self, servers=SERVERS, **kwargs):
        return Farmd(servers, **kwargs)

    def _found(self, farm):
        for pid in farm.processes():
            server_id = environment_of(pid).get("SERVER_ID")
            if server_id:
                yield int(server_id), pid

    def pid(self, farm, server_id):
        return dict(self._found(farm)).get(server_id)

    def made(self, farm):
        left = {int(leaf.name.partition("-")[2]) for place in farm.slices for leaf in place.glob("server-*")}
        return left | set(dict(self._found(farm)))

    def failing(self, farm):
        farm.install_worker()
        return "command: [$DIR/farm-worker, --no-such-flag]"


class DockerBed(Bed):
    runtime = "docker"

    def __init__(self, engine):
        super().__init__()
        self.engine = engine
        self.image = None

    def make(self, servers=SERVERS, **kwargs):
        return dockerlib.DockerFarm(self.engine, servers, **kwargs)

    def discard(self, farm):
        super().discard(farm)
        for name in self.engine.names():
            self.engine.command("rm", "-f", name)

    def pid(self, farm, server_id):
        found = self.engine.describe(f"server-{server_id}")
        return found["State"]["Pid"] if found else None

    def made(self, farm):
        return {int(name.partition("-")[2]) for name in self.engine.names() if name.startswith("server-")}

    def failing(self, farm):
        if self.image is None:  # farmd's own, which is there when a farm has run
            self.shared()
            self.image = self.engine.describe("server-1")["Config"]["Image"]
            self.end_shared()
        return f"image: '{self.image}', command: [--no-such-flag]"


class FakeDockerBed(DockerBed):
    """Its containers are plain processes: what the Engine was asked for is all that can be seen of limits."""

    def limits(self, farm, server_id):
        host = self.engine.describe(f"server-{server_id}")["HostConfig"]
        return {"cpu": host["NanoCpus"] / 1e9, "memory_mb": host["Memory"] / 2**20, "pids": host["PidsLimit"]}
