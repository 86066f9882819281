"""farmd upgrade: another program takes the running farmd's place, and neither servers nor clients notice."""

import contextlib
import http.client
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

import farmd_process
import farmlib
from cgrouplib import needs_root
from farmd_process import FARMD, NOBODY, alive, farms  # noqa: F401
from farmlib import DEADLINE, wait_for
from test_delegation import delegated, needs_setpriv, start as start_as_nobody


def version_of(program):
    return subprocess.run([program, "version"], capture_output=True, text=True, timeout=DEADLINE).stdout.split()[1]


def another_farmd(directory, digit):
    """A farmd of another version: a copy in which each digit of the version is this one."""
    version = version_of(FARMD)
    other = "".join(digit if c.isdigit() else c for c in version)
    directory.mkdir(exist_ok=True)
    program = directory / "farmd"
    program.write_bytes(pathlib.Path(FARMD).read_bytes().replace(version.encode(), other.encode()))
    program.chmod(0o755)
    shutil.copy(farmlib.FARM_WORKER, directory / "farm-worker")
    assert version_of(program) == other
    return program


@pytest.fixture
def others(tmp_path):
    return [another_farmd(tmp_path / f"farmd-{digit}", digit) for digit in "89"]


def start_upgrade(farm, program, *flags, **popen):
    return subprocess.Popen(
        [program, "upgrade", *(flags or farm.arguments())], env=farm.env, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, **{"cwd": farm.directory, **popen},
    )


def upgrade(farm, program, *flags, **popen):
    process = start_upgrade(farm, program, *flags, **popen)
    out, err = process.communicate(timeout=2 * DEADLINE)
    return subprocess.CompletedProcess(program, process.returncode, out, err)


def assert_upgraded(farm, program):
    result = upgrade(farm, program)
    assert result.returncode == 0, result
    assert f"farmd {version_of(program)} took over from " in result.stdout, result
    servers = f"{farm.servers_wanted} server{'s'[:farm.servers_wanted - 1]}"
    assert f"(pid {farm.process.pid}): {servers} adopted in " in result.stdout, result


def assert_goes_on(farm, before, result, reason):
    """The upgrade was refused for this reason, and nothing has changed."""
    assert result.returncode == 1, result
    assert reason in result.stderr, result
    assert farm.process.poll() is None
    assert os.readlink(f"/proc/{farm.process.pid}/exe") == os.path.realpath(FARMD)
    assert farm.pids() == before


# Leaves with code 7 when it is asked to, and takes its time for everything else.
PROGRAM = """
import http.server, os, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/leave":
            os._exit(7)
        time.sleep(0.05)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

WITH_PROGRAM = """
groups:
  - {name: web, count: 1}
  - name: program
    count: 1
    command: [python3, $DIR/program.py]
    probes: {startup: {interval: 100ms}}
"""


def with_program(farms):  # noqa: F811
    farm = farms(servers=2, config=WITH_PROGRAM)
    (farm.directory / "program.py").write_text(PROGRAM)
    return farm.start()


class Client(threading.Thread):
    """Asks in a loop; whatever is not answered with 200 is a failure. With keep_alive all on one connection."""

    def __init__(self, port, path="/", keep_alive=True, method="GET"):
        super().__init__()
        self.port, self.path, self.keep_alive, self.method = port, path, keep_alive, method
        self.answered, self.failures = 0, []
        self.ending = threading.Event()

    def run(self):
        connection = None
        while not self.ending.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
                    connection.connect()
                before = connection.sock
                connection.request(self.method, self.path)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200 or connection.sock is not before:
                    self.failures.append((answer.status, answer.getheader("Connection")))
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            if not self.keep_alive or self.failures:
                connection.close()
                connection = None
            time.sleep(0.001)
        if connection is not None:
            connection.close()


@contextlib.contextmanager
def clients(*made):
    """Runs them; yields a function that waits until each was answered once more."""
    for client in made:
        client.start()

    def each_was_answered():
        counts = [client.answered for client in made]
        wait_for(lambda: all(client.answered > count or client.failures for client, count in zip(made, counts)),
                 what="an answer for each client")

    try:
        each_was_answered()
        yield each_was_answered
    finally:
        for client in made:
            client.ending.set()
        for client in made:
            client.join()
    assert [(client.port, client.path, client.failures) for client in made if client.failures] == []


# --- nobody notices ---


def test_no_request_fails_over_several_upgrades(farms, others):  # noqa: F811
    farm = farms(servers=4).start()
    pids = farm.pids()
    everyone = [Client(port, path, keep_alive)
                for port, path in ((farm.port, "/api/servers"), (farm.dashboard_port, "/"), (farm.base_port, "/"))
                for keep_alive in (True, False)]
    with clients(*everyone) as each_was_answered:
        for i in range(6):
            program = others[i % 2]
            assert_upgraded(farm, program)
            each_was_answered()
            assert farm.get("/")["version"] == version_of(program)
            assert os.readlink(f"/proc/{farm.process.pid}/exe") == str(program)
            assert farm.pids() == pids
    assert pathlib.Path(f"/proc/{farm.process.pid}/comm").read_text() == "farmd\n"
    assert farm.process.poll() is None
    assert farm.stop() == 0
    assert farm.leftovers() == []


def test_request_sent_in_two_halves(farms, others):  # noqa: F811
    farm = farms(servers=1).start()
    with farmlib.connect(farm.port) as connection:
        connection.sendall(b"GET /api/servers HTTP/1.1\r\nHo")
        farm.get("/")  # so that the first half has been read
        assert_upgraded(farm, others[0])
        connection.sendall(b"st: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert farmlib.split_responses(answer)[0][0] == 200


def test_latest_changes_are_kept(farms, others):  # noqa: F811
    farm = farms(servers=3).start()
    count = 0
    for program in others * 2:  # whether the last ones would have been written down anyway is a matter of luck
        end = count + 3
        with start_upgrade(farm, program) as process:
            while process.poll() is None or count < end:  # so that the last ones come just before the end
                count += 1
                farm.patch(f"/api/servers/{count % 3 + 1}", {"pids": 1000 + count})
            assert process.returncode == 0, process.communicate()
        entries = farm.servers().values()
        assert {entry["limits_configured"]["pids"] for entry in entries} == {1000 + count - i for i in range(3)}


def test_nothing_of_a_server_is_lost(farms, others):  # noqa: F811
    farm = farms(servers=3, spare=1).start()
    farm.act(1, "kill")
    farm.wait_event("Ready", 1, farm.wait_event("Killed", 1)["id"])
    farm.act(2, "stop")
    farm.act(3, "pause")
    farm.post("/api/scale", {"servers": 4})
    since = farm.last_event()
    before, started_at = farm.servers(), farm.get("/")["started_at"]
    assert before[1]["restarts"] == 1
    assert_upgraded_with(farm, others[0], "3 of 4 servers adopted")
    after = farm.servers()
    for key in ("status", "pid", "restarts", "last_exit", "port"):
        assert {i: entry.get(key) for i, entry in after.items()} == {i: entry.get(key) for i, entry in before.items()}
    assert farm.get("/")["started_at"] == started_at
    assert farm.events(reason="Killed", server_id=1)[0]["id"] <= since < farm.events(reason="Upgraded")[0]["id"]
    farm.act(3, "resume")
    farm.act(2, "start")
    assert farm.worker(3).status == farm.worker(2).status == 200


def assert_upgraded_with(farm, program, words):
    result = upgrade(farm, program)
    assert result.returncode == 0 and words in result.stdout, result


def test_how_a_server_ends_is_known(farms, others):  # noqa: F811
    farm = with_program(farms)
    assert_upgraded(farm, others[0])
    assert_upgraded(farm, others[1])
    before = farm.servers()
    os.kill(before[1]["pid"], signal.SIGKILL)
    with contextlib.suppress(OSError, http.client.HTTPException):
        farm.worker(2, path="/leave")
    after = {i: farm.wait_restarted(i, before[i]) for i in (1, 2)}
    assert (after[1]["last_exit"]["reason"], after[1]["last_exit"]["signal"]) == ("Crashed", signal.SIGKILL)
    assert (after[2]["last_exit"]["reason"], after[2]["last_exit"]["exit_code"]) == ("Crashed", 7)
    wait_for(lambda: not (alive(before[1]["pid"]) or pathlib.Path(f"/proc/{before[1]['pid']}").exists()),
             what="no zombie left")


@needs_root
@needs_setpriv
def test_farm_of_an_ordinary_user(farms):  # noqa: F811
    with delegated() as places:
        farm = start_as_nobody(farms(servers=2), places)
        own = [another_farmd(farm.directory / f"farmd-{digit}", digit) for digit in "89"]
        enforcement, pids = farm.get("/api/servers")["enforcement"], farm.pids()
        cgroups = farmd_process.cgroup_directories(farm.process.pid)
        assert upgrade(farm, own[0], user=NOBODY, group=NOBODY, extra_groups=[]).returncode == 0
        assert_upgraded(farm, own[1])  # by root
        assert farm.get("/api/servers")["enforcement"] == enforcement
        assert farm.pids() == pids and farmd_process.cgroup_directories(farm.process.pid) == cgroups
        assert farm.stop() == 0
        assert farm.leftovers() == []
        assert [path for place in places for path in place.iterdir() if path.is_dir()] == []


def test_no_descriptor_is_lost(farms, others):  # noqa: F811
    def descriptors():
        """Those that stay: the files under /proc are those of a look around."""
        here, names = f"/proc/{farm.process.pid}/fd", []
        for number in os.listdir(here):
            with contextlib.suppress(FileNotFoundError):
                names.append(os.readlink(f"{here}/{number}"))
        return len([name for name in names if not name.startswith("/proc")])

    def settle():
        """The figures of each server are read from files that are opened with the first sample."""
        wait_for(lambda: farm.get("/api/health")["healthy"] == 2, what="every server probed")
        wait_for(lambda: all(entry["pids"] for entry in farm.servers().values()), what="every server measured")

    farm = farms(servers=2).start()
    assert_upgraded(farm, others[0])
    settle()
    before = descriptors()
    for i in range(3):
        assert_upgraded(farm, others[i % 2])
    settle()
    wait_for(lambda: descriptors() <= before, what=f"{before} descriptors again")


def test_two_upgrades_at_once_follow_each_other(farms, others):  # noqa: F811
    farm = farms(servers=2).start()
    pids = farm.pids()
    processes = [start_upgrade(farm, program) for program in others]
    results = [process.communicate(timeout=2 * DEADLINE) for process in processes]
    codes = [process.returncode for process in processes]
    assert sorted(codes) in ([0, 0], [0, 1]), results  # the second may have come in between two farmds
    assert farm.pids() == pids


def test_service_manager_is_told(farms, others):  # noqa: F811
    farm = farms(servers=1)
    path = str(farm.directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(DEADLINE)
        farm.env["NOTIFY_SOCKET"] = path
        farm.start()
        assert b"READY=1" in manager.recv(4096)
        assert_upgraded(farm, others[0])
        assert b"RELOADING=1\nMONOTONIC_USEC=" in manager.recv(4096)
        assert b"READY=1" in manager.recv(4096)


# --- requests under way ---


def test_waits_for_a_request_under_way(farms, others):  # noqa: F811
    farm = farms(servers=2).start()
    answers = []
    slow = threading.Thread(target=lambda: answers.append(
        farm.post("/api/simulate-load", {"server_ids": [1], "cpu_duration": 2, "memory_mb": 0})))
    slow.start()
    wait_for(lambda: farm.worker(1, path="/metrics").json()["requests"]["total"] >= 1, what="the load under way")
    process = start_upgrade(farm, others[0])
    while process.poll() is None:  # meanwhile all is served
        farm.get("/api/servers")
    assert process.communicate()[1] == ""
    slow.join()
    assert answers[0]["results"][0]["status"] == "success"
    assert farm.get("/")["version"] == version_of(others[0])


def test_refused_while_a_load_test_runs(farms, others):  # noqa: F811
    farm = farms(servers=1).start()
    pids = farm.pids()
    answers = []
    load = threading.Thread(target=lambda: answers.append(
        farm.post("/api/load-test", {"duration": 600, "concurrency": 1}, timeout=3 * DEADLINE)))
    load.start()
    wait_for(lambda: farm.worker(1).json()["total_requests"] > 10, what="the load test under way")
    assert_goes_on(farm, pids, upgrade(farm, others[0]), "POST /api/load-test has been under way for ")
    assert farm.stop() == 0  # which ends the load test, and maybe cuts its last request
    load.join()
    assert answers[0]["total_failed"] <= 1 < answers[0]["total_successful"]


def test_waits_for_a_server_that_is_being_stopped(farms, others):  # noqa: F811
    farm = farms(servers=1).start()
    answers = []
    slow = threading.Thread(target=lambda: answers.append(farm.worker(1, path="/slow-endpoint")))
    slow.start()
    wait_for(lambda: farm.worker(1).json()["total_requests"] >= 2, what="the slow request under way")
    with farmlib.connect(farm.port) as impatient:  # nobody waits for the stop's answer
        body = b'{"action": "stop"}'
        impatient.sendall(b"POST /api/servers/1/action HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                          b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        farm.wait_status(1, "stopping")
        impatient.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leaves with a reset
    assert_upgraded_with(farm, others[0], "0 of 1 server adopted")
    slow.join()
    assert answers[0].status == 200
    entry = farm.server(1)
    assert (entry["status"], entry["last_exit"]["exit_code"]) == ("stopped", 0)


def test_requests_without_a_gap(farms, others):  # noqa: F811
    farm = with_program(farms)
    everyone = [Client(farm.port, "/api/broadcast?endpoint=/", method="POST") for _ in range(8)]
    with clients(*everyone) as each_was_answered:
        for program in others:
            assert_upgraded(farm, program)
            each_was_answered()


# --- what cannot take over ---


def test_wrong_settings_are_refused(farms, others):  # noqa: F811
    farm = farms(servers=1, config="servers: {memory: 64M}\n").start()
    pids = farm.pids()
    farm.write_config("servers: {memory: 64X}\n")
    assert_goes_on(farm, pids, upgrade(farm, others[0], cwd="/"), 'farm.yaml:1: servers.memory: "64X" is not a size')


def test_other_addresses_and_directories_are_refused(farms, others):  # noqa: F811
    farm = farms(servers=1, config="servers: {memory: 64M}\n").start()
    pids = farm.pids()
    farm.write_config("enforce: none\n")
    assert_goes_on(farm, pids, upgrade(farm, others[0]), "the settings say enforce: none, the farm runs with enforce: auto")


def test_new_settings_hold_after_it(farms, others):  # noqa: F811
    farm = farms(servers=1, config="servers: {memory: 64M}\n").start()
    pids = farm.pids()
    farm.write_config("servers: {memory: 80M}\n")
    assert_upgraded(farm, others[0])
    assert farm.server(1)["limits"]["memory_mb"] == 80
    assert farm.pids() == pids


@pytest.mark.parametrize("mode, reason", [(0o757, "other users may write"), (0o4755, "no plain program")])
def test_program_that_others_could_have_changed(farms, others, mode, reason):  # noqa: F811
    farm = farms(servers=1).start()
    pids = farm.pids()
    others[0].chmod(mode)
    assert_goes_on(farm, pids, upgrade(farm, others[0]), reason)


@needs_root
def test_program_of_another_user(farms, others):  # noqa: F811
    farm = farms(servers=1).start()
    pids = farm.pids()
    os.chown(others[0], NOBODY, NOBODY)
    assert_goes_on(farm, pids, upgrade(farm, others[0]), f"belongs to another user (uid {NOBODY})")


@needs_root
def test_another_user_may_not(farms, others):  # noqa: F811
    farm = farms(servers=1).start()
    pids = farm.pids()
    for parent in [others[0], *others[0].parents][:-1]:
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 1:
            parent.chmod(parent.stat().st_mode | 0o055)
    result = upgrade(farm, others[0], user=NOBODY, group=NOBODY, extra_groups=[])
    assert_goes_on(farm, pids, result, "belongs to another user")


def test_without_a_farm(farms, others):  # noqa: F811
    farm = farms(servers=1)
    result = upgrade(farm, others[0])
    assert result.returncode == 1 and f"no farmd runs with the state directory {farm.state_dir}" in result.stderr, result
    farm.start()
    farm.process.kill()
    farm.process.wait()
    result = upgrade(farm, others[0])
    assert result.returncode == 1 and "`farmd` takes its servers over, `farmd down` stops them" in result.stderr, result


def test_wrong_flag(farms, others):  # noqa: F811
    result = upgrade(farms(servers=1), others[0], "--porrt", "1")
    assert result.returncode == 2 and "--porrt" in result.stderr, result


# --- programs that are no farmd: asked for as `farmd upgrade` does ---


class Asker:
    """Speaks to the control socket of a farm."""

    def __init__(self, farm):
        (path,) = farm.runtime_dir.glob("*/control")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(2 * DEADLINE)
        self.socket.connect(str(path))

    def ask(self, program, text=None):
        with open(program, "rb") as file:
            socket.send_fds(self.socket, [text or b"upgrade 1 9.9.9"], [file.fileno()])

    def answer(self):
        return self.socket.recv(4096).decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def stand_in(farm, directory, check="exit 0", up="exit 0", interpreter="dash"):
    """An interpreter in the place of a farmd: called with a command of farmd's, it runs the script of that name."""
    program = directory / "stand-in"
    shutil.copy(os.path.realpath(shutil.which(interpreter)), program)
    program.chmod(0o755)
    (farm.directory / "check").write_text(check)
    (farm.directory / "up").write_text(up)
    return program


def failed(farm, answer):
    return subprocess.CompletedProcess([], 1, "", answer)


def test_program_whose_check_fails(farms, tmp_path):  # noqa: F811
    farm = farms(servers=1).start()
    pids = farm.pids()
    for script, reason in (("exit 1", "refuses: its `check` failed"), ("echo no >&2; echo why >&2; exit 3", "refuses: no\nwhy"),
                           ("kill -9 $$", "ended by signal 9")):
        with Asker(farm) as asker:
            asker.ask(stand_in(farm, tmp_path, check=script))
            assert_goes_on(farm, pids, failed(farm, asker.answer()), f"failed the new farmd {reason}")
    with Asker(farm) as asker:
        asker.ask(farm.directory / "out")
        assert_goes_on(farm, pids, failed(farm, asker.answer()), "failed the new farmd is no plain program")


def test_program_that_has_been_deleted(farms, tmp_path):  # noqa: F811
    farm = farms(servers=1).start()
    pids = farm.pids()
    program = stand_in(farm, tmp_path)
    with Asker(farm) as asker, open(program, "rb") as file:
        program.unlink()
        socket.send_fds(asker.socket, [b"upgrade 1 9.9.9"], [file.fileno()])
        assert_goes_on(farm, pids, failed(farm, asker.answer()), "failed the new farmd has been deleted")


def test_another_protocol_is_refused(farms, others):  # noqa: F811
    farm = farms(servers=1).start()
    pids = farm.pids()
    for text in (b"upgrade 2 9.9.9", b"upgrade  9.9.9", b"upgrade 1"):
        with Asker(farm) as asker:
            asker.ask(others[0], text)
            assert_goes_on(farm, pids, failed(farm, asker.answer()), "cannot hand over to each other")


def test_nonsense_is_ignored(farms, others):  # noqa: F811
    farm = farms(servers=1).start()
    with Asker(farm) as asker:
        asker.socket.send(b"upgrade 1 9.9.9")  # without a program
        asker.socket.send(b"hello")
        socket.send_fds(asker.socket, [b"hello"], [0])
    assert_upgraded(farm, others[0])


def test_exec_that_fails_is_undone(farms, tmp_path):  # noqa: F811
    farm = farms(servers=2).start()
    pids = farm.pids()
    program = stand_in(farm, tmp_path)
    slow = threading.Thread(target=lambda: farm.post(
        "/api/simulate-load", {"server_ids": [1], "cpu_duration": 2, "memory_mb": 0}))
    slow.start()
    wait_for(lambda: farm.worker(1, path="/metrics").json()["requests"]["total"] >= 1, what="the load under way")
    with clients(Client(farm.port, "/api/servers"), Client(farm.port, "/api/servers", keep_alive=False)), \
            Asker(farm) as asker:
        asker.ask(program)
        wait_for(lambda: "farmd 9.9.9 is to take over" in farm.errors(), what="the check passed")
        program.chmod(0)
        assert_goes_on(farm, pids, failed(farm, asker.answer()), "cannot be run: Permission denied")
    slow.join()
    farm.act(1, "restart")
    assert farm.stop() == 0
    assert farm.leftovers() == []


# A shell would let all signals through.
BETWEEN = """
import os, signal, sys
os.kill(os.getpid(), signal.SIGTERM)
os.execv("{0}", ["{0}", "up", *sys.argv[1:]])
"""


def test_signal_between_two_farmds_is_not_lost(farms, others, tmp_path):  # noqa: F811
    farm = farms(servers=1).start()
    with Asker(farm) as asker:
        asker.ask(stand_in(farm, tmp_path, "", BETWEEN.format(others[0]), sys.executable))
        assert "done farmd" in asker.answer()
    assert farm.process.wait(DEADLINE) == 0
    assert farm.leftovers() == []


def test_check_that_hangs_is_ended(farms, tmp_path):  # noqa: F811
    farm = farms(servers=1).start()
    pids = farm.pids()
    with Asker(farm) as asker:
        asker.ask(stand_in(farm, tmp_path, check="exec sleep 600"))
        assert_goes_on(farm, pids, failed(farm, asker.answer()), "did not check the settings within 10 s")
    wait_for(lambda: len(farm.processes()) == 2, what="only farmd and its server left")


def test_asker_that_goes_away_ends_it(farms, tmp_path):  # noqa: F811
    farm = farms(servers=1).start()
    pids = farm.pids()
    with Asker(farm) as asker:
        asker.ask(stand_in(farm, tmp_path, check="exec sleep 600"))
        wait_for(lambda: len(farm.processes()) == 3, what="the check under way")
    wait_for(lambda: "nobody waits for it any more" in farm.errors(), what="the end of it")
    wait_for(lambda: len(farm.processes()) == 2, what="only farmd and its server left")
    assert farm.pids() == pids


def test_program_that_ends_at_once_leaves_the_servers(farms, tmp_path):  # noqa: F811
    farm = farms(servers=2).start()
    pids = farm.pids()
    with Asker(farm) as asker:
        asker.ask(stand_in(farm, tmp_path))
        assert asker.answer() == ""
    assert farm.process.wait(DEADLINE) == 0
    assert [pid for pid in pids.values() if not alive(pid)] == []
    assert farm.worker(1).status == 200
    farm.start()
    assert farm.pids() == pids
    assert farm.stop() == 0
    assert farm.leftovers() == []
