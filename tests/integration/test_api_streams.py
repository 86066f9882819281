"""What the API tells as it happens: events, logs and the progress of work on many servers, over the real farmd."""

import datetime
import os
import subprocess
import time

import pytest

from api_client import Api
from farmd_process import FARMD, farms, running  # noqa: F401 (a fixture)
from farmlib import DEADLINE, SANITIZED, wait_for
from sse import Stream

SERVERS = 4


@pytest.fixture(scope="module")
def farm():
    with running(servers=SERVERS, spare=2) as one:
        yield one


@pytest.fixture(scope="module")
def api(farm):
    return Api(farm.port)


def restarted(server_id):
    return lambda name, data: name == "event" and data["reason"] == "Ready" and data["server_id"] == server_id


def log_of(farm, server_id):
    return farm.state_dir / "logs" / f"server-{server_id}.log"


def append(farm, server_id, text):
    with open(log_of(farm, server_id), "a") as log:
        log.write(text)


def seconds(timestamp):
    return datetime.datetime.fromisoformat(timestamp).timestamp()


def followed(farm, query, **kwargs):
    """A stream of logs whose first message has come: from then on it misses nothing."""
    stream = Stream(farm.port, f"/api/logs?follow=true&{query}", **kwargs)
    stream.first = stream.next()
    assert stream.first[1] == "lines"
    return stream


def texts(data):
    return [line["text"] for line in data["lines"]]


# --- events ---


def test_events_as_they_happen(farm, api):
    with Stream(farm.port, "/api/events?follow=true&limit=1") as stream:
        newest = api.get("/api/events?limit=1")["events"][0]
        event_id, name, data = stream.next()
        assert (int(event_id), name, data) == (newest["id"], "event", newest)
        api.act(2, "restart")
        seen = stream.until(restarted(2))
    ids = [int(event[0]) for event in seen]
    assert ids == list(range(newest["id"] + 1, ids[-1] + 1))
    assert [event[2] for event in seen] == api.get(f"/api/events?since={newest['id']}&limit={len(ids)}")["events"]


def test_events_behind_a_number(farm, api):
    last = api.get("/api/events")["last_id"]
    with Stream(farm.port, f"/api/events?follow=true&since={last - 3}") as stream:
        assert [int(stream.next()[0]) for _ in range(3)] == [last - 2, last - 1, last]
    # A number of an earlier farmd: the count has begun anew, so everything is new.
    with Stream(farm.port, "/api/events?follow=true&since=999999999") as stream:
        assert int(stream.next()[0]) == 1


def test_a_reader_that_comes_back_goes_on_where_it_was(farm, api):
    with Stream(farm.port, "/api/events?follow=true&limit=0") as stream:
        api.act(1, "restart")
        seen = stream.next()
    api.act(1, "restart")
    with Stream(farm.port, "/api/events?follow=true", headers={"Last-Event-ID": seen[0]}) as stream:
        assert int(stream.next()[0]) == int(seen[0]) + 1


def test_only_the_wanted_events(farm, api):
    with Stream(farm.port, "/api/events?follow=true&limit=0&select=2-3") as two, \
            Stream(farm.port, "/api/events?follow=true&limit=0&warnings=true") as warnings:
        api.act(1, "restart")
        api.act(3, "restart")
        os.kill(api.servers()[2]["pid"], 9)
        seen = two.until(restarted(2))
        assert {event[2]["server_id"] for event in seen} == {2, 3}
        assert warnings.next()[2]["server_id"] == 2
    wait_for(lambda: api.servers()[2]["status"] == "running", what="server 2 back")
    listed = api.get("/api/events?warnings=true&select=2")["events"]
    assert listed and all(event["warning"] and event["server_id"] == 2 for event in listed)


def test_events_of_the_last_seconds(api):
    assert api.get("/api/events?max_age=3600&limit=4096")["events"][0]["id"] == 1
    time.sleep(0.3)  # the age itself is what is tested
    api.act(1, "restart")
    every = api.get("/api/events?limit=4096")["events"]
    asked_at = time.time()
    answer = api.get("/api/events?max_age=0.25&limit=4096")
    young = {event["id"] for event in answer["events"]}
    for event in every:
        if event["id"] in young:
            assert seconds(event["at"]) > asked_at - 0.26
        else:
            assert seconds(event["at"]) <= seconds(answer["timestamp"]) - 0.25
    assert len(young) < len(every)


def test_a_stream_says_that_it_lives(farm):
    with Stream(farm.port, "/api/events?follow=true&limit=0&select=4") as stream:
        stream.answer.readline(), stream.answer.readline()  # the comment at the beginning
        began = time.monotonic()
        assert stream.answer.readline() == b":\n"
        assert time.monotonic() - began < DEADLINE


@pytest.mark.parametrize("query", [
    "follow=yes", "follow=", "warnings=1", "max_age=-1", "max_age=nan", "limit=-1", "limit=4097", "select=frog", "since=x",
])
def test_bad_questions_about_events(api, query):
    assert query.partition("=")[0] in api.get(f"/api/events?{query}", 422)["detail"]


# --- logs ---


def test_logs_of_several(farm, api):
    for server_id in (1, 2):
        append(farm, server_id, f"one of {server_id}\ntwo of {server_id}\n")
    lines = api.get("/api/logs?select=1-2&tail=2")["lines"]
    assert sorted(line["text"] for line in lines) == ["one of 1", "one of 2", "two of 1", "two of 2"]
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert {line["server_id"] for line in lines} == {1, 2}
    assert api.get("/api/logs?tail=0")["lines"] == []
    assert len(api.get("/api/logs?tail=1")["lines"]) == SERVERS
    assert api.get("/api/logs?select=state:failed")["lines"] == []


def test_logs_as_they_are_written(farm, api):
    with followed(farm, "select=3&tail=0") as stream:
        append(farm, 3, "begun and ")
        append(farm, 3, "ended\nsecond\nthird, not ended")
        event_id, name, data = stream.next()
        assert name == "lines" and texts(data)[0] == "begun and ended"
        seen = texts(data)
        append(farm, 3, " before\n")
        while len(seen) < 3:
            seen += texts(stream.next()[2])
        assert seen == ["begun and ended", "second", "third, not ended before"]
        assert all(line["server_id"] == 3 for line in data["lines"])


def test_a_reader_of_logs_comes_back(farm, api):
    with followed(farm, "select=1-2&tail=0") as stream:
        append(farm, 1, "seen\n")
        position = stream.until(lambda name, data: "seen" in texts(data))[-1][0]
    append(farm, 1, "missed\n")
    append(farm, 2, "missed too\n")
    with followed(farm, "select=1-2&tail=0", headers={"Last-Event-ID": position}) as stream:
        assert sorted(texts(stream.first[2])) == ["missed", "missed too"]


def test_logs_of_the_last_seconds(farm, api):
    append(farm, 4, "old\n")
    wait_for(lambda: api.get("/api/logs?select=4&max_age=0.5")["lines"] == [], what="the old line being old")

    def only_the_young():
        append(farm, 4, "young\n")
        got = texts(api.get("/api/logs?select=4&max_age=1"))
        return "old" not in got and "young" in got

    wait_for(only_the_young, what="the young line without the old one", interval=0.2)
    assert "old" in texts(api.get("/api/logs?select=4&max_age=3600"))


def test_logs_of_servers_that_come_later(farm, api):
    with followed(farm, "tail=0") as stream:
        api.post("/api/scale", {"servers": SERVERS + 1})
        try:
            stream.until(lambda name, data: any(line["server_id"] == SERVERS + 1 for line in data["lines"]))
        finally:
            api.post("/api/scale", {"servers": SERVERS})


@pytest.mark.parametrize("query", ["follow=maybe", "tail=-1", "tail=10001", "max_age=x", "select=state:x"])
def test_bad_questions_about_logs(api, query):
    assert query.partition("=")[0] in api.get(f"/api/logs?{query}", 422)["detail"]


def process_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def test_a_reader_that_does_not_read_costs_nothing(farm, api):
    """A log grows by far more than the reader's connection takes: farmd keeps none of it for the reader."""
    before = process_mb(farm.process.pid)
    with followed(farm, "select=2&tail=0") as stream:
        for number in range(20):
            append(farm, 2, f"{number:03} {'x' * 1000}\n" * 1000)
            assert api.get("/api/health?select=1")["healthy"] == 1
        time.sleep(0.5)  # several looks at the log
        if not SANITIZED:
            assert process_mb(farm.process.pid) < before + 40
        append(farm, 2, "the end\n")
        stream.until(lambda name, data: "the end" in texts(data))
    log_of(farm, 2).write_text("")


# --- work on many ---


@pytest.mark.parametrize("path,body", [
    ("/api/servers/action", {"ids": "1-3", "action": "restart"}), ("/api/rolling-restart", {"ids": [1, 2, 3]}),
])
def test_results_as_they_come(farm, api, path, body):
    with Stream(farm.port, path + "?follow=true", "POST", body) as stream:
        seen = stream.until(lambda name, data: name == "done")
        assert stream.next() is None
    assert [event[1] for event in seen] == ["begin"] + ["result"] * 3 + ["done"]
    assert seen.pop(0)[2] == {"total": 3}
    assert sorted(event[2]["server_id"] for event in seen[:3]) == [1, 2, 3]
    done = seen[3][2]
    assert (done["total"], done["successful"]) == (3, 3)
    assert sorted((e[2] for e in seen[:3]), key=lambda entry: entry["server_id"]) == done["results"]


def test_failures_among_results(farm, api):
    api.act(2, "stop")
    try:
        with Stream(farm.port, "/api/servers/action?follow=true", "POST", {"ids": "1-2", "action": "pause"}) as stream:
            seen = stream.until(lambda name, data: name == "done")
        failed = [event[2] for event in seen if event[1] == "result" and event[2]["status"] == "error"]
        assert [entry["server_id"] for entry in failed] == [2] and failed[0]["message"]
    finally:
        api.act(1, "resume")
        api.act(2, "start")


def test_nothing_to_do_is_done(farm, api):
    body = {"ids": "state:failed", "action": "restart"}
    with Stream(farm.port, "/api/servers/action?follow=true", "POST", body) as stream:
        assert stream.next()[1:] == ("begin", {"total": 0})
        assert stream.next()[1:2] == ("done",) and stream.next() is None


def test_work_goes_on_when_its_reader_leaves(farm, api):
    before = api.servers()
    Stream(farm.port, "/api/rolling-restart?follow=true", "POST", {"ids": "1-3"}).close()
    wait_for(lambda: all((e := api.servers()[i])["pid"] != before[i]["pid"] and e["status"] == "running"
                         for i in (1, 2, 3)), what="all three restarted")


def test_what_cannot_begin_is_an_error_and_no_stream(farm, api):
    # While one rolling restart is under way, another is refused.
    with Stream(farm.port, "/api/rolling-restart?follow=true", "POST", {"ids": "1-4"}) as stream:
        answer = api.raw("POST", "/api/rolling-restart?follow=true", "{}")
        stream.until(lambda name, data: name == "done")
    assert answer.status in (409, 200)  # 200: the first was faster
    assert "ids" in api.post("/api/servers/action?follow=true", {"action": "stop"}, 422)["detail"]
    assert "follow" in api.post("/api/servers/action?follow=2", {"ids": "all", "action": "start"}, 422)["detail"]


def test_limits_of_many(farm, api):
    result = api.patch("/api/servers", {"ids": "1-2", "cpu": 0.25, "memory": "128M", "memory_reservation": "16M"})
    assert (result["total"], result["successful"], result["failed"]) == (2, 2, 0)
    assert [api.servers()[i]["limits_configured"]["cpu"] for i in (1, 2, 3)] == [0.25, 0.25, 0.5]
    # What fits one server may not fit another: each has its own result.
    api.patch("/api/servers/1", {"memory_mb": 64})
    result = api.patch("/api/servers", {"ids": [1, 2], "memory_reservation_mb": 100})
    assert [entry["status"] for entry in result["results"]] == ["error", "success"]
    assert "memory" in result["results"][0]["message"]
    for body in ({"ids": "all"}, {"cpu": 0.1}, {"ids": "all", "cpu": "fast"}, {"ids": [], "cpu": 1}):
        api.patch("/api/servers", body, 422)
    api.patch("/api/servers", {"ids": [9], "cpu": 1}, 400)
    restore = {"memory_mb": 256, "memory_reservation_mb": 128, "cpu": 0.5}
    assert api.patch("/api/servers", {"ids": "1-2", **restore})["successful"] == 2


# --- bounds and ends ---


def test_so_many_streams_and_no_more(farm, api):
    streams = []
    try:
        while len(streams) < 300:
            with_status = api_status(farm, streams)
            if with_status == 503:
                break
        assert 200 < len(streams) < 300
        assert api.get("/api/servers")["total_servers"] == SERVERS
    finally:
        for stream in streams:
            stream.close()

    def free_again():
        answer = Stream(farm.port, "/api/events?follow=true&limit=0", status=None)
        answer.close()
        return answer.answer.status == 200

    wait_for(free_again, what="a place for a stream")


def api_status(farm, streams):
    stream = Stream(farm.port, "/api/events?follow=true&limit=0", status=None)
    if stream.answer.status == 200:
        streams.append(stream)
    return stream.answer.status


def test_streams_end_with_farmd(farms):  # noqa: F811
    farm = farms(servers=2)
    farm.start()
    events = Stream(farm.port, "/api/events?follow=true&limit=0")
    logs = Stream(farm.port, "/api/logs?follow=true&tail=0")
    farm.process.terminate()
    seen = events.until(lambda name, data: name == "end")
    assert "FarmStopping" in [event[2].get("reason") for event in seen]
    assert seen[-1][2] == {"reason": "farmd has stopped"} and events.next() is None
    seen = logs.until(lambda name, data: name == "end")
    last_words = [line for _, name, data in seen if name == "lines" for line in texts(data) if "stopped" in line]
    assert len(last_words) == 2, seen
    assert farm.process.wait(DEADLINE) == 0
    assert farm.leftovers() == []


def test_an_upgrade_ends_streams_and_they_come_back(farms):  # noqa: F811
    farm = farms(servers=2)
    farm.start()
    stuck = followed(farm, "tail=0")  # whose reader does not read
    append(farm, 1, ("x" * 1000 + "\n") * 8000)
    with Stream(farm.port, "/api/events?follow=true&limit=0") as stream:
        done = subprocess.run([FARMD, "upgrade", *farm.arguments()], env=farm.env, cwd=farm.directory, text=True,
                              capture_output=True, timeout=2 * DEADLINE)
        assert done.returncode == 0, done.stderr
        assert stream.next()[1:] == ("end", {"reason": "another farmd takes over"}) and stream.next() is None
    stuck.close()
    with Stream(farm.port, "/api/events?follow=true&limit=0") as stream:
        farm.act(1, "restart")
        assert stream.next()[2]["server_id"] == 1
    assert farm.stop() == 0
    assert farm.leftovers() == []
