"""How a farm begins and ends: signals, what is left behind, an earlier run's leftovers, terminal, service manager, logs."""

import contextlib
import datetime
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

import farmd_process
import farmlib
from farmd_process import alive, farms  # noqa: F401
from farmlib import DEADLINE, wait_for

STUBBORN = """
import signal
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
""" + farmd_process.PLAIN_SERVER + "server.serve_forever()\n"

WITH_STUBBORN = """
groups:
  - {name: web, count: 2}
  - name: stubborn
    count: 1
    stop_grace: %s
    command: [python3, $DIR/stubborn.py]
    probes: {startup: {interval: 100ms}}
"""


def with_stubborn(farms, grace, **kwargs):  # noqa: F811
    farm = farms(servers=3, config=WITH_STUBBORN % grace, **kwargs)
    (farm.directory / "stubborn.py").write_text(STUBBORN)
    return farm


# --- in order ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_all_and_leaves_nothing(farms, number):  # noqa: F811
    farm = with_stubborn(farms, "300ms").start()
    if os.geteuid() == 0 and farm.get("/api/servers")["enforcement"] == "cgroup1":
        assert len(farm.slices) >= 5, farm.slices
    family = farm.processes()
    assert len(family) == 4
    farm.worker(1)
    with farmlib.connect(farm.port) as idle, farmlib.connect(farm.base_port) as idle_too:
        for connection in (idle, idle_too):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        assert farm.stop(number) == 0, farm.errors()
        assert time.monotonic() - began < 9, "nobody waits for an idle connection"
    assert [pid for pid in family if alive(pid)] == []
    assert farm.leftovers() == []
    log = (farm.state_dir / "logs" / "server-1.log").read_text().splitlines()
    assert len(log) == 2, log
    assert "2 requests" in log[1] and "stopped" in log[1]
    assert farm.errors().count("did not end within") <= 1
    assert "stopped in" in farm.errors()


def test_requests_in_flight_are_finished(farms):  # noqa: F811
    farm = farms(servers=2).start()
    answers = []
    threads = [threading.Thread(target=lambda i=i: answers.append(farm.worker(i, path="/slow-endpoint"))) for i in (1, 2)]
    for thread in threads:
        thread.start()
    for i in (1, 2):
        farm.wait_requests(i, 1)
    assert farm.stop() == 0
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [200, 200]
    assert farm.leftovers() == []


def test_second_signal_forces(farms):  # noqa: F811
    farm = with_stubborn(farms, "10m").start()
    farm.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "stopping" in farm.errors(), what="the first signal taken")
    wait_for(lambda: len(farm.processes()) == 2, what="only the stubborn one left")
    assert farm.process.poll() is None
    farm.process.send_signal(signal.SIGINT)
    assert farm.process.wait(DEADLINE) == 0
    assert farm.leftovers() == []
    assert "killing" in farm.errors()


def test_stop_forced_after_the_grace_period(farms):  # noqa: F811
    farm = with_stubborn(farms, "300ms").start()
    since = farm.last_event()
    farm.act(3, "stop")
    assert farm.events(since, "StopForced", 3)
    entry = farm.server(3)
    assert (entry["status"], entry["last_exit"]["signal"]) == ("stopped", signal.SIGKILL)
    assert farm.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_while_starting(farms, number):  # noqa: F811
    config = "groups:\n  - {name: late, count: 20, command: [sleep, '1000']}\n  - {name: web, count: 5}\n"
    farm = farms(servers=25, config=config).start(wait=False)
    wait_for(lambda: farm.processes()[5:], what="some processes")
    assert farm.stop(number) == 0
    assert farm.leftovers() == []


def test_a_start_that_is_cut_short_claims_nothing(farms):  # noqa: F811
    config = "groups:\n  - {name: late, count: 1, command: [sleep, '1000']}\n  - {name: web, count: 2}\n"
    farm = farms(servers=3, config=config).start(wait=False)
    wait_for(lambda: len(farm.processes()) == 4, what="the processes")
    assert farm.stop() == 0
    told = farm.output() + farm.errors()
    assert "stopping 3 servers" in told and "stopped in" in told
    assert "ready" not in told and "Ctrl-C" not in told and "http://" not in told, told


def test_stop_at_the_first_moment(farms):  # noqa: F811
    farm = farms(servers=5)
    farm.start(wait=False)
    code = farm.stop(signal.SIGTERM)
    assert code in (0, -signal.SIGTERM), "before farmd handles signals nothing runs yet"
    assert farm.leftovers() == []


def test_stop_with_work_under_way(farms):  # noqa: F811
    """Whoever waits for an answer gets one or a closed connection, and farmd doesn't wait for it."""
    farm = with_stubborn(farms, "3s").start()
    threads = []
    for method, path, body in (
        ("POST", "/api/servers/3/action", {"action": "restart"}),
        ("POST", "/api/load-test", {"target_servers": [1], "duration": 600}),
        ("POST", "/api/simulate-load", {"server_ids": [2], "cpu_duration": 5, "memory_mb": 1}),
        ("POST", "/api/rolling-restart", {"ids": [3]}),
        ("POST", "/api/scale", {"servers": 3}),
    ):
        def ask(method=method, path=path, body=body):
            with contextlib.suppress(OSError, ValueError):
                farm.request(method, path, body)
        threads.append(threading.Thread(target=ask))
        threads[-1].start()
    wait_for(lambda: farm.server(3)["status"] == "stopping", what="the restart under way")
    assert farm.stop() == 0, farm.errors()
    for thread in threads:
        thread.join()
    assert farm.leftovers() == []


def test_stopping_farm_refuses_changes(farms):  # noqa: F811
    farm = with_stubborn(farms, "10m").start()
    farm.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "stopping" in farm.errors(), what="the signal taken")
    with contextlib.suppress(OSError):  # the listener may be closed already
        assert farm.request("POST", "/api/servers/1/action", {"action": "start"}).status == 503
    farm.process.send_signal(signal.SIGTERM)
    assert farm.process.wait(DEADLINE) == 0
    assert farm.leftovers() == []


# --- an earlier run ---


def test_broken_state_does_not_break_the_next_run(farms):  # noqa: F811
    farm = farms(servers=2).start()
    farm.process.kill()
    farm.process.wait()
    old = [pid for pid in farm.processes()]
    spoilt = [path for place in (farm.state_dir, farm.runtime_dir) for path in place.rglob("*") if path.is_file()]
    assert spoilt
    for path in spoilt:
        path.write_bytes(b"\x00\xff{[garbage" * 3)
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    farm.start()
    assert all(farm.worker(i).status == 200 for i in (1, 2))
    assert farm.stop() == 0
    assert farm.leftovers() == []


def test_two_farmds_on_one_state_directory(farms):  # noqa: F811
    first = farms(servers=2).start()
    before = first.pids()
    second = farms(servers=2)
    second.state_dir = first.state_dir
    second.start(wait=False)
    assert second.process.wait(DEADLINE) == 2
    assert re.fullmatch("farmd: .*\n  fix: .*\n", second.errors())
    assert str(first.process.pid) in second.errors() and str(first.state_dir) in second.errors()
    assert first.pids() == before
    assert second.leftovers() == []
    assert first.stop() == 0
    assert first.leftovers() == []


def test_taken_api_port_stops_the_start(farms):  # noqa: F811
    farm = farms(servers=2)
    with farmlib.listening(farm.port):
        farm.start(wait=False)
        assert farm.process.wait(DEADLINE) == 1
    assert re.fullmatch("farmd: .*\n  fix: .*\n", farm.errors())
    assert f"{farm.port}" in farm.errors() and f"pid {os.getpid()}" in farm.errors()
    assert farm.leftovers() == []


def test_taken_dashboard_port_is_a_warning(farms):  # noqa: F811
    farm = farms(servers=2)
    with farmlib.listening(farm.dashboard_port):
        farm.start()
        assert str(farm.dashboard_port) in farm.errors() and "warning" in farm.errors().lower()
        assert farm.stop() == 0
    assert farm.leftovers() == []


# --- the terminal ---


class Terminal:
    """farmd as the leader of a session with a terminal of its own."""

    def __init__(self, farm):
        self.master, slave = pty.openpty()
        self.seen = b""
        def own_terminal():
            os.setsid()
            os.close(os.open(os.ttyname(0), os.O_RDWR))  # becomes the controlling terminal

        farm.process = subprocess.Popen(
            [farmd_process.FARMD, *farm.arguments()], env=farm.env, cwd=farm.directory,
            stdin=slave, stdout=slave, stderr=slave, preexec_fn=own_terminal)
        os.close(slave)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.ended = False
        self.thread.start()

    def _read(self):
        while not self.ended:
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:
                    return

    def hang_up(self):
        self.ended = True
        self.thread.join()
        os.close(self.master)


def test_a_dumb_terminal_gets_no_control_sequences(farms):  # noqa: F811
    farm = farms(servers=3, env={"TERM": "dumb"})
    terminal = Terminal(farm)
    farm.wait_ready()
    wait_for(lambda: b"Ctrl-C" in terminal.seen, what="the last line of the start")
    assert farm.stop(signal.SIGINT) == 0
    assert b"\x1b" not in terminal.seen and terminal.seen.count(b"ready ") == 1, terminal.seen
    terminal.hang_up()


@pytest.mark.parametrize("no_color", [False, True])
def test_terminal_shows_progress_in_place(farms, no_color):  # noqa: F811
    farm = farms(servers=30, env={"TERM": "xterm", **({"NO_COLOR": "1"} if no_color else {})})
    terminal = Terminal(farm)
    farm.wait_ready()
    wait_for(lambda: b"Ctrl-C" in terminal.seen, what="the last line of the start")
    text = terminal.seen.decode()
    assert re.search(r"\r(\x1b\[K)?  ready +30/30 in \d", text), text
    assert text.count("ready ") >= 1 and text.count("30/30") == 1
    for address in (farm.port, farm.dashboard_port, farm.base_port, farm.base_port + 29):
        assert f"http://localhost:{address}" in text
    if no_color:
        assert not re.search(r"\x1b\[[\d;]*m", text), "no colours were asked for"
    assert farm.stop(signal.SIGINT) == 0
    terminal.hang_up()
    assert farm.leftovers() == []


def test_what_goes_wrong_meanwhile_has_a_line_of_its_own(farms):  # noqa: F811
    """The open ready line makes room for it and comes back below, and gives way to the end."""
    farm = farms(servers=2, env={"TERM": "xterm"}, config="servers: {command: [sleep, '1000']}\n")
    with farmlib.listening(farm.base_port + 1):
        terminal = Terminal(farm)
        trouble = rb"\r\x1b\[K\d\d:\d\d:\d\d server-2 cannot start: port [^\n]*\n  fix: [^\n]*\n  ready +0/2 in [0-9.]+ s"
        wait_for(lambda: re.search(trouble, terminal.seen), what="the line and the ready line below it")
        assert farm.stop(signal.SIGINT) == 0
    text = terminal.seen.decode()
    assert re.search(r"\r\x1b\[K\d\d:\d\d:\d\d stopping 2 servers", text), text
    assert not re.search(r"ready [^\r\n]*\d\d:\d\d:\d\d", text), text
    terminal.hang_up()


def test_what_it_says_to_do_next_can_be_done(farms):  # noqa: F811
    farm = farms(servers=2)
    (farm.directory / "farmd").symlink_to(farmd_process.FARMD)
    farm.start(program="./farmd")
    line = re.search(r"another terminal: (.*)", farm.output()).group(1)
    for command in line.split(" · "):
        words = command.split()
        assert words[0] == "./farmd", "in PATH there is none"
        if words[1] != "top":  # which wants a terminal
            few = ["-n", "1"] if words[1] == "load" else []
            done = subprocess.run([*words, *few], env=farm.env, cwd=farm.directory, capture_output=True, timeout=DEADLINE)
            assert done.returncode == 0, (command, done.stderr)
    assert farm.stop() == 0


def test_hang_up_reloads_while_the_terminal_is_there_and_stops_when_it_is_gone(farms):  # noqa: F811
    farm = farms(servers=2, config="servers: {cpu: 0.5}\n")
    terminal = Terminal(farm)
    farm.wait_ready()
    since, before = farm.last_event(), farm.pids()
    os.kill(farm.process.pid, signal.SIGHUP)
    farm.wait_event("Reloaded", since=since)
    assert farm.pids() == before
    terminal.hang_up()
    assert farm.process.wait(DEADLINE) == 0
    assert farm.leftovers() == []


def test_hang_up_without_a_terminal_reloads(farms):  # noqa: F811
    farm = farms(servers=1, config="servers: {cpu: 0.5}\n").start(start_new_session=True)
    since = farm.last_event()
    farm.process.send_signal(signal.SIGHUP)
    farm.wait_event("Reloaded", since=since)
    assert farm.stop() == 0


def test_output_is_plain_where_there_is_no_terminal(farms):  # noqa: F811
    farm = farms(servers=3, env={"TERM": "xterm"}).start()
    before = farm.server(1)
    os.kill(before["pid"], signal.SIGKILL)
    farm.wait_restarted(1, before)
    wait_for(lambda: "server-1" in farm.errors() + farm.output(), what="a line about it")
    assert farm.stop() == 0
    told = farm.output() + farm.errors()
    assert "\x1b" not in told and "\r" not in told
    assert told.count("3/3") == 1
    assert re.search(r"server-1 restarted: Crashed.*back in", told)


def test_closed_output_ends_nothing(farms):  # noqa: F811
    """A reader of its output that goes away (farmd | head) takes nothing down."""
    read_end, write_end = os.pipe()
    farm = farms(servers=2)
    farm.start(stdout=write_end, stderr=write_end)
    os.close(write_end)
    os.close(read_end)
    before = farm.server(1)
    os.kill(before["pid"], signal.SIGKILL)
    farm.wait_restarted(1, before)
    assert farm.stop() == 0
    assert farm.leftovers() == []


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "2>&-", ">&-"])
def test_streams_that_are_closed_from_the_start(farms, closed):  # noqa: F811
    """What farmd opens first must not get their numbers: messages would be written into it."""
    farm = farms(servers=2)
    farm.start(prefix=["sh", "-c", f'exec "$@" {closed}', "sh"])
    streams = [os.readlink(f"/proc/{farm.process.pid}/fd/{number}") for number in range(3)]
    assert "/dev/null" in streams and not any(name.startswith(("anon_inode", "socket", "pipe")) for name in streams)
    before = farm.server(1)
    os.kill(before["pid"], signal.SIGKILL)
    farm.wait_restarted(1, before)
    assert farm.stop() == 0
    assert farm.leftovers() == []


# --- programs that listen to farmd ---


@pytest.fixture
def notify_socket(farms):  # noqa: F811
    farm = farms(servers=2, config="servers: {cpu: 0.5}\n")
    path = str(farm.directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(DEADLINE)
        farm.env.update(NOTIFY_SOCKET=path, WATCHDOG_USEC="200000")
        yield farm, listener


def messages_until(listener, key):
    seen = []
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        seen.append(dict(line.partition("=")[::2] for line in listener.recv(4096).decode().splitlines()))
        if key in seen[-1]:
            return seen
    raise AssertionError(f"no {key} among {seen[-5:]}")


def test_service_manager_is_told(notify_socket):
    farm, listener = notify_socket
    farm.start()
    assert messages_until(listener, "READY")[-1]["READY"] == "1"
    beats = []

    def quick_enough():
        """Twice in each interval; a busy machine makes one or the other late."""
        beat = messages_until(listener, "WATCHDOG")[-1]
        assert "2 of 2" in beat["STATUS"]
        beats.append(time.monotonic())
        return any(after - before < 0.19 for before, after in zip(beats, beats[1:]))

    wait_for(quick_enough, what="two beats within an interval")
    farm.process.send_signal(signal.SIGHUP)
    assert messages_until(listener, "RELOADING")[-1]["MONOTONIC_USEC"].isdigit()
    messages_until(listener, "READY")
    assert "NOTIFY_SOCKET" not in farmd_process.environment_of(farm.pids()[1])
    farm.process.send_signal(signal.SIGTERM)
    assert messages_until(listener, "STOPPING")[-1]["STOPPING"] == "1"
    assert farm.process.wait(DEADLINE) == 0


def test_service_manager_hears_of_no_readiness_of_a_start_that_is_cut_short(notify_socket):
    farm, listener = notify_socket
    farm.write_config("servers: {command: [sleep, '1000']}\n")
    farm.start(wait=False)
    wait_for(lambda: len(farm.processes()) == 3, what="the processes")
    farm.process.send_signal(signal.SIGTERM)
    messages_until(listener, "STOPPING")
    assert farm.process.wait(DEADLINE) == 0
    listener.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            assert b"READY" not in listener.recv(4096)


def test_json_log_is_json_throughout(farms):  # noqa: F811
    farm = farms(servers=3, config="servers: {cpu: 0.5}\n", flags=["--log-format", "json", "--log-level", "DEBUG"]).start()
    before = farm.server(2)
    os.kill(before["pid"], signal.SIGKILL)
    farm.wait_restarted(2, before)
    farm.process.send_signal(signal.SIGHUP)
    farm.wait_event("Reloaded")
    assert farm.stop() == 0
    lines = (farm.output() + farm.errors()).splitlines()
    assert len(lines) >= 4
    for line in lines:
        entry = json.loads(line)
        assert entry["message"] and entry["level"]
        age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(entry["timestamp"])
        assert 0 <= age.total_seconds() < 120
    entries = [json.loads(line) for line in lines]
    assert any(e.get("server_id") == 2 and e.get("reason") == "Ready" and "server-2" in e["message"] for e in entries)
    assert any(e.get("reason") == "Reloaded" and "server_id" not in e for e in entries), "the farm's own event"
