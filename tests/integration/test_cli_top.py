"""`farmd top` on real terminals of several sizes, against the real farmd."""

import http.server
import json
import os
import re
import signal
import threading
import time
import urllib.parse

import pytest

import clilib
import farmlib
from clilib import DONE, INTERRUPTED, UNREACHABLE, USAGE, run
from farmd_process import alive, farms, running  # noqa: F401 (a fixture)
from farmlib import wait_for
from toplib import Screen

SERVERS = 6
SIZES = [(80, 24), (200, 50)]


@pytest.fixture(scope="module")
def farm():
    with running(servers=SERVERS) as one:
        yield one


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def screen(farm, request):
    run(farm, "start", "all")
    run(farm, "wait", "--healthy")
    with Screen(farm, *request.param) as one:
        yield one


@pytest.fixture
def small(farm):
    run(farm, "start", "all")
    with Screen(farm) as one:
        yield one


# --- the list ---


def test_shows_the_servers(farm, screen):
    screen.top()
    text = screen.wait(f"{SERVERS} servers: {SERVERS} healthy", "limits ").text()
    assert [row[:3] for row in screen.rows()] == [[str(i), "running", "healthy"] for i in range(1, SERVERS + 1)]
    assert f"http://localhost:{farm.port}" in text
    widest = max(len(line) for line in screen.lines())
    assert widest <= int(screen.ask("#{window_width}"))


def test_keeps_up_with_the_farm(farm, screen):
    screen.top()
    run(farm, "stop", "4")
    screen.wait("on request", "1 stopped")
    assert screen.rows()[0][:2] == ["4", "stopped"]  # what needs a person is first
    run(farm, "start", "4")
    screen.wait(f"{SERVERS} healthy", without=["stopped"])


def test_sorts(farm, screen):
    screen.top("--sort", "restarts")
    run(farm, "kill", "3")
    screen.wait("RESTARTS")
    wait_for(lambda: screen.rows()[0][0] == "3", what="the restarted server first")
    assert "▼RESTARTS" in screen.text()
    screen.keys("r").wait("▲RESTARTS")
    assert screen.rows()[-1][0] == "3"
    screen.keys("<").wait("▼P99 ms")
    while "▲ID" not in screen.text():
        screen.keys("s")
    assert [row[0] for row in screen.rows()] == [str(i) for i in range(1, SERVERS + 1)]


def test_filters(farm, screen):
    screen.top()
    screen.keys("/").wait("filter (")
    screen.type("2-3").keys("Enter").wait(f"2 of {SERVERS}: 2-3")
    wait_for(lambda: [row[0] for row in screen.rows()] == ["2", "3"], what="two rows")
    screen.keys("/").wait("2-3_").keys("C-u").type("colour:red").keys("Enter").wait("there is no \"colour\"")
    screen.keys("Escape").wait("? keys")
    screen.keys("/").keys("C-u").type("99").keys("Enter").wait(f"no such server: 99; there are 1-{SERVERS}")
    wait_for(lambda: len(screen.rows()) == SERVERS, what="all servers again")
    screen.keys("/").type("cpu>99").keys("Enter").wait("no server is cpu>99; Esc shows all again")
    screen.keys("Escape")
    wait_for(lambda: len(screen.rows()) == SERVERS, what="all servers again")


def test_a_filter_on_the_command_line(farm, small):
    small.top("server-2", "4", wait="live")
    assert [row[0] for row in small.rows()] == ["2", "4"]


# --- acting ---


def test_stops_one_when_told_so_twice(farm, screen):
    screen.top("--sort", "id")
    screen.keys("j", "X").wait("stop server-2? y/n")
    screen.keys("n").wait("? keys", without=["y/n"])
    assert farm.server(2)["status"] == "running"
    screen.keys("X").wait("y/n").keys("y").wait("server-2 stopped in ")
    assert farm.server(2)["status"] == "stopped"
    screen.keys("S").wait("server-2 started in ")
    assert farm.server(2)["status"] == "running"


def test_acts_on_the_selected(farm, screen):
    screen.top("--sort", "id")
    before = farm.pids()
    screen.keys("Space", "Space", "Down", "Space").wait("3 selected")
    screen.keys("R").wait("restart 3 servers (1-2, 4)? y/n").keys("y").wait("3 servers restarted in ")
    after = farm.pids()
    assert [i for i in before if before[i] != after[i]] == [1, 2, 4]
    screen.keys("/").type("1").keys("Enter").wait(f"1 of {SERVERS}: 1")
    screen.keys("S").wait("start 3 servers (1-2, 4), 2 not shown? y/n")
    screen.keys("Escape").wait("? keys", without=["y/n"])
    screen.keys("u").wait(f"1 of {SERVERS}: 1", without=["selected"])


def test_tells_what_failed(farm, small):
    run(farm, "stop", "2")
    small.top("--sort", "id").keys("a").wait(f"{SERVERS} selected")
    small.keys("P").wait(f"pause {SERVERS} servers (1-{SERVERS})? y/n").keys("y")
    small.wait(f"{SERVERS - 1} of {SERVERS} servers paused; server-2 is stopped")
    small.wait("paused", f"{SERVERS - 1} paused")
    small.keys("u", "j", "C").wait("server-2")
    run(farm, "resume", "state:paused")


def test_sets_limits(farm, small):
    small.top("--sort", "id").keys("M").wait("limits of server-1")
    small.type("cpu=much").keys("Enter").wait("cpu=much: write a number")
    small.keys("C-u").type("cpu=0.25 memory=1").keys("Enter").wait("memory")
    small.wait("? keys")
    assert farm.server(1)["limits_configured"]["cpu"] == 0.5
    small.keys("M").type("cpu=0.25 memory=128M").keys("Enter").wait("server-1 changed in ")
    limits = farm.server(1)["limits_configured"]
    assert (limits["cpu"], limits["memory_mb"]) == (0.25, 128)


# --- load tests ---


def test_loads_servers_and_shows_the_report(farm, screen):
    screen.top("--sort", "id").keys("Space", "Space", "L").wait("load 2 servers (1-2): duration=10s")
    screen.keys("C-u").type("rate=fast").keys("Enter").wait("rate=fast: write a number")
    screen.keys("C-u").type("rate=200 duration=2s").keys("Enter").wait("load test completed", "L shows the report")
    screen.keys("L").wait("2 servers · open, 200/s constant · 2 s", "400 asked, 400 answered", "server-2")
    screen.keys("q").wait(f"{SERVERS} servers", "load test completed")
    test = farm.get("/api/load-tests")["load_tests"][0]
    assert (test["servers"], test["requests"], test["status"]) == (2, 400, "completed")
    screen.keys("q").told(DONE)


def test_ends_a_load_test_before_its_time(farm, small):
    small.top("--sort", "id").keys("Enter").wait("server-1", "last end")
    small.keys("L").wait("load server-1: ").keys("C-u").type("rate=50 duration=1h").keys("Enter")
    small.wait("load ", "50/s", "failed 0", "server-1")
    small.keys("L").wait("server-1 · open, 50/s constant", "It goes on")
    small.keys("X").wait("end the load test before its time? y/n").keys("n").wait("? keys", without=["y/n"])
    small.keys("X").wait("y/n").keys("y").wait("load test cancelled", "answered")
    small.keys("?").wait("these keys").keys("x").wait("load test cancelled")
    small.keys("Escape").wait("server-1", "last end")
    small.keys("q").wait(f"{SERVERS} servers").keys("q").told(DONE)


def test_a_load_test_that_the_farm_refuses(farm, small):
    run(farm, "stop", "2")
    small.top("2", "--sort", "id").keys("L").wait("load server-2: ").keys("Enter").wait("there is nothing to load")
    small.keys("q").told(DONE)


# --- one server ---


def test_opens_a_server(farm, screen):
    screen.top("--sort", "id").keys("j", "j", "Enter")
    screen.wait("server-3", "running, healthy for", "last end", "when it ends it is started again", "of 0.5 CPU")
    screen.wait("Ready", "started: pid")
    before = farm.server(3)
    farm.act(3, "restart")
    after = farm.wait_restarted(3, before)
    screen.wait(f"started (pid {after['pid']})", f"pid {after['pid']}")
    screen.keys("q").wait(f"{SERVERS} servers")
    assert len(screen.rows()) == SERVERS


HOSTILE = r"""#!/bin/sh
printf '\033[2J\033[H\033]0;title\007escaped\033[31m\n'
printf 'broken \377\376\300\200 utf8\n'
printf 'back\b\b\b\b\r\tcontrol\n'
head -c 1000000 /dev/zero | tr '\0' x; echo
printf 'line %d\n' $(seq 1 400)
echo the last line
exec $DIR/farm-worker
"""


def test_a_hostile_log_is_harmless(farms):  # noqa: F811
    farm = farms(servers=1, config="groups:\n  - {name: own, count: 1, command: [$DIR/program]}\n")
    farm.install_worker()
    program = farm.directory / "program"
    program.write_text(HOSTILE.replace("$DIR", str(farm.directory)))
    program.chmod(0o755)
    farm.start()
    with Screen(farm) as screen:
        screen.top().keys("Enter").wait("the last line", "server-1")
        screen.keys("Home").wait("End follows it again")
        text = screen.wait("escaped", "utf8", "control").text()
        assert "server-1" in text.splitlines()[0] and "quit" in text.splitlines()[-1]
        assert "title" not in screen.ask("#{pane_title}")
        screen.keys("PageDown").wait("xxxxxxxxxx")
        screen.keys("End").wait("the last line", without=["End follows"])
        screen.keys("q", "q").told(DONE)
    assert farm.stop() == 0


# --- the screen ---


def test_follows_the_size(farm, small):
    small.top()
    small.resize(200, 50)
    small.wait("UP", "ERR/S")
    small.resize(20, 5)
    small.wait("needs 60", "has 20", "q quits")
    small.resize(60, 10)
    text = small.wait("HEALTH", "REQ/S", without=["RESTARTS", "needs"]).text()
    assert "quit" not in text or len(text.splitlines()) == 10
    small.resize(80, 24)
    small.wait("RESTARTS", "quit")


def test_starts_on_a_screen_that_is_too_small(farm):
    run(farm, "start", "all")
    with Screen(farm, columns=20, lines=5) as screen:
        screen.top(wait=None).wait("needs 60", "q quits")
        screen.keys("X", "y", "/", "j")  # what is not seen is not done
        screen.resize(80, 24)
        screen.wait(f"{SERVERS} healthy", "? keys", without=["y/n", "filter ("])
        screen.resize(20, 5)
        screen.wait("needs 60")
        screen.keys("q").told(DONE)


def test_shows_its_keys(farm, screen):
    screen.top().keys("?").wait("these keys", "set limits")
    screen.keys("x").wait(f"{SERVERS} servers")


COLOUR = re.compile(r"\033\[(?:\d+;)*(?:3[0-7]|4[0-7]|9[0-7])(?:;|m)")


@pytest.mark.parametrize("env,coloured", [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "vt100"}, False)])
def test_colours(farm, env, coloured):
    run(farm, "start", "all")
    with Screen(farm, env=env) as screen:
        screen.top()
        assert bool(COLOUR.search(screen.text("-e"))) == coloured
        screen.wait("running", "healthy")
        screen.keys("q").told(DONE)


def test_without_utf8(farm):
    run(farm, "start", "all")
    with Screen(farm, env={"LANG": "C", "LC_ALL": "C"}) as screen:
        text = screen.top().wait("running", "........").text()
        assert text.isascii(), text
        screen.keys("q").told(DONE)


# --- the ways out ---


def test_quits(farm, screen):
    screen.top().keys("q").told(DONE)
    assert screen.text().startswith("code=0")
    screen.top().keys("C-c").told(INTERRUPTED)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT])
def test_a_signal_leaves_the_terminal_as_it_was(farm, small, number):
    small.top()
    os.kill(small.pid(), number)
    small.told(128 + number)


def test_ends_with_its_terminal(farm, small):
    pid = small.top().pid()
    small.close()
    wait_for(lambda: not alive(pid), what="the end of farmd top")


def test_needs_a_terminal(farm):
    assert "needs a terminal" in clilib.error(farm, "top", code=USAGE)
    with clilib.Terminal(farm, "top", env={"TERM": "dumb"}) as terminal:
        assert terminal.read_to_end() == USAGE
        assert "TERM=dumb" in terminal.screen and "\033" not in terminal.screen
    with clilib.Terminal(farm, "top", "colour:red") as terminal:
        assert terminal.read_to_end() == USAGE and "\033" not in terminal.screen
    with clilib.Terminal(farm, "top", "99") as terminal:
        assert terminal.read_to_end() == USAGE and "there are 1-6" in terminal.screen


def test_a_farm_that_was_never_there():
    port = farmlib.free_port_range(1)
    with clilib.Terminal(None, "top", "--api", f"http://localhost:{port}") as terminal:
        assert terminal.read_to_end() == UNREACHABLE
        assert "no farm answers" in terminal.screen and "\033" not in terminal.screen


# --- a farm that goes away ---


def test_waits_for_a_farm_that_is_gone(farms):  # noqa: F811
    farm = farms(servers=3).start()
    with Screen(farm) as screen:
        screen.top()
        farm.kill()
        screen.wait("no answer for", "no farm answers", "running", without=["live"])
        screen.keys("?").wait("these keys").keys("x")
        farm.start()
        screen.wait("live", "3 servers: 3 healthy", without=["no farm answers"])
        screen.keys("Enter").wait("server-1", "Adopted")
        farm.kill()
        screen.wait("no answer for", without=["live"])
        farm.start()
        screen.wait("live", without=["no farm answers"])
        before = farm.server(1)
        farm.act(1, "restart")
        pid = farm.wait_restarted(1, before)["pid"]
        screen.wait(f"is started (pid {pid})", f"started: pid {pid}")  # the events and the log go on
        screen.keys("q", "q").told(DONE)
    assert farm.stop() == 0


def test_a_slow_farm_does_not_freeze_it(farm, small):
    small.top("--sort", "id")
    os.kill(farm.process.pid, signal.SIGSTOP)
    try:
        small.wait("no answer for")
        small.keys("?").wait("these keys").keys("x").wait("STATE")
        small.keys("j", "j", "X").wait("stop server-3? y/n").keys("n")
        small.keys("q").told(DONE)
    finally:
        os.kill(farm.process.pid, signal.SIGCONT)
    wait_for(lambda: farm.get("/api/servers"), what="the farm again")


# --- many servers ---


class Crowd(http.server.BaseHTTPRequestHandler):
    """The API of a farm of 5,000 servers, without the servers."""

    protocol_version = "HTTP/1.1"
    asked, answer = [], {}

    def do_GET(self):
        type(self).asked.append(self.path)
        wanted = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("select", ["all"])[0]
        body = self.answer.get(wanted, self.answer["all"])
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def crowd(farm):
    answer = farm.get("/api/servers")
    entry = answer["servers"][0]
    servers = [{**entry, "id": i, "name": f"server-{i}", "cpu_percent": i * 7919 % 100} for i in range(1, 5001)]
    Crowd.asked = []
    Crowd.answer = {
        "all": json.dumps({**answer, "total_servers": 5000, "servers": servers}).encode(),
        "4000-4001": json.dumps({**answer, "total_servers": 5000, "servers": servers[3999:4001]}).encode(),
    }
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Crowd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_five_thousand_servers(farm, crowd):
    with Screen(farm, env={"FARMD_API": f"http://127.0.0.1:{crowd.server_address[1]}"}) as screen:
        began = time.monotonic()
        screen.top("--sort", "id").wait("5000 servers", "running")
        screen.keys("End")
        wait_for(lambda: screen.rows()[-1][0] == "5000", what="the last server")
        screen.keys("PageUp").keys("Home")
        wait_for(lambda: screen.rows()[0][0] == "1", what="the first server")
        screen.keys("a").wait("5000 selected")
        screen.keys("X").wait("stop 5000 servers (1-5000)? y/n").keys("n")
        screen.keys("/").type("4000-4001").keys("Enter").wait("2 of 5000: 4000-4001")
        wait_for(lambda: [row[0] for row in screen.rows()] == ["4000", "4001"], what="two rows")
        assert any("select=4000-4001" in path for path in Crowd.asked)
        screen.keys("q").told(DONE)
        # One question a second, one at the start and one for the filter.
        assert len(Crowd.asked) <= time.monotonic() - began + 3, Crowd.asked
