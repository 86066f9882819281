"""The verbs that look: ps, inspect, health, metrics, logs, events, wait. Against the real farmd."""

import json
import os
import re
import signal
import time

import pytest

from clilib import Counter, DONE, FAILED, TIMED_OUT, USAGE, error, rows, run, start
from farmd_process import farms, running  # noqa: F401 (a fixture)
from farmlib import DEADLINE, wait_for

CONFIG = """\
groups:
  - {name: web, count: 2, labels: {zone: a, tier: front}}
  - {name: app, count: 2, labels: {zone: b}}
"""
FORMATS = ["table", "wide", "json", "jsonl", "yaml", "name"]


@pytest.fixture(scope="module")
def farm():
    with running(servers=4, config=CONFIG) as one:
        wait_for(lambda: all(e["health"] == "healthy" for e in one.servers().values()), what="all healthy")
        yield one


@pytest.fixture(autouse=True)
def as_it_was(farm):
    yield
    if farm.process.poll() is None:
        run(farm, "start", "all")
        run(farm, "wait", "--healthy")


# --- ps ---


def test_ps(farm):
    done = run(farm, "ps")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["ID", "NAME", "STATE", "HEALTH", "CPU", "THROTTLED", "MEMORY", "REQ/S", "RESTARTS", "UP"]
    assert [row[:4] for row in rows(done.stdout)] == [[str(i), f"server-{i}", "running", "healthy"] for i in range(1, 5)]
    assert lines[-1].startswith("4 servers: 4 healthy · CPU ")
    assert done.stderr == "" and len(lines) == 6


def test_ps_asks_once(farm):
    with Counter(farm) as counter:
        done = run(farm, "ps", "1-3", "zone=a", "-o", "wide", "--api", f":{counter.port}")
        assert len(rows(done.stdout)) == 2
        assert counter.requests == [b"GET /api/servers?select=1-3,zone%3Da"]
    with Counter(farm) as counter:
        run(farm, "ps", "--api", f":{counter.port}")
        assert (counter.connections, counter.requests) == (1, [b"GET /api/servers"])


@pytest.mark.parametrize("words,ids", [
    ([], "1234"), (["all"], "1234"), (["2"], "2"), (["server-3"], "3"), (["1-2,4"], "124"), (["1", "3-4"], "134"),
    (["zone=a"], "12"), (["-l", "zone=b"], "34"), (["-l", "zone=a,tier=front", "2-4"], "2"), (["-lzone!=a"], "34"),
    (["group:app"], "34"), (["state:running", "1-3"], "123"), (["memory<90"], "1234"), (["restarts>1000"], ""),
])
def test_selectors(farm, words, ids):
    done = run(farm, "ps", "-o", "name", *words)
    assert done.stdout == "".join(f"server-{i}\n" for i in ids)
    assert bool(done.stderr) == (ids == "")


def test_nobody_is_meant(farm):
    for verb in (["ps"], ["health"], ["inspect"], ["restart"], ["rolling-restart"], ["set", "--cpu", "1"], ["simulate-load"],
                 ["wait"], ["metrics"], ["logs"], ["events"], ["broadcast", "/"]):
        done = run(farm, *verb, "state:failed")
        assert (done.stdout, done.stderr) == ("", "farmd: no server is state:failed\n"), verb
    assert json.loads(run(farm, "ps", "state:failed", "-o", "json").stdout)["servers"] == []


def test_ps_tells_of_trouble(farm):
    run(farm, "stop", "2")
    run(farm, "pause", "3")
    text = run(farm, "ps").stdout
    by_id = {row[0]: " ".join(row) for row in rows(text)}
    assert "stopped" in by_id["2"] and "on request" in by_id["2"] and "ago" in by_id["2"]
    assert "paused" in by_id["3"]
    assert "4 servers: 2 healthy, 1 paused, 1 stopped" in text
    assert run(farm, "ps", "1").stdout.splitlines()[-1].startswith("1 shown of 4: ")


def test_machine_formats(farm):
    answer = farm.get("/api/servers")
    whole = json.loads(run(farm, "ps", "-o", "json").stdout)
    assert whole.keys() == answer.keys()
    lines = [json.loads(line) for line in run(farm, "ps", "-o", "jsonl").stdout.splitlines()]
    for one, other, third in zip(lines, whole["servers"], answer["servers"]):
        assert one.keys() == other.keys() == third.keys()
        assert (one["id"], one["limits"], one["labels"]) == (third["id"], third["limits"], third["labels"])
    yaml = run(farm, "ps", "1", "-o", "yaml").stdout
    assert "\nservers:\n  - id: 1\n    name: server-1\n    status: running\n" in yaml
    assert "\n    labels:\n      zone: a\n      tier: front\n" in yaml
    assert run(farm, "ps", "--no-headers").stdout.count("\n") == 4


@pytest.mark.parametrize("verb", [["ps"], ["health"], ["metrics"], ["inspect", "1"], ["logs"], ["events"], ["restart", "1"],
                                  ["rolling-restart", "1"], ["set", "1", "--pids", "128"], ["scale", "4"],
                                  ["simulate-load", "1", "--cpu", "0", "--memory", "0"], ["broadcast", "/"]], ids=" ".join)
def test_every_format_of_every_verb(farm, verb):
    for form in FORMATS:
        done = run(farm, *verb, "-o", form)
        assert done.stderr == "", (form, done)
        if form == "json":
            assert isinstance(json.loads(done.stdout), dict)
        elif form == "jsonl":
            assert all(isinstance(json.loads(line), dict) for line in done.stdout.splitlines())
        elif form == "name":
            assert re.fullmatch(r"(server-\d+\n)*", done.stdout)
        else:
            assert done.stdout
    assert "--output" in error(farm, *verb, "-o", "xml", code=USAGE)


# --- inspect ---


def test_inspect_says_why_it_restarted(farm):
    before = farm.server(2)
    # Not SIGSEGV: a worker with sanitizers takes that for its own report and exits with 1.
    os.kill(before["pid"], signal.SIGABRT)
    farm.wait_restarted(2, before)
    text = run(farm, "inspect", "2").stdout
    lines = text.splitlines()
    assert re.match("server-2  running, (not probed yet|healthy) for ", lines[0])
    assert re.match(r"  last end +Crashed .* ago \(signal 6\); 1 restart", lines[1]), text
    assert re.match(r"  next +when it ends it is started again \(restart: always, profile farm\)", lines[2]), text
    for word in ("CPU", "memory", "throttled", "requests", "processes", "group       web, labels zone=a,tier=front"):
        assert word in text
    assert "Crashed         server-2 crashed" in text  # among its events
    assert "server-2 started: pid" in text  # among the lines of its log


def test_inspect_tells_what_comes_next(farm):
    run(farm, "stop", "1")
    text = run(farm, "inspect", "1").stdout
    assert "stays down until farmd start 1" in text and text.startswith("server-1  stopped: on request, ")
    assert "- of 0.5 CPU" in text and "- of 128\n" in text, "the limits that it will have"
    assert "none: it has not ended" in run(farm, "inspect", "4").stdout


def test_inspect_of_several(farm):
    answer = json.loads(run(farm, "inspect", "zone=b", "-o", "json").stdout)
    assert [entry["server"]["id"] for entry in answer["servers"]] == [3, 4]
    for entry in answer["servers"]:
        assert entry["history"]["points"]["at"] and entry["events"]["events"] and entry["logs"]["lines"]
    assert run(farm, "inspect", "3-4", "-o", "name").stdout == "server-3\nserver-4\n"


# --- health and metrics ---


def test_health(farm):
    done = run(farm, "health")
    assert [row[:3] for row in rows(done.stdout)] == [[str(i), f"server-{i}", "healthy"] for i in range(1, 5)]
    assert done.stdout.splitlines()[-1] == "4 probed: 4 healthy, 0 degraded, 0 failed"
    run(farm, "stop", "2")
    failing = run(farm, "health", code=FAILED)
    assert rows(failing.stdout)[1][2] == "error" and failing.stderr == ""
    run(farm, "health", "1,3-4")
    run(farm, "health", "2", "-o", "json", code=FAILED)


def test_metrics(farm):
    text = run(farm, "metrics").stdout
    assert re.search(r"^CPU of the limit +\d+% +\d+% +\d+%$", text, re.M)
    assert re.search(r"^\d+ requests answered by 4 of 4 servers$", text, re.M)
    assert "by 2 of 2 servers" in run(farm, "metrics", "group:app").stdout
    run(farm, "stop", "3-4")
    assert "No servers responded" in run(farm, "metrics", "3-4", code=FAILED).stdout


# --- logs and events ---


def append(farm, server_id, text):
    with open(farm.state_dir / "logs" / f"server-{server_id}.log", "a") as log:
        log.write(text)


def test_logs(farm):
    append(farm, 1, "one\ntwo\n")
    assert run(farm, "logs", "1", "--tail", "2").stdout == "one\ntwo\n"
    append(farm, 2, "\033[31mred\n")
    several = run(farm, "logs", "1-2", "-n", "1").stdout
    assert sorted(several.splitlines()) == ["server-1 | two", "server-2 | \033[31mred"]
    assert re.fullmatch(r"\d\d:\d\d:\d\d two\n", run(farm, "logs", "1", "-n1", "-t").stdout)
    [entry] = [json.loads(line) for line in run(farm, "logs", "1", "-n1", "-o", "jsonl").stdout.splitlines()]
    assert (entry["server_id"], entry["text"]) == (1, "two") and entry["at"]
    assert run(farm, "logs", "-n", "0").stdout == ""
    assert "two" in run(farm, "logs", "--since", "1h").stdout
    assert "two" in run(farm, "logs", "--since", farm.get("/api/servers/1")["started_at"]).stdout
    assert "is neither a duration" in error(farm, "logs", "--since", "yesterday", code=USAGE)
    assert "goes with -o table or -o jsonl" in error(farm, "logs", "-f", "-o", "yaml")


def test_logs_followed(farm):
    append(farm, 3, "before\n")
    process = start(farm, "logs", "3", "-f", "--tail", "1")
    assert process.stdout.readline() == "before\n"
    append(farm, 3, "after\n")
    assert process.stdout.readline() == "after\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE)


def test_events(farm):
    run(farm, "restart", "4")
    text = run(farm, "events", "4", "--tail", "2").stdout
    assert re.fullmatch(r"\d\d:\d\d:\d\d  Started +server-4 +server-4 is started.*\n"
                        r"\d\d:\d\d:\d\d  Ready +server-4 +server-4 is back.*\n", text), text
    entries = [json.loads(line) for line in run(farm, "events", "--since", "1h", "-o", "jsonl").stdout.splitlines()]
    assert entries[0]["id"] == 1 and entries[-1]["server_id"] == 4
    assert len(run(farm, "events", "--tail", "3").stdout.splitlines()) == 3
    assert run(farm, "events", "4", "--warnings").stdout == ""


def test_events_followed(farm):
    process = start(farm, "events", "2", "-f", "--tail", "1", "-o", "jsonl")
    assert json.loads(process.stdout.readline())["server_id"] == 2  # from then on nothing is missed
    run(farm, "restart", "1,2")
    event = json.loads(process.stdout.readline())
    assert (event["server_id"], event["reason"]) == (2, "Stopped")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE)


def test_following_ends_with_the_farm(farms):  # noqa: F811
    farm = farms(servers=1)
    farm.start()
    process = start(farm, "logs", "-f")
    assert "started" in process.stdout.readline()
    assert farm.stop() == 0
    out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == DONE and err == "farmd: the farm has stopped\n"
    assert "stopped" in out


# --- wait ---


def test_wait(farm):
    assert re.fullmatch(r"4 servers running after .*\n", run(farm, "wait").stdout)
    assert run(farm, "wait", "--healthy", "1-2", "--quiet").stdout == ""
    run(farm, "stop", "1")
    text = error(farm, "wait", "--healthy", "--timeout", "150ms", code=TIMED_OUT)
    assert text == "farmd: 1 of 4 servers not healthy within 150 ms: server-1\n"
    run(farm, "wait", "--stopped", "1")
    assert "exclude each other" in error(farm, "wait", "--stopped", "--healthy")


def test_wait_sees_it_come_true(farm):
    run(farm, "stop", "3")
    process = start(farm, "wait", "3", "--healthy")
    time.sleep(0.2)  # it has looked once at least, most likely; either way it must come true
    assert process.poll() is None
    run(farm, "start", "3")
    out, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == DONE and out.startswith("1 server healthy after")


def test_wait_for_a_farm_that_comes(farms):  # noqa: F811
    farm = farms(servers=2)
    process = start(farm, "wait", "--running", "--timeout", f"{DEADLINE}s")
    farm.start()
    out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == DONE, err
    assert out.startswith("2 servers running after")
