"""GET /api/stream over the real farmd: what a reader makes of it is the farm, also when it was away, late or slow."""

import concurrent.futures
import contextlib
import threading
import time

import jsonschema
import pytest

from api_client import Api
from farmd_process import farms, running  # noqa: F401 (a fixture)
from farmlib import raw_http, request, wait_for
from livelib import Live, row_of

SERVERS = 4
SMALL = 2048  # bytes of a receive buffer that is soon full


@pytest.fixture(scope="module")
def farm():
    with running(servers=SERVERS, spare=2) as one:
        yield one


@pytest.fixture(scope="module")
def api(farm):
    return Api(farm.port)


def is_the_farm(api):
    def compare(live):
        servers = api.servers()
        return live.columns and {i: row_of(entry) for i, entry in servers.items()} == {i: live.of(i) for i in servers}

    return compare


def check(api, schema, data):
    whole = {"$ref": f"#/components/schemas/{schema}", "components": api.description["components"]}
    jsonschema.Draft202012Validator(whole).validate(data)


# --- what is sent ---


@pytest.mark.parametrize("gzip", [True, False])
def test_a_snapshot_and_deltas_are_the_farm(farm, api, gzip):
    with Live(farm.port, gzip=gzip) as live:
        name, data = live.next()
        assert (name, live.status, live.headers["Content-Type"]) == ("snapshot", 200, "text/event-stream")
        check(api, "StreamSnapshot", data)
        live.until(is_the_farm(api), what="the farm as it is")
        assert live.columns["id"] == list(range(1, SERVERS + 1))
        assert live.farm["states"]["running"] == live.farm["servers"] == SERVERS
        assert live.farm["enforcement"] == api.get("/api/servers")["enforcement"]

        farm.act(2, "stop")
        farm.act(3, "restart")
        messages = live.until(lambda live: live.of(2)["status"] == "stopped" and live.of(3)["restarts"] > 0)
        live.until(is_the_farm(api), what="the farm after that")
        farm.act(2, "start")
        messages += live.until(lambda live: live.of(2)["status"] == "running")
        live.until(is_the_farm(api), what="the farm as it was")
        for name, data in messages:
            assert name == "delta"
            check(api, "StreamDelta", data)
        events = [(event["reason"], event["server_id"]) for _, data in messages for event in data["events"]]
        assert ("Stopped", 2) in events and ("Ready", 3) in events
        ids = [event["id"] for _, data in messages for event in data["events"]]
        assert ids == sorted(set(ids)), "each event once, in order"


def test_figures_come_with_requests(farm):
    with Live(farm.port) as live:
        live.next()

        enough = threading.Event()

        def ask():
            while not enough.wait(0.02):
                request(farm.base_port, "GET", "/")

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asking = pool.submit(ask)
            try:
                live.until(lambda live: live.columns["rate"][0] and live.columns["p99"][0] and live.farm["p99_ms"],
                           what="requests in the figures")
            finally:
                enough.set()
            asking.result()
        assert live.columns["p50"][0] <= live.columns["p99"][0]
        assert live.columns["cpu_limit"][0] in (500, None) and live.columns["memory_limit"][0] in (262144, None)
        live.until(lambda live: live.columns["rate"][0] == 0 and live.columns["p99"][0] is None, what="quiet")
        live.until(lambda live: live.farm["p99_ms"] is None, what="no latency without requests")


def test_since_when_a_state_is(farm):
    with Live(farm.port) as live:
        live.until(lambda live: live.columns and time.time() - live.columns["since"][1] > 2, what="a state that is old")
        before = int(time.time())
        farm.act(2, "stop")
        live.until(lambda live: live.of(2)["status"] == "stopped")
        assert before <= live.columns["since"][1] <= time.time() + 1
        assert live.columns["since"][0] <= before + 1
        farm.act(2, "start")
        live.until(lambda live: live.of(2)["status"] == "running")


def test_other_servers_make_a_snapshot(farm, api):
    with Live(farm.port) as live:
        live.next()
        try:
            api.post("/api/scale", {"servers": SERVERS + 2})
            messages = live.until(lambda live: live.columns["id"] == list(range(1, SERVERS + 3)))
            assert messages[-1][0] == "snapshot" and live.farm["servers"] == SERVERS + 2
        finally:
            api.post("/api/scale", {"servers": SERVERS})
        live.until(lambda live: live.columns["id"] == list(range(1, SERVERS + 1)))
        live.until(is_the_farm(api), what="the farm as it was")


def test_sequences_follow_each_other(farm):
    with Live(farm.port) as every, Live(farm.port, "?interval=2") as second:
        every.next(), second.next()
        steps = []
        for _ in range(4):
            name, data = every.next()
            assert name == "delta"
            steps.append(data["sequence"] - data["since"])
        assert steps == [1, 1, 1, 1]
        second.next()
        _, data = second.next()
        assert data["sequence"] - data["since"] == 2


def test_head_and_bad_questions(api, farm):
    for query in ("interval=0", "interval=61", "interval=x"):
        assert "interval" in api.get(f"/api/stream?{query}", status=422)["detail"]
    head = b"HEAD /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answers = raw_http(farm.port, head + b"HEAD /api/events?follow=true HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200 OK") == answers.count(b"Content-Type: text/event-stream") == 2
    assert api.raw("POST", "/api/stream").status == 405


# --- coming back ---


def test_a_reader_goes_on_where_it_was(farm, api):
    with Live(farm.port) as live:
        live.next()
        live.next()
        last = live
    farm.act(1, "restart")
    for query, header in (("", last.last_id), (f"?last_event_id={last.last_id}", None)):
        with Live(farm.port, query, last_id=header) as again:
            again._begin({"epoch": last.epoch, "sequence": last.sequence, "farm": dict(last.farm),
                          "strings": list(last.strings), "columns": {k: list(v) for k, v in last.columns.items()}})
            name, data = again.next()
            assert name == "delta" and data["since"] == last.sequence
            again.until(is_the_farm(api), what="the farm after being away")
            assert any(event["reason"] == "Ready" and event["server_id"] == 1 for event in data["events"])


@pytest.mark.parametrize("change", ["another epoch", "the future", "too long ago", "nonsense", "cut"])
def test_a_reader_that_cannot_go_on_begins_anew(farm, change):
    with Live(farm.port) as live:
        live.next()
        epoch, sequence = live.epoch, live.sequence
    last_id = {
        "another epoch": f"{'0' * len(epoch)}-{sequence}",
        "the future": f"{epoch}-{sequence + 100000}",
        "too long ago": f"{epoch}-0",
        "nonsense": "7",
        "cut": f"{epoch}-",
    }[change]
    with Live(farm.port, last_id=last_id) as again:
        assert again.next()[0] == "snapshot"


def test_servers_that_came_meanwhile_make_a_snapshot(farm, api):
    with Live(farm.port) as live:
        live.next()
    api.post("/api/scale", {"servers": SERVERS + 1})
    api.post("/api/scale", {"servers": SERVERS})
    with Live(farm.port) as watcher:  # the farm was looked at in between
        watcher.next()
    try:
        api.post("/api/scale", {"servers": SERVERS + 1})
        with Live(farm.port, last_id=live.last_id) as again:
            assert again.next()[0] == "snapshot" and len(again.columns["id"]) == SERVERS + 1
    finally:
        api.post("/api/scale", {"servers": SERVERS})


# --- many, slow, ending ---


def test_many_viewers_see_the_same(farm, api):
    with contextlib.ExitStack() as stack:
        viewers = [stack.enter_context(Live(farm.port, gzip=i % 3 > 0)) for i in range(20)]
        for viewer in viewers:
            viewer.next()
        farm.act(4, "restart")
        sequence = max(viewer.sequence for viewer in viewers) + 3
        for viewer in viewers:
            viewer.until(lambda live: live.sequence >= sequence)
        first = viewers[0]
        assert all(v.columns == first.columns and v.strings == first.strings and v.farm == first.farm for v in viewers
                   if v.sequence == first.sequence)
        assert [v.sequence for v in viewers].count(first.sequence) == len(viewers)
        first.until(is_the_farm(api), what="the farm")


def test_a_reader_that_was_late_gets_one_delta_for_all(farm):
    with Live(farm.port) as other, Live(farm.port, gzip=False, receive_buffer=SMALL) as late:
        other.next()
        late.next()
        port = late.socket.getsockname()[1]
        other.until(lambda _: any(unsent for unsent in queues(farm.port, port)), what="a queue for the late reader")
        begun = other.sequence
        other.until(lambda live: live.sequence >= begun + 4)
        messages = late.until(lambda live: live.sequence >= other.sequence)
        assert max(data["sequence"] - data.get("since", 0) for name, data in messages if name == "delta") > 1


def test_a_reader_that_does_not_read_is_cut_and_nobody_else_minds(farm):
    with Live(farm.port) as other, Live(farm.port, gzip=False, receive_buffer=SMALL) as slow:
        other.next()

        def is_cut():
            name, data = other.next()
            assert name == "delta" and data["sequence"] == data["since"] + 1, "the other one missed something"
            return not queues(farm.port, slow.socket.getsockname()[1])

        began = time.monotonic()
        wait_for(is_cut, what="the slow reader being cut")
        assert time.monotonic() - began > 5, "it was given some time"


def queues(port, peer):
    """The bytes that the kernel still keeps of what farmd sent to that peer's port, for each connection."""
    queued = []
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}") as table:
            rows = [line.split() for line in table][1:]
        queued += [int(row[4].partition(":")[0], 16) for row in rows
                   if row[1].endswith(f":{port:04X}") and row[2].endswith(f":{peer:04X}") and row[3] in ("01", "08")]
    return queued


def test_the_end_is_told(farms):  # noqa: F811
    farm = farms(servers=1).start()
    with Live(farm.port) as packed, Live(farm.port, gzip=False) as plain:
        packed.next(), plain.next()
        epoch = packed.epoch
        assert farm.stop() == 0
        for live in (packed, plain):
            while (message := live.next()) and message[0] == "delta":
                pass
            assert message == ("end", {"reason": "farmd has stopped"})
            assert live.next() is None
        assert packed.whole_gzip, "what was packed is whole, and its check sum right"
    farm.start()
    with Live(farm.port, last_id=packed.last_id) as live:
        assert live.next()[0] == "snapshot" and live.epoch != epoch
    assert farm.stop() == 0


def test_farmd_does_not_wait_for_viewers_at_its_end(farms):  # noqa: F811
    farm = farms(servers=1).start()
    with Live(farm.port, gzip=False, receive_buffer=SMALL), Live(farm.dashboard_port):
        assert farm.stop() == 0
    assert farm.leftovers() == []
