"""A manager of a Swarm of two nodes for tests, on top of the fake Engine: services, their tasks, and the orchestrator that
makes one of the other. Both nodes are this machine: `far` has the address 127.0.0.2, and its tasks listen there.

What of Swarm it cannot show: placing by reservations, images that a node lacks, the overlay network, a node that is lost.
Those are tests/swarm's, on the real one."""

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import threading

import farmlib
from fake_engine import ROUTES, Container, Engine, EngineHandler, Problem, now_ns, stamp

HERE, FAR = "here", "far"
ADDRESSES = {HERE: "127.0.0.1", FAR: "127.0.0.2"}
TICK_S = 0.02
MAKING_NS = 500_000_000  # what a real Engine takes to make a container: Swarm tells of a task well before it runs
OVER = ("complete", "failed", "shutdown", "rejected")


class TaskContainer(Container):
    def __init__(self, engine, task):
        spec = task.spec["ContainerSpec"]
        limits = task.spec["Resources"]["Limits"]
        ports = {f"{p['TargetPort']}/tcp": [{"HostIp": "", "HostPort": str(p["PublishedPort"])}] for p in task.service.ports}
        super().__init__(engine, f"{task.service.name}.1.{task.id}", {
            "Image": spec["Image"], "Cmd": spec.get("Args"), "Env": spec["Env"], "Labels": spec["Labels"],
            "HostConfig": {"NanoCpus": limits["NanoCPUs"], "Memory": limits["MemoryBytes"], "PidsLimit": limits["Pids"],
                           "PortBindings": ports}})
        self.node = task.node

    def place(self):
        return ADDRESSES[self.node], self.port


class Task:
    def __init__(self, service, node, start_ns):
        self.service, self.node, self.start_ns = service, node, start_ns
        self.id = secrets.token_hex(12)
        self.spec = service.spec["TaskTemplate"]
        self.desired = "running" if start_ns <= now_ns() else "ready"
        self.created = stamp(now_ns())
        self.container, self.error, self.term_ns = None, "", 0
        self.enter("ready")

    def enter(self, state):
        self.state, self.entered = state, stamp(now_ns())

    @property
    def is_over(self):
        return self.state in OVER

    def describe(self):
        status = {"State": self.state, "Timestamp": self.entered, "Err": self.error}
        if self.container:
            running = self.container.running
            status["ContainerStatus"] = {"ContainerID": self.container.id, "ExitCode": self.container.exit_code,
                                         "PID": self.container.process.pid if running else 0}
        return {"ID": self.id, "ServiceID": self.service.id, "NodeID": self.node, "CreatedAt": self.created,
                "DesiredState": self.desired, "Status": status, "Spec": self.spec, "Slot": 1}


class Service:
    def __init__(self, spec):
        self.id, self.spec, self.index = secrets.token_hex(12), spec, 1
        self.leaving = False
        self.restarts_ns = []
        self.spent = None  # the specification of a task that its policy does not restart

    @property
    def name(self):
        return self.spec["Name"]

    @property
    def ports(self):
        return self.spec["EndpointSpec"]["Ports"]

    @property
    def wanted(self):
        return 0 if self.leaving else self.spec["Mode"]["Replicated"]["Replicas"]

    def describe(self):
        return {"ID": self.id, "Version": {"Index": self.index}, "Spec": self.spec}

    def may_restart(self, task):
        """By its policy, and notes that it did."""
        policy = task.spec["RestartPolicy"]
        if policy["Condition"] == "none" or (policy["Condition"] == "on-failure" and task.state == "complete"):
            return False
        most, window = policy.get("MaxAttempts", 0), policy.get("Window", 0)
        recent = [at for at in self.restarts_ns if not window or at > now_ns() - window]
        if most and len(recent) >= most:
            return False
        self.restarts_ns.append(now_ns())
        return True


class SwarmHandler(EngineHandler):
    def info(self, query, body):
        self.answer(200, {"CgroupVersion": "1", "CpuCfsQuota": True, "MemoryLimit": True, "PidsLimit": True, "Name": HERE,
                          "Swarm": {"LocalNodeState": "active", "ControlAvailable": True, "NodeID": HERE}})

    def nodes(self, query, body):
        self.answer(200, [self._node(name) for name in ADDRESSES])

    def node(self, query, body, name):
        self.answer(200, self._node(name))

    @staticmethod
    def _node(name):
        return {"ID": name, "Description": {"Hostname": name}, "Status": {"State": "ready", "Addr": ADDRESSES[name]}}

    def services(self, query, body):
        with self.engine.lock:
            found = [s.describe() for s in self.engine.services.values() if self._has_labels(s.spec["Labels"], query)]
        self.answer(200, found)

    def tasks(self, query, body, cut=False):
        states = json.loads(query.get("filters") or "{}").get("desired-state")
        with self.engine.lock:
            if self.engine.empty_lists > 0:
                self.engine.empty_lists -= 1
                self.answer(200, [])
                return
            found = [t.describe() for t in self.engine.tasks if self._has_labels(t.spec["ContainerSpec"]["Labels"], query)]
        self.answer(200, [t for t in found if not states or t["DesiredState"] in states], cut)

    @staticmethod
    def _has_labels(labels, query):
        wanted = json.loads(query.get("filters") or "{}").get("label") or []
        return all(labels.get(key) == value for key, _, value in (label.partition("=") for label in wanted))

    def service(self, query, body, key):
        with self.engine.lock:
            found = self.engine.service(key).describe()
        self.answer(200, found)

    def create_service(self, query, body, cut=False):
        spec = json.loads(body)
        with self.engine.lock:
            if any(s.name == spec["Name"] for s in self.engine.services.values()):
                raise Problem(409, f"rpc error: code = AlreadyExists desc = name conflicts with an existing object: "
                                   f"service {spec['Name']} already exists")
            made = self.engine.add_service(spec)
        self.answer(201, {"ID": made.id}, cut)

    def update_service(self, query, body, key, cut=False):
        with self.engine.lock:
            service = self.engine.service(key)
            if int(query["version"]) != service.index:
                raise Problem(500, "rpc error: code = Unknown desc = update out of sequence")
            service.spec = json.loads(body)
            service.index += 1
        self.answer(200, {"Warnings": None}, cut)

    def remove_service(self, query, body, key):
        with self.engine.lock:
            service = self.engine.service(key)
            service.leaving = True
            self.engine.services.pop(service.id)
        self.answer(200)

    def task(self, query, body, key):
        with self.engine.lock:
            found = self.engine.task(key).describe()
        self.answer(200, found)

    def task_logs(self, query, body, key):
        self.logs(query, body, self.engine.task(key).container.id)

    def inspect(self, query, body, key, cut=False):
        with self.engine.lock:
            if self.engine.find(key).node != HERE:
                raise Problem(404, f"No such container: {key}")
        super().inspect(query, body, key, cut)

    routes = [
        ("GET", "/info", info),
        ("GET", "/nodes", nodes),
        ("GET", "/nodes/([^/]+)", node),
        ("GET", "/services", services),
        ("POST", "/services/create", create_service),
        ("GET", "/services/([^/]+)", service),
        ("POST", "/services/([^/]+)/update", update_service),
        ("DELETE", "/services/([^/]+)", remove_service),
        ("GET", "/tasks", tasks),
        ("GET", "/tasks/([^/]+)", task),
        ("GET", "/tasks/([^/]+)/logs", task_logs),
        ("GET", "/containers/([^/]+)/json", inspect),
        *ROUTES,
    ]


class SwarmEngine(Engine):
    handler = SwarmHandler

    def __init__(self, directory, version="1.41"):
        super().__init__(directory, version)
        self.services, self.tasks, self.empty_lists = {}, [], 0
        self.at_work = threading.Event()  # cleared: what is asked for is written down, and nothing of it done yet
        self.at_work.set()
        self._ended = threading.Event()
        self._orchestrator = threading.Thread(target=self._orchestrate, daemon=True)
        self._orchestrator.start()

    def end(self):
        self._ended.set()
        self._orchestrator.join()
        self.clean()

    def port_is_free(self, host, port):
        if host == ADDRESSES[HERE]:
            return farmlib.port_is_free(port)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return True
        return False

    def service(self, key):
        """By its id or its name."""
        found = self.services.get(key) or next((s for s in self.services.values() if s.name == key), None)
        if not found:
            raise Problem(404, f"service {key} not found")
        return found

    def task(self, key):
        found = [task for task in self.tasks if task.id == key]
        if not found:
            raise Problem(404, f"task {key} not found")
        return found[0]

    def add_service(self, spec):
        made = Service(spec)
        self.services[made.id] = made
        return made

    def forget_tasks(self, times):
        """Lists of tasks are empty so often."""
        self.empty_lists = times

    @property
    def disturbed(self):
        return self.empty_lists > 0 or any(fault[3] > 0 for fault in self.faults)

    def fail_for_good(self, name):
        """The task that waits for its turn fails before it runs, and was the last that its service's policy allows."""
        with self.lock:
            service = self.service(name)
            task = next(t for t in self.tasks if t.service is service and t.desired == "ready")
            task.error = "starting container failed: it was told to"
            task.enter("failed")
            task.desired, service.spent = "shutdown", task.spec

    def ask(self, method, path):
        """As a client of its socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(farmlib.DEADLINE)
            client.connect(self.socket)
            client.sendall(f"{method} /v{self.version}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = http.client.HTTPResponse(client, method=method)
            answer.begin()
            text = answer.read()
        assert answer.status < 400, (method, path, text)
        return json.loads(text) if text else None

    # --- the orchestrator ---

    def _orchestrate(self):
        while not self._ended.wait(TICK_S):
            with self.lock:
                if not self.at_work.is_set():
                    continue
                for task in list(self.tasks):
                    task.desired = "shutdown" if task.service.leaving else task.desired
                    self._go_on(task)
                for service in list(self.services.values()):
                    self._reconcile(service)
                self.tasks = [t for t in self.tasks if not (t.service.leaving and t.is_over)]

    def _go_on(self, task):
        if task.is_over:
            return
        if task.desired == "shutdown":
            self._shut_down(task)
        elif task.container is None and task.start_ns <= now_ns():
            task.desired = "running"
            if task.start_ns + MAKING_NS <= now_ns():
                self._run(task)
        elif task.container is not None and not task.container.running:
            self._note_end(task)

    def _run(self, task):
        task.container = TaskContainer(self, task)
        self.containers[task.container.id] = task.container
        try:
            task.container.start()
            task.enter("running")
        except Problem as problem:
            task.error = problem.message
            task.enter("failed")

    def _note_end(self, task):
        code = task.container.exit_code
        task.error = f"task: non-zero exit ({code})" if code else ""
        task.enter("failed" if code else "complete")

    def _shut_down(self, task):
        """SIGTERM, and SIGKILL when its grace period is over."""
        if task.container is None or not task.container.running:
            task.enter("shutdown")
            return
        if not task.term_ns:
            task.term_ns = now_ns()
            task.container.send(signal.SIGTERM)
        elif now_ns() > task.term_ns + task.spec["ContainerSpec"]["StopGracePeriod"]:
            os.kill(task.container.process.pid, signal.SIGKILL)

    def _reconcile(self, service):
        for task in [t for t in self.tasks if t.service is service and t.desired != "shutdown"]:
            if not service.wanted or task.spec != service.spec["TaskTemplate"]:
                task.desired = "shutdown"
            elif task.is_over:  # its successor waits for its delay, so it is not over
                task.desired = "shutdown"
                if service.may_restart(task):
                    self._place(service, now_ns() + task.spec["RestartPolicy"].get("Delay", 0))
                else:
                    service.spent = task.spec
        alone = all(task.is_over for task in self.tasks if task.service is service)
        if service.wanted and alone and service.spent != service.spec["TaskTemplate"]:
            self._place(service, now_ns())

    def _place(self, service, start_ns):
        busy = [task.node for task in self.tasks if not task.is_over]
        self.tasks.append(Task(service, min(ADDRESSES, key=busy.count), start_ns))

    def clean(self):
        with self.lock:
            for service in self.services.values():
                service.leaving = True
            self.services = {}
        super().clean()
