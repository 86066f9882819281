"""`--runtime swarm` on an Engine that can't, and with what Swarm can't: refused before anything is started. Against an
Engine of a few lines; the real one is in tests/swarm."""

import contextlib
import http.server
import json
import socketserver
import threading

import pytest

from clilib import FAILED, USAGE
from farmd_process import run_farmd

class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextlib.contextmanager
def engine(path, swarm):
    """Knows who it is, and nothing else. Yields what it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            asked.append(f"{self.command} {self.path}")
            known = {"/_ping": "OK", "/v1.41/info": {"Name": "here", "Swarm": swarm, "CgroupVersion": "1"}}
            body = json.dumps(known.get(self.path, {"message": "page not found"})).encode()
            self.send_response(200 if self.path in known else 404)
            self.send_header("Api-Version", "1.41")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_PUT = answer

        def address_string(self):
            return "unix"

        def log_message(self, *args):
            pass

    with _Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


def up(tmp_path, *flags, **environment):
    return run_farmd("up", "--runtime", "swarm", "--state-dir", tmp_path / "state", "--runtime-dir", tmp_path / "run",
                     *flags, directory=tmp_path, env={"DOCKER_HOST": f"unix://{tmp_path}/docker.sock", **environment})


def test_no_swarm(tmp_path):
    with engine(tmp_path / "docker.sock", {"LocalNodeState": "inactive", "ControlAvailable": False}) as asked:
        done = up(tmp_path)
    assert done.returncode == FAILED
    assert "is not part of a Swarm (inactive)" in done.stderr and "fix: docker swarm init" in done.stderr
    assert not [what for what in asked if not what.startswith("GET ")], "nothing was changed"


def test_doctor_says_so_too(tmp_path):
    with engine(tmp_path / "docker.sock", {"LocalNodeState": "inactive", "ControlAvailable": False}):
        done = run_farmd("doctor", "--runtime", "swarm", directory=tmp_path,
                         env={"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"})
    assert done.returncode == FAILED
    assert "BAD swarm" in done.stdout and "fix: docker swarm init" in done.stdout


def test_a_worker_of_a_swarm(tmp_path):
    with engine(tmp_path / "docker.sock", {"LocalNodeState": "active", "ControlAvailable": False}):
        done = up(tmp_path)
    assert done.returncode == FAILED
    assert "is a worker of a Swarm" in done.stderr and "docker node promote here" in done.stderr


@pytest.mark.parametrize("profile", ["farm", "kubernetes", "docker", "supervisord", "s6"])
def test_a_profile_that_swarm_cannot_express(tmp_path, profile):
    for verb in ("up", "check"):
        done = run_farmd(verb, "--runtime", "swarm", "--restart-profile", profile, directory=tmp_path)
        assert done.returncode == USAGE
        assert f"cannot do it as {profile} does" in done.stderr
        assert "allowed with runtime swarm: swarm, systemd or nomad" in done.stderr


def test_one_group_of_several(tmp_path):
    (tmp_path / "farm.yaml").write_text(
        "runtime: swarm\ngroups:\n  - {name: a, count: 1}\n  - {name: b, count: 1, restart_profile: s6}\n")
    done = run_farmd("check", directory=tmp_path)
    assert done.returncode == USAGE and "group b: restart_profile" in done.stderr


@pytest.mark.parametrize("flags, profile", [([], "swarm"), (["--restart-profile", "nomad"], "nomad"),
                                            (["--restart-profile", "systemd"], "systemd")])
def test_profiles_that_it_can(tmp_path, flags, profile):
    done = run_farmd("check", "--runtime", "swarm", *flags, directory=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"restart_profile: {profile}\n" in done.stdout


def test_other_runtimes_keep_their_default(tmp_path):
    assert "restart_profile: farm\n" in run_farmd("check", directory=tmp_path).stdout
