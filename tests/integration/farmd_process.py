"""A farmd of the tests' own: on free ports, with directories of its own, stopped in order or cleaned up by force."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

import pytest

import farmlib
from farmlib import DEADLINE, wait_for

FARMD = os.environ.get("FARMD", str(farmlib.BUILD / "farmd"))
NOBODY = 65534


# A program of the user's own: it answers everything with 200 once it is told to (`server.serve_forever()`).
PLAIN_SERVER = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
"""


# --- cgroups as the kernel shows them ---


def cgroup_mounts():
    """(set of controllers, mount point, root) of every mounted hierarchy; v2 has the one controller ""."""
    mounts = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split()[:3]
        if kind == "cgroup2":
            mounts.append(({""}, left.split()[4], left.split()[3]))
        elif kind == "cgroup":
            mounts.append((set(options.split(",")), left.split()[4], left.split()[3]))
    return mounts


def cgroup_directories(pid):
    """{controller: directory} of a process; v2 under ""."""
    places = {}
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for controllers, mount, root in cgroup_mounts():
            wanted = set(names.split(",")) if names else {""}
            if wanted <= controllers:
                relative = path[len(root):] if root != "/" and path.startswith(root) else path
                for name in wanted:
                    places[name] = pathlib.Path(mount + "/" + relative.lstrip("/"))
    return places


def alive(pid):
    """Whether a process is there and no zombie."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def environment_of(pid):
    try:
        data = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    return dict(entry.decode(errors="replace").partition("=")[::2] for entry in data.split(b"\0") if entry)


def _remove_cgroup(directory):
    """The kernel may still be about the last process of it."""
    for _ in range(200):
        try:
            return directory.rmdir()
        except FileNotFoundError:
            return None
        except OSError:
            time.sleep(0.01)
    return None


class Farmd:
    """One farmd. start() brings it up, stop() ends it and returns its exit code, clean() leaves nothing behind."""

    def __init__(self, servers=3, config=None, flags=(), env=None, spare=0, directory=None, first_port=None):
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="farmd-"))
        self.directory.chmod(0o755)
        self.servers_wanted = servers
        self.first_port = first_port or farmlib.free_port_range(2 + servers + spare)
        self.port, self.dashboard_port, self.base_port = (self.first_port + i for i in range(3))
        self.last_port = self.base_port + servers + spare - 1
        self.state_dir, self.runtime_dir = self.directory / "state", self.directory / "run"
        self.flags = list(flags)
        self.has_groups = config is not None and "groups:" in config
        # PATH is the one variable that every process of the farm inherits: it carries a mark to find them by.
        self.mark = "/mark-" + uuid.uuid4().hex
        self.env = {
            "PATH": f"/usr/local/bin:/usr/bin:/bin:{self.mark}", "HOME": str(self.directory), "LANG": "C.UTF-8",
            **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}, **(env or {}),
        }
        self.process = None
        self.slices = set()
        if config is not None:
            self.write_config(config)

    # --- before it runs ---

    def write_config(self, text):
        (self.directory / "farm.yaml").write_text(text.replace("$DIR", str(self.directory)))

    def install_worker(self):
        """A copy of farm-worker that any user reaches, for groups with a command of their own."""
        target = self.directory / "farm-worker"
        target.unlink(missing_ok=True)  # it may run, and then it cannot be written to
        shutil.copy(farmlib.FARM_WORKER, target)
        target.chmod(0o755)
        return target

    def arguments(self):
        count = [] if self.has_groups else ["--servers", str(self.servers_wanted)]
        return [
            *count, "--base-port", str(self.base_port), "--port", str(self.port),
            "--dashboard-port", str(self.dashboard_port), "--state-dir", str(self.state_dir),
            "--runtime-dir", str(self.runtime_dir), *self.flags,
        ]

    # --- its life ---

    def start(self, wait=True, prefix=(), program=None, **popen):
        """Starts farmd and waits until every server runs. `prefix` is a command in front, such as setpriv."""
        with open(self.directory / "out", "ab") as out, open(self.directory / "err", "ab") as err:
            self.process = subprocess.Popen(
                [*prefix, program or FARMD, *self.arguments()], env=self.env, cwd=self.directory,
                **{"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err, **popen},
            )
        if wait:
            self.wait_ready()
        return self

    def output(self):
        return (self.directory / "out").read_text()

    def errors(self):
        return (self.directory / "err").read_text()

    def _all_run(self):
        if self.process.poll() is not None:
            raise AssertionError(f"farmd ended with {self.process.returncode}\n{self.output()}{self.errors()}")
        try:
            servers = self.servers()
        except OSError:
            return False
        return len(servers) == self.servers_wanted and all(s["status"] == "running" for s in servers.values())

    def wait_ready(self):
        wait_for(self._all_run, what="every server running")
        self.note_slices()
        return self

    def note_slices(self):
        """Remembers where its cgroups are, to see later that they are gone."""
        for pid in self.processes():
            with contextlib.suppress(OSError):
                for directory in cgroup_directories(pid).values():
                    if directory.name == f"server-{environment_of(pid).get('SERVER_ID')}":
                        self.slices.add(directory.parent)

    def stop(self, number=signal.SIGTERM, timeout=DEADLINE):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout)

    def kill(self):
        """kill -9 of farmd alone: its servers go on."""
        self.process.kill()
        self.process.wait()

    # --- what is left ---

    def processes(self):
        """The pids of everything that descends from this farmd, itself included."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and self.mark in environment_of(entry).get("PATH", "") and alive(entry):
                found.append(int(entry))
        return found

    def leftovers(self):
        """Whatever of this farm is still there, in words; logs and other state may stay."""
        left = [f"process {pid}" for pid in self.processes()]
        left += [f"cgroup {directory}" for directory in self.slices if directory.exists()]
        ports = [self.port, self.dashboard_port, *range(self.base_port, self.last_port + 1)]
        left += [f"port {port}" for port in ports if not farmlib.port_is_free(port)]
        if self.runtime_dir.exists():
            left += [f"file {path}" for path in self.runtime_dir.rglob("*") if not path.is_dir()]
        return left

    def clean(self):
        """By force, whatever state a failed test left it in."""
        for _ in range(100):
            self.note_slices()
            self._thaw()
            pids = self.processes()
            if self.process is not None and self.process.poll() is None:
                pids.append(self.process.pid)
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not pids:
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
        for directory in self.slices:
            for leaf in [*directory.glob("*/"), directory]:
                _remove_cgroup(leaf)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _thaw(self):
        """A process frozen by v1 does not take a SIGKILL."""
        for directory in self.slices:
            for state in directory.glob("*/freezer.state"):
                with contextlib.suppress(OSError):
                    state.write_text("THAWED")

    # --- its API ---

    def request(self, method, path, body=None, headers=None, timeout=DEADLINE, **kwargs):
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        return farmlib.request(self.port, method, path, body, headers, timeout=timeout, **kwargs)

    def get(self, path, status=200):
        response = self.request("GET", path)
        assert response.status == status, (path, response.status, response.body)
        return response.json()

    def post(self, path, body=None, status=200, timeout=DEADLINE, method="POST"):
        response = self.request(method, path, {} if body is None else body, timeout=timeout)
        assert response.status == status, (path, body, response.status, response.body)
        return response.json()

    def patch(self, path, body, status=200):
        return self.post(path, body, status, method="PATCH")

    def act(self, server_id, action, status=200, timeout=DEADLINE):
        return self.post(f"/api/servers/{server_id}/action", {"action": action}, status, timeout)

    def servers(self):
        return {entry["id"]: entry for entry in self.get("/api/servers")["servers"]}

    def server(self, server_id):
        return self.servers()[server_id]

    def pids(self):
        return {server_id: entry["pid"] for server_id, entry in self.servers().items()}

    def last_event(self):
        return self.get("/api/events")["last_id"]

    def events(self, since=0, reason=None, server_id=None):
        """Of this farmd; those before it are in /api/events too."""
        events = list(self._all_events(since))
        return [
            event for event in events[self._first_own(events):]
            if (reason is None or event["reason"] == reason)
            and (server_id is None or event["server_id"] == server_id)
        ]

    def _all_events(self, since):
        """The oldest first, page by page."""
        page = [{"id": since}]
        while page:
            page = self.get(f"/api/events?since={page[-1]['id']}&limit=4096")["events"]
            yield from page

    @staticmethod
    def _first_own(events):
        """Where those of the farmd begin that runs, and of the ones that it has taken over from by an upgrade."""
        reasons = [event["reason"] for event in events]
        first, upgraded = 0, False
        for at in reversed(range(len(reasons))):
            if reasons[at] == "FarmStarted" and not upgraded:
                first = at
                break
            upgraded = reasons[at] == "Upgraded" or (upgraded and reasons[at] != "FarmStarted")
        while first > 0 and reasons[first - 1] in ("StateSetAside", "HistorySetAside", "HistoryNotKept"):
            first -= 1
        return first

    def wait_event(self, reason, server_id=None, since=0, deadline=DEADLINE):
        what = f"event {reason} of server {server_id}"
        return wait_for(lambda: self.events(since, reason, server_id), deadline, what)[0]

    def wait_status(self, server_id, status, deadline=DEADLINE):
        """Until a server has this status; its entry then."""
        def reached():
            entry = self.server(server_id)
            return entry if entry["status"] == status else None

        return wait_for(reached, deadline, f"server {server_id} being {status}")

    def wait_restarted(self, server_id, before, deadline=DEADLINE):
        """Until a server runs in another process than in its entry `before`; its entry then."""
        def restarted():
            entry = self.server(server_id)
            return entry if entry["status"] == "running" and entry["pid"] != before["pid"] else None

        return wait_for(restarted, deadline, f"server {server_id} running again")

    def wait_requests(self, server_id, count):
        """Until a farm-worker was sent so many requests in its life, answered or not; this look is none."""
        def taken():
            return self.worker(server_id, path="/metrics").json()["requests"]["total"] >= count

        wait_for(taken, what=f"{count} requests taken by server {server_id}")

    def worker(self, server_id, method="GET", path="/", **kwargs):
        return farmlib.request(self.base_port + server_id - 1, method, path, **kwargs)


@contextlib.contextmanager
def running(*args, **kwargs):
    """A farmd that every server of runs; it must leave nothing behind when it is stopped at the end."""
    farm = Farmd(*args, **kwargs)
    try:
        yield farm.start()
        assert farm.process.poll() is None, f"farmd died: {farm.process.returncode}\n{farm.errors()}"
        code = farm.stop()
        assert code == 0, f"exit code {code}\n{farm.errors()}"
        assert farm.leftovers() == []
    finally:
        farm.clean()


@pytest.fixture
def farms():
    """Makes farms that are not started yet; all are gone after the test, whatever happened in it."""
    made = []

    def make(*args, **kwargs):
        made.append(Farmd(*args, **kwargs))
        return made[-1]

    yield make
    for farm in made:
        farm.clean()


def run_farmd(*arguments, directory, env=None, timeout=DEADLINE):
    """farmd to its end, in a directory of the test's own."""
    return subprocess.run(
        [FARMD, *arguments], cwd=directory, capture_output=True, text=True, timeout=timeout,
        env={"PATH": os.environ["PATH"], "HOME": str(directory), **(env or {})},
    )

