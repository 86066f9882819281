"""Services on a Swarm: the real one of two nodes (tests/swarm), where farmd runs in the namespace of the manager."""

import contextlib
import pathlib
import shutil
import subprocess
import tempfile

import fake_swarm
import farmlib
import swarmbed
from beds import SERVERS, Bed
from farmd_process import FARMD, Farmd
from farmlib import wait_for

WANTED = ("new", "accepted", "ready", "running")


class SwarmFarm(Farmd):
    """A farmd of services, on the manager."""

    def __init__(self, bed, *args, flags=(), env=None, **kwargs):
        super().__init__(*args, flags=["--runtime", "swarm", *flags], env={"DOCKER_HOST": bed.host, **(env or {})}, **kwargs)
        self.bed = bed

    def start(self, wait=True, prefix=(), **kwargs):
        return super().start(wait, [*self.bed.prefix, *prefix], **kwargs)

    def request(self, *args, **kwargs):
        with self.bed.inside():
            return super().request(*args, **kwargs)

    def worker(self, *args, **kwargs):
        with self.bed.inside():
            return super().worker(*args, **kwargs)

    def processes(self):
        return [self.process.pid] if self.process and self.process.poll() is None else []

    def leftovers(self):
        """Swarm ends the tasks of a service that is removed by itself, and a moment later."""
        left = [f"service {name}" for name in self.bed.services()]
        wait_for(lambda: not self.bed.containers(), what="the containers being gone")
        with self.bed.inside():
            return left + super().leftovers()


class SwarmBed(Bed):
    """Over `ask(method, path)` of the manager's Engine."""

    runtime = "swarm"
    has_pids = False
    prefix = ()  # what runs a program where farmd is to be
    host = ""
    image = None

    def ask_engine(self, method, path):
        raise NotImplementedError

    def make(self, servers=SERVERS, **kwargs):
        return SwarmFarm(self, servers, **kwargs)

    def services(self):
        return {service["Spec"]["Name"]: service for service in self.ask_engine("GET", "/services")}

    def tasks(self):
        """{id of the server: its task}, of those that run and are to run."""
        return {int(task["Spec"]["ContainerSpec"]["Labels"]["farmd.server"]): task
                for task in self.ask_engine("GET", "/tasks")
                if task["DesiredState"] in WANTED and task["Status"]["State"] == "running"}

    def pid(self, farm, server_id):
        return self.runs(farm).get(server_id)

    def runs(self, farm):
        return {server_id: task["Status"]["ContainerStatus"]["PID"] for server_id, task in self.tasks().items()}

    def made(self, farm):
        return {int(name.partition("-")[2]) for name in self.services()}

    def nodes(self):
        """Name and address of each; farmd's own first."""
        raise NotImplementedError

    def containers(self):
        raise NotImplementedError

    def node_of(self, server_id):
        """By the word of Swarm, which calls the manager by any address of its own."""
        name = self.ask_engine("GET", f"/nodes/{self.tasks()[server_id]['NodeID']}")["Description"]["Hostname"]
        return name, dict(self.nodes())[name]

    def places(self, farm):
        """One on farmd's node, and one on the other: Swarm spreads three so that there is one of each."""
        found = {self.node_of(server_id)[0]: server_id for server_id in self.tasks()}
        (here, _), (far, _) = self.nodes()
        return [(found[here], True), (found[far], False)]

    def started_at(self, farm, server_id):
        return self.tasks()[server_id]["Status"]["Timestamp"]

    def address(self, farm, server_id):
        return self.node_of(server_id)[1], farm.base_port + server_id - 1

    def discard(self, farm):
        super().discard(farm)
        for service in self.services().values():
            self.ask_engine("DELETE", f"/services/{service['ID']}")
        wait_for(lambda: not self.containers(), what="the containers being gone")

    def run(self, farm, *words):
        return subprocess.run([*self.prefix, FARMD, *words], cwd=farm.directory, env=farm.env, capture_output=True,
                              text=True, timeout=farmlib.DEADLINE)

    def failing(self, farm):
        if self.image is None:  # farmd's own, which is there when a farm has run
            self.shared()
            self.image = self.services()["server-1"]["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
            self.end_shared()
        return f"image: '{self.image}', command: [--no-such-flag]"


class RealSwarmBed(SwarmBed):
    def __init__(self, swarm):
        super().__init__()
        self.swarm = swarm
        self.prefix = swarm.manager.inside
        self.host = f"unix://{swarm.manager.socket}"

    def ask_engine(self, method, path):
        return self.swarm.manager.ask(method, path)

    def inside(self):
        return self.swarm.manager.network()

    def nodes(self):
        return [(node.name, node.address) for node in self.swarm.nodes]

    def containers(self):
        return [container for node in self.swarm.nodes for container in node.ask("GET", "/containers/json")]

    def give_image(self):
        """farmd makes its image on its own node; the other one gets it as a person would bring it there."""
        farm = self.make(servers=1).start(wait=False)
        try:
            service = wait_for(lambda: self.services().get("server-1"), what="the first service")
            image = service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
            self.swarm.worker.load_image(self.swarm.manager.save_image(image))
            farm.wait_ready()
            self.end(farm)
        finally:
            self.discard(farm)


class FakeSwarmBed(SwarmBed):
    """Its tasks are plain processes, as the containers of the fake Engine are."""

    def __init__(self, engine):
        super().__init__()
        self.engine = engine
        self.host = engine.host

    def ask_engine(self, method, path):
        return self.engine.ask(method, path)

    def nodes(self):
        return list(fake_swarm.ADDRESSES.items())

    def containers(self):
        return [container for container in self.engine.containers.values() if container.running]

    def limits(self, farm, server_id):
        task = self.tasks().get(server_id)
        if task is None:
            return None
        host = self.engine.containers[task["Status"]["ContainerStatus"]["ContainerID"]].host
        return {"cpu": host["NanoCpus"] / 1e9, "memory_mb": host["Memory"] / 2**20, "pids": host["PidsLimit"]}


@contextlib.contextmanager
def open_fake():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="farmd-engine-"))
    engine = fake_swarm.SwarmEngine(directory)
    try:
        yield FakeSwarmBed(engine.start())
    finally:
        engine.end()
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def open_real():
    missing = swarmbed.missing()
    assert missing is None, missing
    swarm = swarmbed.Swarm()
    try:
        swarm.open().form()
        bed = RealSwarmBed(swarm)
        bed.give_image()
        yield bed
    finally:
        swarm.close()
