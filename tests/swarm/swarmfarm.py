"""A farm of services on the manager of a private Swarm."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

from swarmbed import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
FARMD = os.environ.get("FARMD", str(ROOT / "build" / "farmd"))


class Farm:
    """farmd on the manager."""

    def __init__(self, swarm, count):
        self.node = swarm.manager
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="farmd-on-swarm-"))
        self.process = None
        self.count = count

    def command(self, *words):
        return [*self.node.inside, FARMD, *words]

    def environment(self):
        return {"PATH": os.environ["PATH"], "DOCKER_HOST": f"unix://{self.node.socket}", "HOME": str(self.folder)}

    def settings(self, *more):
        return ["--runtime", "swarm", "--state-dir", str(self.folder / "state"), "--runtime-dir",
                str(self.folder / "run"), *more]

    def start(self, *more):
        with open(self.folder / "out", "ab") as out:
            self.process = subprocess.Popen(self.command(*self.settings("--servers", str(self.count), *more)),
                                            cwd=self.folder, env=self.environment(), stdout=out, stderr=out,
                                            stdin=subprocess.DEVNULL)
        wait_for(self.answers, 60, "the API")
        return self

    def answers(self):
        assert self.process.poll() is None, self.output()
        try:
            return self.ask("GET", "/")[0] == 200
        except OSError:
            return False

    def refused(self, *words, **environment):
        done = subprocess.run(self.command(*words), cwd=self.folder, env={**self.environment(), **environment},
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    def told(self, *words):
        """What a command prints of the farm."""
        return subprocess.run(self.command(*words, "--api", "http://localhost:8000"), cwd=self.folder,
                              env=self.environment(), check=True, capture_output=True, text=True, timeout=60).stdout

    def ask(self, method, path, body=None, port=8000):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://localhost:{port}{path}", data, {"Content-Type": "application/json"},
                                         method=method)
        with self.node.network():
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)

    def servers(self):
        return {server["id"]: server for server in self.ask("GET", "/api/servers")[1]["servers"]}

    def events(self, server_id, reason):
        events = self.ask("GET", f"/api/events?server_id={server_id}&limit=1000")[1]["events"]
        return [event for event in events if event["reason"] == reason]

    def all_serve(self):
        if self.process.poll() is not None:
            raise AssertionError(self.output())
        with contextlib.suppress(OSError):
            servers = self.servers()
            return servers if all(s["status"] == "running" and s["node"] for s in servers.values()) and \
                len(servers) == self.count else None
        return None

    def output(self):
        return (self.folder / "out").read_text()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def services(swarm):
    return {s["Spec"]["Name"]: s for s in swarm.manager.ask("GET", "/services")}
