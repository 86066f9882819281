"""What a server is born with: no privileges, a host name of its own, and no descriptor but its own."""

import contextlib
import os

import pytest

import farmd_process
import farmlib
from cgrouplib import SERVE, needs_root, read
from farmd_process import NOBODY, farms  # noqa: F401
from farmlib import wait_for

WEB, COMMAND = (1, 2), 3

CONFIG = """
groups:
  - name: web
    count: 2
  - name: command
    count: 1
    command: [python3, $DIR/serve.py]
"""


@pytest.fixture(scope="module")
def farm():
    one = farmd_process.Farmd(servers=3, config=CONFIG)
    (one.directory / "serve.py").write_text(SERVE + "server.serve_forever()\n")
    try:
        yield one.start()
        assert one.stop() == 0, one.errors()
        assert one.leftovers() == []
    finally:
        one.clean()


def status_of(pid):
    lines = (line.partition(":") for line in read(f"/proc/{pid}/status").splitlines())
    return {key: value.split() for key, _, value in lines}


@needs_root
def test_servers_run_without_privileges(farm):
    own_name = os.stat("/proc/self/ns/uts").st_ino
    seen = set()
    for server_id, entry in farm.servers().items():
        status = status_of(entry["pid"])
        assert set(status["Uid"]) == set(status["Gid"]) == {str(NOBODY)}
        assert status["Groups"] in ([], [str(NOBODY)])
        assert status["NoNewPrivs"] == ["1"]
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[kind][0], 16) == 0, kind
        if server_id in WEB and not farmlib.SANITIZED:
            assert status["Seccomp"] == ["2"]
            assert farm.worker(server_id).json()["hostname"] == f"server-{server_id}"
        seen.add(os.stat(f"/proc/{entry['pid']}/ns/uts").st_ino)
    assert own_name not in seen and len(seen) == 3, "each has a host name of its own"


def descriptors(pid):
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return found


@needs_root
def test_nothing_is_inherited_but_what_is_needed(farm):
    ours = set(descriptors(farm.process.pid).values())
    shared_kinds = ("socket:", "pipe:")
    for server_id in (WEB[0], COMMAND):
        entry = farm.wait_status(server_id, "running")
        fds = descriptors(entry["pid"])
        log = str(farm.state_dir / "logs" / f"server-{server_id}.log")
        assert (fds[0], fds[1], fds[2]) == ("/dev/null", log, log)
        shared = {fd: target for fd, target in fds.items() if target.startswith(shared_kinds) and target in ours}
        if server_id == COMMAND:
            # between two probes: while one is answered there is its connection too
            fds = wait_for(lambda: len(now := descriptors(entry["pid"])) == 5 and now, what=f"no more than these: {fds}")
            sockets = [target for target in fds.values() if target.startswith("socket:")]
            assert len(sockets) == 1, fds
            # the readiness pipe, which it does not know and so leaves open
            assert len(shared) == 1, fds
            assert list(shared.values())[0].startswith("pipe:")
        else:
            assert shared == {}


@needs_root
def test_no_descriptor_of_the_starter_reaches_a_server(farms):  # noqa: F811
    read_end, write_end = os.pipe()
    farm = farms(servers=1)
    try:
        farm.start(pass_fds=[write_end])
        target = os.readlink(f"/proc/self/fd/{write_end}")
        assert target in descriptors(farm.process.pid).values()
        assert target not in descriptors(farm.pids()[1]).values()
    finally:
        os.close(read_end)
        os.close(write_end)
    assert farm.stop() == 0
