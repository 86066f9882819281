"""Farms of services on the in-tree fake of a Swarm."""

from farmd_process import Farmd
from farmlib import wait_for


class SwarmFarm(Farmd):
    """A farmd of services; its processes are the Engine's."""

    def __init__(self, engine, *args, flags=(), env=None, **kwargs):
        super().__init__(*args, flags=["--runtime", "swarm", *flags], env={"DOCKER_HOST": engine.host, **(env or {})},
                         **kwargs)
        self.engine = engine

    def processes(self):
        return [self.process.pid] if self.process and self.process.poll() is None else []

    def leftovers(self):
        """Swarm ends the tasks of a service that is removed by itself, and a moment later."""
        left = [f"service {service.name}" for service in self.engine.services.values()]
        wait_for(lambda: not any(c.running for c in self.engine.containers.values()), what="the containers being gone")
        return left + super().leftovers()

    def task(self, server_id):
        """The one that runs, or None."""
        with self.engine.lock:
            return next((task for task in self.engine.tasks if task.service.name == f"server-{server_id}" and
                         task.state == "running" and task.desired == "running"), None)

    def at(self, node):
        """The id of a server that runs there."""
        return next(i for i in self.servers() if self.task(i).node == node)

    def updates(self):
        """How often a service was changed so far."""
        return sum(method == "POST" and path.endswith("/update") for method, path in self.engine.requests)
