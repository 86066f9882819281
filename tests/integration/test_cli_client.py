"""Verbs and the farm that they speak to: where it is, what happens when it isn't there, and what every verb refuses."""

import json
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

import farmlib
from clilib import DONE, INTERRUPTED, PARTLY, TIMED_OUT, UNREACHABLE, USAGE, Terminal, environment, error, run, start
from farmd_process import FARMD, farms, run_farmd, running  # noqa: F401 (a fixture)
from farmlib import DEADLINE, wait_for

# Each verb that speaks to a farm, with what it needs.
VERBS = [
    ["ps"], ["inspect", "1"], ["health"], ["metrics"], ["logs"], ["logs", "-f"], ["events"], ["events", "-f"],
    ["wait", "--timeout", "0"], ["start", "1"], ["stop", "1"], ["restart", "1"], ["kill", "1"], ["pause", "1"],
    ["resume", "1"], ["scale", "3"], ["rolling-restart"], ["set", "1", "--cpu", "1"], ["simulate-load", "1"],
    ["broadcast", "/"],
]


@pytest.fixture(scope="module")
def farm():
    with running(servers=3) as one:
        wait_for(lambda: all(e["health"] == "healthy" for e in one.servers().values()), what="all healthy")
        yield one


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_farm(verb):
    port = farmlib.free_port()
    text = error(None, *verb, code=UNREACHABLE, env={"FARMD_API": f"http://localhost:{port}"})
    assert f"no farm answers at http://localhost:{port}" in text and "farmd up -d" in text


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_server_outside_the_farm(farm, verb):
    if verb[0] == "scale":
        return
    operands = {"inspect": [], "broadcast": ["/"]}.get(verb[0], [])
    flags = [word for word in verb[1:] if word.startswith("-") or word in ("0", "1") and verb[0] in ("wait", "set")]
    flags = {"wait": ["--timeout", "0"], "set": ["--cpu", "1"]}.get(verb[0], flags)
    assert "no such server: 4; there are 1-3" in error(farm, verb[0], *operands, "2,4", *flags)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_what_no_verb_takes(verb):
    # Refused before any farm is asked, so that it doesn't matter that there is none.
    assert "--colour: unknown flag" in error(None, *verb, "--colour")
    if verb[0] != "scale":
        assert "did you mean state:unhealthy?" in error(None, *verb, "state:unhelthy")
    assert "--api: \"ftp://x\"" in error(None, *verb, "--api", "ftp://x")


@pytest.mark.parametrize("verb", ["inspect", "start", "stop", "restart", "kill", "pause", "resume", "set", "simulate-load"])
def test_which_servers_must_be_said(verb):
    assert "say which servers" in error(None, verb)


def test_help_at_every_verb(tmp_path):
    listed = run_farmd("help", directory=tmp_path).stdout
    verbs = re.findall(r"^  ([a-z-]+)  +\S", listed, re.M)
    assert set(verb[0] for verb in VERBS) | {"up", "down", "export", "completion"} <= set(verbs)
    for verb in verbs:
        page = run_farmd(verb, "--help", directory=tmp_path)
        assert page.returncode == 0 and page.stdout.startswith(f"farmd {verb}"), verb
        if verb not in ("version",):
            assert "Examples:" in page.stdout, verb


# --- where the farm is ---


def test_api_flag_stands_above_the_variable(farm):
    bad = {"FARMD_API": "http://localhost:1"}
    for api in (f":{farm.port}", f"localhost:{farm.port}", f"http://127.0.0.1:{farm.port}/", f"[::1]:{farm.port}"):
        assert run(farm, "ps", "-o", "name", "--api", api, env=bad).stdout == "server-1\nserver-2\nserver-3\n"
    error(farm, "ps", code=UNREACHABLE, env=bad)


def test_settings_found_here_say_where(farm, tmp_path):
    (tmp_path / "farm.yaml").write_text(f"api: {{port: {farm.port}}}\n")
    assert run_farmd("ps", "-o", "name", directory=tmp_path).stdout == "server-1\nserver-2\nserver-3\n"
    (tmp_path / "farm.yaml").write_text("api: [\n")  # broken ones are as none
    assert run_farmd("ps", "--api", f":{farm.port}", directory=tmp_path).returncode == DONE


def test_a_token(farms, tmp_path):  # noqa: F811
    secret = "geheim-und-lang-genug"
    farm = farms(servers=1, env={"FARMD_TOKEN": secret})
    real_request = farm.request
    farm.request = lambda method, path, body=None, headers=None, **kwargs: real_request(
        method, path, body, {"Authorization": f"Bearer {secret}", **(headers or {})}, **kwargs)
    farm.start()
    assert "FARMD_TOKEN" in error(farm, "ps", code=1)
    assert "FARMD_TOKEN" in error(farm, "ps", code=1, env={"FARMD_TOKEN": "something-else"})
    assert run(farm, "ps", "-o", "name", env={"FARMD_TOKEN": secret}).stdout == "server-1\n"
    run(farm, "restart", "1", env={"FARMD_TOKEN": secret})
    # A token beside the settings of one farm goes to no other.
    (tmp_path / "farm.yaml").write_text(f"api: {{token: {secret}, port: {farm.port}}}\n")
    assert run_farmd("ps", "-o", "name", directory=tmp_path).stdout == "server-1\n"
    assert run_farmd("ps", "--api", f":{farm.port}", directory=tmp_path).returncode == 1


def serve_once(answer):
    """A port where every connection gets this answer."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(DEADLINE)

    def serve():
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            peer.recv(65536)
            peer.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return listener, thread


@pytest.mark.parametrize("answer", [
    b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"",
    b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nnope",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"servers\"",
])
def test_something_else_answers(answer):
    listener, thread = serve_once(answer)
    try:
        text = error(None, "ps", code=UNREACHABLE, env={"FARMD_API": f"127.0.0.1:{listener.getsockname()[1]}"})
        assert "no farmd" in text or "went away" in text
    finally:
        listener.close()
        thread.join()


def test_a_farm_that_hangs(farms):  # noqa: F811
    farm = farms(servers=1)
    farm.start()
    os.kill(farm.process.pid, signal.SIGSTOP)
    try:
        assert "not done within 300 ms" in error(farm, "restart", "1", "--timeout", "300ms", code=TIMED_OUT)
        assert "no answer within 200 ms" in error(farm, "wait", "--timeout", "200ms", code=TIMED_OUT)
    finally:
        os.kill(farm.process.pid, signal.SIGCONT)
    assert farm.stop() == 0


# --- farmd goes away in the middle ---


@pytest.mark.parametrize("verb", [["logs", "-f"], ["events", "-f"], ["simulate-load", "1", "--cpu", "30s"],
                                  ["rolling-restart"], ["ps", "--watch"]], ids=" ".join)
def test_farmd_dies(farms, verb):  # noqa: F811
    farm = farms(servers=2, config="servers: {stop_grace: 30s}\n")
    farm.start()
    if verb[0] == "rolling-restart":
        os.kill(farm.pids()[1], signal.SIGSTOP)  # takes no SIGTERM, so that the restart lasts
    process = start(farm, *verb)
    wait_for(lambda: connected_to(farm.port, process.pid), what="the verb being connected")
    farm.process.kill()
    farm.process.wait()
    out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == UNREACHABLE, (out, err)
    assert re.search(r"farmd: [^\n]+\n\Z", err), err


def connected_to(port, pid):
    """Whether a process has a connection to this port."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}").partition("socket:[")[2].rstrip("]"))
        except OSError:
            continue
    for name in ("tcp", "tcp6"):
        for line in open(f"/proc/net/{name}").read().splitlines()[1:]:
            fields = line.split()
            if int(fields[2].rpartition(":")[2], 16) == port and fields[3] == "01" and fields[9] in inodes:
                return True
    return False


@pytest.mark.parametrize("verb", [["logs", "-f"], ["events", "-f"], ["ps", "-w"], ["simulate-load", "1", "--cpu", "20s"],
                                  ["wait", "--stopped"]], ids=" ".join)
def test_interrupted(farm, verb):
    process = start(farm, *verb)
    wait_for(lambda: connected_to(farm.port, process.pid), what="the verb being connected")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == INTERRUPTED, (out, err)
    if verb[0] == "simulate-load":
        assert "interrupted; farmd goes on with it" in err
        run(farm, "kill", "1")
        run(farm, "wait", "--healthy")


def test_a_reader_that_has_had_enough(farm):
    """`farmd logs -f | head -1` ends by itself."""
    process = start(farm, "events", "-f", "--tail", "1")
    assert process.stdout.readline()
    process.stdout.close()
    run(farm, "restart", "1")
    assert process.wait(DEADLINE) == DONE
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize("verb", ["ps", "version", "help", "check", "events"])
def test_a_full_disk(farm, verb):
    with open("/dev/full", "w") as full:
        done = run(farm, verb, code=1, stdout=full)
    assert "cannot write to the standard output: No space left" in done.stderr


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_streams_that_are_not_there(farm, closed):
    """Nothing that farmd opens may take the place of one: what it prints would go there."""
    words = " ".join(f"{fd}>&-" for fd in closed)
    for verb in ("ps", "ps 99", "version"):
        done = subprocess.run(["sh", "-c", f"exec {FARMD} {verb} {words}"], env=environment(farm), capture_output=True,
                              text=True, timeout=DEADLINE)
        assert done.returncode == (USAGE if "99" in verb else DONE), done
        assert bool(done.stdout) == (1 not in closed and "99" not in verb), done
        assert bool(done.stderr) == (2 not in closed and "99" in verb), done


# --- the terminal ---


def test_colour_on_a_terminal_only(farm):
    with Terminal(farm, "ps") as terminal:
        assert terminal.read_to_end() == DONE
    assert "\033[32mrunning" in terminal.screen
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with Terminal(farm, "ps", env=env) as terminal:
            assert terminal.read_to_end() == DONE
        assert "\033[" not in terminal.screen and "running" in terminal.screen
    assert "\033[" not in run(farm, "ps").stdout


def test_what_matters_most_fits_80_columns(farm):
    with Terminal(farm, "ps", columns=80, env={"NO_COLOR": "1"}) as terminal:
        terminal.read_to_end()
    [heading] = [line for line in terminal.screen.splitlines() if line.startswith("ID")]
    assert heading.split() == ["ID", "NAME", "STATE", "HEALTH", "CPU", "MEMORY", "REQ/S", "RESTARTS", "UP"]


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_tables_fit_the_terminal(farm, columns):
    for verb in (["ps"], ["ps", "-o", "wide"], ["health"], ["broadcast", "/metrics"]):
        with Terminal(farm, *verb, columns=columns, env={"NO_COLOR": "1"}) as terminal:
            terminal.read_to_end()
        table = [line for line in terminal.screen.splitlines() if re.match(r" *(ID|\d+)  ", line)]
        assert len(table) == 4 and max(map(len, table)) <= columns, terminal.screen


def test_watching_draws_in_place(farm):
    with Terminal(farm, "ps", "--watch", "--interval", "100ms", lines=4) as terminal:
        terminal.read_until(lambda screen: screen.count("\033[H") >= 3)
        terminal.interrupt()
        assert terminal.read_to_end() == INTERRUPTED
    pages = terminal.screen.split("\033[H")
    assert "\033[2J" in pages[1] and "\033[2J" not in pages[2]
    assert pages[2].count("\n") == 3, "no more lines than the terminal has"


def test_watching_more_than_fits(farm):
    with Terminal(farm, "ps", "--watch", "--interval", "100ms", lines=6, env={"NO_COLOR": "1"}) as terminal:
        terminal.read_until(lambda screen: screen.count("\033[H") >= 3)
        terminal.interrupt()
        terminal.read_to_end()
    lines = [line.strip() for line in terminal.screen.split("\033[H")[2].replace("\033[K", "").splitlines()]
    assert lines[1].startswith("ID") and lines[2].startswith("1  ") and lines[3].startswith("… 2 more"), lines
    assert lines[4].startswith("3 servers: "), "the sum stays in sight"


def test_watching_without_a_terminal(farm):
    process = start(farm, "ps", "1", "--watch", "--interval", "100ms", "-o", "jsonl")
    first, second = (json.loads(process.stdout.readline()) for _ in range(2))
    assert first["id"] == second["id"] == 1
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == INTERRUPTED
