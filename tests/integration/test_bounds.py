"""What grows in a farm that runs for long is bounded: logs on disk, events and history in memory, farmd itself."""

import os
import time

import pytest

import farmd_process
import farmlib
from farmlib import process_kb, wait_for
from sse import Stream

KEEP = 3 << 20
LINES = 200000

# Numbered lines of 100 bytes, 20 MB of them, as fast as it may; then it serves.
CHATTY = """
import sys
for first in range(0, %d, 1000):
    sys.stdout.write("".join(f"line {i:08d} " + "x" * 85 + "\\n" for i in range(first, first + 1000)))
    sys.stdout.flush()
sys.stderr.write("an end without a newline, bytes \\xff\\x00 and \\u2713")
sys.stderr.flush()
""" % LINES + farmd_process.PLAIN_SERVER + "server.serve_forever()\n"

CONFIG = """
servers:
  probes: {startup: {interval: 100ms}}
groups:
  - {name: web, count: 8}
  - {name: chatty, count: 1, cpu: 2, command: [python3, -X, utf8, $DIR/chatty.py]}
"""


@pytest.fixture(scope="module")
def farm():
    one = farmd_process.Farmd(servers=9, config=CONFIG)
    (one.directory / "chatty.py").write_text(CHATTY)
    try:
        yield one.start()
        assert one.stop() == 0, one.errors()
        assert one.leftovers() == []
    finally:
        one.clean()


def logs(farm, query, server_id=9):
    return farm.get(f"/api/servers/{server_id}/logs?{query}")


def on_disk(path):
    return os.stat(path).st_blocks * 512


def test_log_is_bounded_on_disk_and_served_by_offset(farm):
    path = farm.state_dir / "logs" / "server-9.log"
    wait_for(lambda: on_disk(path) <= KEEP, what="the log trimmed to 3 MB")
    assert logs(farm, "tail=1")["end"] >= LINES * 100
    assert on_disk(path) > KEEP / 2, "it keeps what it may"

    tail = logs(farm, "tail=3")
    assert len(tail["lines"]) == 3
    assert tail["lines"][0] == f"line {LINES - 2:08d} " + "x" * 85
    assert tail["lines"][2].startswith("an end without a newline") and tail["lines"][2].endswith("\u2713")

    # every line that is still there, in order and once, by going on from `end`
    at, numbers = 0, []
    while True:
        part = logs(farm, f"from={at}&max_bytes=300000")
        assert part["first"] <= part["start"] <= part["end"]
        if at == 0:
            assert 0 < part["first"] <= part["start"] < part["first"] + 100, "the oldest whole line"
        else:
            assert part["start"] == at
        numbers += [int(line.split()[1]) for line in part["lines"] if line.startswith("line ")]
        if part["end"] == at:
            break
        at = part["end"]
    assert numbers == list(range(numbers[0], LINES))
    assert len(numbers) * 100 <= KEEP + 4096
    assert len(numbers) * 100 > KEEP / 2

    # an offset that is no longer one (the file was replaced) begins anew with the oldest line
    beyond = logs(farm, "from=999999999999&max_bytes=1000")
    assert beyond["lines"][0].split()[1] == f"{numbers[0]:08d}"


@pytest.mark.parametrize("query", ["tail=0", "tail=-1", "tail=x", "tail=99999999999999999999", "from=-1", "from=x",
                                   "from=0&tail=1", "max_bytes=0", "tail=1.5"])
def test_bad_log_queries(farm, query):
    answer = farm.get(f"/api/servers/9/logs?{query}", status=422)
    assert any(word in answer["detail"] for word in ("tail", "from", "max_bytes"))


def test_a_log_goes_on_over_a_restart(farm):
    before = logs(farm, "tail=10", server_id=1)
    farm.act(1, "restart")

    def both_lines():
        lines = logs(farm, f"from={before['end']}", server_id=1)["lines"]
        return any("stopped" in line for line in lines) and any("pid" in line for line in lines)

    wait_for(both_lines, what="the lines of the end and the start")


def test_a_log_that_is_not_there_is_empty(farm):
    farm.act(2, "stop")
    (farm.state_dir / "logs" / "server-2.log").unlink()
    assert logs(farm, "tail=5", server_id=2)["lines"] == []
    farm.act(2, "start")
    wait_for(lambda: len(logs(farm, "tail=5", server_id=2)["lines"]) == 1, what="the line of the start")


def test_events_are_a_ring(farm):
    first = farm.get("/api/events?since=0&limit=1")["events"][0]
    assert first["id"] == 1
    while farm.last_event() < 4096 + 100:
        for action in ("pause", "resume"):
            farm.post("/api/servers/action", {"ids": "1-8", "action": action})
    answer = farm.get("/api/events?limit=4096")
    ids = [event["id"] for event in answer["events"]]
    assert ids == list(range(ids[0], ids[0] + 4096)) and ids[-1] == answer["last_id"]
    with Stream(farm.port, "/api/events?follow=true&since=0") as stream:
        assert stream.next()[1] == "lost"
        assert stream.next()[2]["id"] > 1
    # the history has what the ring has not
    answer = farm.get("/api/events?since=0&limit=4096")
    assert answer["lost"] is False and answer["last_id"] == 4096
    assert [event["id"] for event in answer["events"]] == list(range(1, 4097))
    newest = farm.get("/api/events?limit=5")
    assert [event["id"] for event in newest["events"]] == list(range(newest["last_id"] - 4, newest["last_id"] + 1))
    assert farm.get(f"/api/events?since={newest['last_id']}")["events"] == []
    assert farm.get(f"/api/events?since={ids[-3]}")["lost"] is False
    unknown = farm.get("/api/events?since=99999999999&limit=10")
    assert unknown["lost"] is True and len(unknown["events"]) == 10, "an earlier farmd's number misses nothing"
    # going on from what one has seen brings each event once
    seen, at = [], ids[100]
    while part := farm.get(f"/api/events?since={at}&limit=1000")["events"]:
        seen += [event["id"] for event in part]
        at = seen[-1]
    assert seen == list(range(ids[101], at + 1)) and at >= ids[-1]


def test_history_is_of_the_last_minutes(farm):
    def points():
        answer = farm.get("/api/servers/1/history")
        series = answer.get("points", answer)
        return series["at"] if len(series["at"]) >= 2 else None

    at = wait_for(points, what="two samples")
    assert at == sorted(set(at)) and len(at) <= 600
    assert abs(at[-1] - time.time()) < 60


@pytest.mark.skipif(farmlib.SANITIZED, reason="sanitizers keep freed memory")
def test_farmd_does_not_grow_with_requests(farm):
    paths = ["/api/servers", "/api/health", "/api/metrics", "/api/servers/1", "/api/servers/9/logs?tail=1000",
             "/api/events?limit=4096", "/nope", "/api/servers/99"]

    def ask(rounds):
        for _ in range(rounds):
            for path in paths:
                farm.request("GET", path)
            farm.post("/api/broadcast?endpoint=/", {})
            farm.act(1, "start")

    ask(30)
    before = process_kb(farm.process.pid, "VmRSS")
    ask(100)
    assert process_kb(farm.process.pid, "VmRSS") - before < 2048
