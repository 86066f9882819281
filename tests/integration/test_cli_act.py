"""The verbs that change: start, stop, restart, kill, pause, resume, rolling-restart, scale, set, simulate-load,
broadcast. Against the real farmd."""

import json
import os
import re
import signal

import pytest

import farmlib
from clilib import DONE, FAILED, PARTLY, TIMED_OUT, USAGE, Terminal, error, rows, run
from farmd_process import farms, running  # noqa: F401 (a fixture)
from farmlib import wait_for

SERVERS = 4


@pytest.fixture(scope="module")
def farm():
    with running(servers=SERVERS, spare=3) as one:
        yield one


@pytest.fixture(autouse=True)
def as_it_was(farm):
    yield
    run(farm, "start", "all")
    run(farm, "wait", "--healthy")


def states(farm):
    return [entry["status"] for entry in farm.servers().values()]


# --- actions ---


def test_stop_and_start(farm):
    assert re.fullmatch(r"server-2 stopped in \d.*\n", run(farm, "stop", "2").stdout)
    assert states(farm) == ["running", "stopped", "running", "running"]
    assert re.fullmatch(r"4 servers stopped in \d.*\n", run(farm, "stop", "all").stdout)
    assert states(farm) == ["stopped"] * 4
    assert run(farm, "start", "state:stopped", "1-2").stdout.startswith("2 servers started in")
    assert states(farm) == ["running", "running", "stopped", "stopped"]


def test_restart(farm):
    before = farm.pids()
    assert run(farm, "restart", "1,3").stdout.startswith("2 servers restarted in")
    after = farm.pids()
    assert [before[i] != after[i] for i in range(1, 5)] == [True, False, True, False]


def test_kill(farm):
    before = farm.server(4)
    assert run(farm, "kill", "4").stdout.startswith("server-4 killed in")
    assert farm.wait_restarted(4, before)["last_exit"]["signal"] == 9


def test_pause_and_resume(farm):
    before = farm.pids()
    run(farm, "pause", "1-2")
    assert states(farm)[:2] == ["paused", "paused"]
    run(farm, "resume", "state:paused")
    assert states(farm) == ["running"] * 4 and farm.pids() == before


def test_failures_have_a_line_each(farm):
    run(farm, "stop", "2-3")
    partly = run(farm, "pause", "1-3", code=PARTLY)
    assert partly.stdout.startswith("1 of 3 servers paused in ") and partly.stdout.rstrip().endswith("; 2 failed")
    assert sorted(partly.stderr.splitlines()) == [
        f"farmd: server-{i} is stopped: pause needs a server that is running" for i in (2, 3)]
    failed = run(farm, "pause", "2-3", code=FAILED)
    assert failed.stdout.startswith("0 of 2 servers paused")
    alone = run(farm, "pause", "2", code=FAILED)
    assert alone.stdout == "" and alone.stderr.count("\n") == 1


def test_machine_formats_of_failures(farm):
    run(farm, "stop", "2")
    done = run(farm, "pause", "1-2", "-o", "json", code=PARTLY)
    answer = json.loads(done.stdout)
    assert (answer["action"], answer["total"], answer["successful"], answer["failed"]) == ("pause", 2, 1, 1)
    assert done.stderr.count("\n") == 1
    run(farm, "resume", "1")
    lines = run(farm, "pause", "1-2", "-o", "jsonl", code=PARTLY).stdout.splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["success", "error"]


def test_a_time_limit(farm):
    before = farm.server(1)
    os.kill(before["pid"], signal.SIGSTOP)  # takes no SIGTERM until its grace is over
    text = error(farm, "restart", "1", "--timeout", "200ms", code=TIMED_OUT)
    assert text == "farmd: not done within 200 ms; farmd goes on with it\n"
    farm.wait_restarted(1, before)


def test_progress_on_a_terminal(farm):
    with Terminal(farm, "restart", "all") as terminal:
        assert terminal.read_to_end() == DONE
    assert "\r0 of 4 restarted …\033[K" in terminal.screen  # at once, however long the first one takes
    assert re.search(r"\r\033\[K4 servers restarted in .*\r\n\Z", terminal.screen), repr(terminal.screen)


# --- rolling restart ---


def test_rolling_restart(farm):
    before = farm.pids()
    run(farm, "stop", "3")
    text = run(farm, "rolling-restart", "--max-unavailable", "2").stdout
    assert re.fullmatch(r"3 of 4 servers restarted in .*; 1 left alone, for it is stopped or failed\n", text), text
    after = farm.pids()
    assert all(before[i] != after[i] for i in (1, 2, 4)) and states(farm)[2] == "stopped"
    assert "--max-unavailable" in error(farm, "rolling-restart", "--max-unavailable", "0")


PROGRAM = """\
#!/bin/sh
test -e $DIR/broken-$SERVER_ID && exit 3
exec $DIR/farm-worker
"""


def test_a_rolling_restart_stops_at_a_failure(farms):  # noqa: F811
    farm = farms(servers=3, config="groups:\n  - {name: own, count: 3, command: [$DIR/program]}\n")
    farm.install_worker()
    program = farm.directory / "program"
    program.write_text(PROGRAM.replace("$DIR", str(farm.directory)))
    program.chmod(0o755)
    farm.start()
    pids = farm.pids()
    (farm.directory / "broken-2").touch()
    done = run(farm, "rolling-restart", code=PARTLY)
    assert re.search(r"farmd: server-2 crashed \(exit 3\)", done.stderr), done
    assert re.fullmatch(r"1 of 3 servers restarted in .*; 1 failed; 1 not tried\n", done.stdout), done
    assert farm.pids()[3] == pids[3]
    assert farm.stop() == 0


# --- scale and set ---


def test_scale(farm):
    before = farm.pids()
    assert re.fullmatch(r"from 4 to 6 servers in .*\n", run(farm, "scale", "6").stdout)
    assert len(farm.servers()) == 6
    assert run(farm, "scale", "6").stdout == "6 servers, as before\n"
    assert re.fullmatch(r"from 6 to 4 servers in .*\n", run(farm, "scale", "4").stdout)
    assert farm.pids() == before
    for number in ("0", "-1", "10001", "1000000000000", "NaN", "many"):
        assert "is not a number of servers from 1 to 10000" in error(farm, "scale", "--", number)
    assert "group" in error(farm, "scale", "5", "--group", "nobody")


def test_scale_onto_a_taken_port(farm):
    with farmlib.listening(farm.base_port + SERVERS):
        done = run(farm, "scale", str(SERVERS + 2), code=PARTLY)
        assert re.search(rf"farmd: server-5: .*port {farm.base_port + SERVERS} is taken", done.stderr), done
        assert done.stdout.startswith("from 4 to 6 servers")
    run(farm, "scale", str(SERVERS))


def test_set(farm):
    assert run(farm, "set", "1-2", "--cpu", "0.25", "--memory=128M", "--memory-reservation", "16M").stdout.startswith(
        "2 servers changed in")
    limits = [entry["limits_configured"] for entry in farm.servers().values()]
    assert [(one["cpu"], one["memory_mb"]) for one in limits] == [(0.25, 128), (0.25, 128), (0.5, 256), (0.5, 256)]
    done = run(farm, "set", "1", "--memory-reservation", "200M", code=FAILED)
    assert "memory_reservation" in done.stderr
    run(farm, "set", "all", "--cpu", "0.5", "--memory", "256M", "--memory-reservation", "128M", "--pids", "100",
        "--cpu-reservation", "0.1")
    assert "say what to set" in error(farm, "set", "1")
    for flag, value in (("--cpu", "0"), ("--cpu", "nan"), ("--memory", "1K"), ("--memory", "-5"), ("--pids", "7")):
        assert f"{flag}: \"{value}\" is not" in error(farm, "set", "1", f"{flag}={value}")


# --- load ---


def test_simulate_load(farm):
    assert run(farm, "simulate-load", "1-2", "--cpu", "50ms", "--memory", "4M").stdout.startswith("2 servers done in")
    run(farm, "stop", "2")
    partly = run(farm, "simulate-load", "1-2", "--cpu", "0", "--memory", "0", code=PARTLY)
    assert partly.stderr == "farmd: server-2: stopped on request\n"
    assert "--cpu" in error(farm, "simulate-load", "1", "--cpu", "2h")
    assert "400M" in error(farm, "simulate-load", "1", "--memory", "400")  # 400 bytes are what nobody means
    huge = run(farm, "simulate-load", "1", "--memory", "900G", code=FAILED)
    assert re.fullmatch(r"farmd: server-1: HTTP 503: memory_mb: 921600 MB could not be had: [^\n]+\n", huge.stderr)


def test_broadcast(farm):
    done = run(farm, "broadcast", "/health", "1-2")
    assert [row[:3] for row in rows(done.stdout)] == [["1", "server-1", "200"], ["2", "server-2", "200"]]
    assert '"status":"healthy"' in done.stdout and done.stdout.endswith("2 of 2 answered 200\n")
    run(farm, "stop", "2")
    partly = run(farm, "broadcast", "/", code=PARTLY)
    assert rows(partly.stdout)[1][2] == "error"
    failed = run(farm, "broadcast", "/error/503", "1", code=FAILED)
    assert "HTTP 503" in failed.stdout
    answer = json.loads(run(farm, "broadcast", "/request", "1", "-X", "POST", "-d", "hello", "-H", "X-Mine: yes", "-o",
                            "json").stdout)
    assert answer["method"] == "POST" and "yes" in json.dumps(answer["results"])
    assert run(farm, "broadcast", "/", "1,3", "-o", "name").stdout == "server-1\nserver-3\n"
    assert "it begins with /" in error(farm, "broadcast", "health")
    assert "is not a header" in error(farm, "broadcast", "/", "-H", "nonsense")
    assert "none of GET" in error(farm, "broadcast", "/", "-X", "BREW")


def test_nothing_is_done_for_a_wrong_selection(farm):
    before = farm.pids()
    for verb in ("stop", "restart", "kill", "pause"):
        error(farm, verb, "1,9")
        error(farm, verb, "1", "state:nonsense")
    assert farm.pids() == before and states(farm) == ["running"] * 4
    wait_for(lambda: farm.server(1)["status"] == "running", what="server 1")


assert USAGE == 2
