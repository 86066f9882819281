"""Bad input to the control plane: a 4xx that names the field, and a farmd that goes on as before."""

import contextlib
import json
import os

import pytest

import farmlib
from api_client import Api
from farmd_process import running
from farmlib import process_kb, raw_http, split_responses, wait_for


@pytest.fixture(scope="module")
def farm():
    with running(servers=3) as one:
        yield one


@pytest.fixture(scope="module")
def api(farm):
    return Api(farm.port)


NO_JSON = [
    "{", "}", "[]", "1", '"{}"', "nul", "{} {}", "{}x", '{"a":1,}', "{a:1}", "{'a':1}", '{"requests": NaN}',
    '{"requests": Infinity}', '{"requests": 01}', '{"requests": +1}', '{"a": "\n"}', '{"a": "\\u0000"}',
    '{"a": "\\ud800"}',
    b'{"a": "\x00"}', b'{"a": 1}\x00', b'{"a": "\xff"}', b'{"a": "\xc0\xaf"}', b'\xef\xbb\xbf{}',
    '{"a":' * 40 + "1" + "}" * 40, "[" * 100000, '{"a":' * 100000,
]
POSTS = ["/api/servers/1/action", "/api/servers/action", "/api/load-test", "/api/simulate-load", "/api/broadcast",
         "/api/scale", "/api/rolling-restart"]


@pytest.mark.parametrize("path", POSTS)
def test_what_is_no_json_object(api, path):
    before = api.servers()
    for body in NO_JSON:
        assert "body" in api.post(path, body, 422)["detail"]
    assert "body" in api.patch("/api/servers/1", "{", 422)["detail"]
    assert {i: entry["pid"] for i, entry in api.servers().items()} == {i: e["pid"] for i, e in before.items()}


BAD_INTS = ["x", "1", True, 1.5, -1, 0, 1e300, 2**63, [1], {}]
BAD_LISTS = ["x y", 1, True, {}, ["1"], [1.5], [True], [None], [[1]], [1e300], "1-", "3-1", ",", "1,,2"]


@pytest.mark.parametrize("path,field,values,others", [
    ("/api/load-test", "requests", BAD_INTS, {"target_servers": [1]}),
    ("/api/load-test", "concurrency", BAD_INTS + [1001], {"target_servers": [1]}),
    ("/api/load-test", "duration", ["x", True, -1, 0, 1e300, 3601, [1]], {"target_servers": [1]}),
    ("/api/load-test", "target_servers", BAD_LISTS, {"requests": 1}),
    ("/api/simulate-load", "server_ids", [1, True, {}, ["1"], [1.5], [True], [None], [[1]], [1e300]], {}),
    ("/api/simulate-load", "cpu_duration", ["x", True, -1, 3600.5, 1e300, [1]], {"server_ids": [1]}),
    ("/api/simulate-load", "memory_mb", ["x", True, -1, 1.5, 1e300, [1]], {"server_ids": [1]}),
    ("/api/servers/action", "ids", BAD_LISTS + [[]], {"action": "start"}),
    ("/api/servers/action", "action", [1, True, [], {}], {"ids": [1]}),
    ("/api/scale", "servers", ["x", True, 1.5, -1, 0, 10001, 1e300, [3], {}], {}),
    ("/api/scale", "group", [1, True, []], {"servers": 3}),
    ("/api/rolling-restart", "max_unavailable", BAD_INTS, {}),
    ("/api/rolling-restart", "ids", BAD_LISTS + [[]], {}),
    ("/api/broadcast", "method", [1, "get", "TRACE", "CONNECT", "FOO", ""], {}),
    ("/api/broadcast", "endpoint", [1, "", "x", "/a b", "/a\r\nX: y", "/ä", "http://evil/", "/#x"], {}),
    ("/api/broadcast", "headers", [1, [], {"a b": "c"}, {"": "c"}, {"A": 1}, {"A": "b\r\nC: d"}, {"Host": "x"},
                                   {"content-length": "1"}, {"Transfer-Encoding": "chunked"}], {}),
    ("/api/broadcast", "timeout", ["x", 0, -1, 301, True], {}),
])
def test_fields_of_a_wrong_type_or_range(api, path, field, values, others):
    for value in values:
        detail = api.post(path, {**others, field: value}, 422)["detail"]
        assert field in detail, (value, detail)


@pytest.mark.parametrize("field,values", [
    ("cpu", ["x", True, -1, 0, 1e300, [1]]), ("memory_mb", ["x", True, -1, 0, 1e300]),
    ("memory", [1, 1.5, 0, 1e300, "x", "256X", "", "-1M", True]), ("cpu_reservation", ["x", -1, 1e300]),
    ("memory_reservation_mb", ["x", -1, 1e300]), ("pids", ["x", 0, -1, 1.5, 1e300]),
])
def test_limits_of_a_wrong_type_or_range(api, field, values):
    before = api.servers()[1]["limits_configured"]
    for value in values:
        detail = api.patch("/api/servers/1", {field: value}, 422)["detail"]
        assert field.removesuffix("_mb") in detail, (value, detail)
    assert api.servers()[1]["limits_configured"] == before
    assert "allowed" in api.patch("/api/servers/1", {"unknown": 1}, 422)["detail"]
    assert "allowed" in api.patch("/api/servers/1", {"cpu": None}, 422)["detail"]


@pytest.mark.parametrize("path,name,values", [
    ("/api/events", "since", ["x", "", "-1", "1.5", "99999999999999999999", "NaN", "%00", "%zz"]),
    ("/api/events", "limit", ["x", "-1", "4097"]),
    ("/api/events", "server_id", ["x", "0", "-1"]),
    ("/api/servers/1/logs", "tail", ["x", "0", "-1", "10001", ""]),
    ("/api/servers/1/logs", "from", ["x", "-1", "1e3", "99999999999999999999"]),
    ("/api/servers/1/logs", "max_bytes", ["x", "0", "1048577"]),
    ("/api/servers/1/history", "since", ["x", "-1", "99999999999"]),
])
def test_parameters_of_a_wrong_type_or_range(api, path, name, values):
    for value in values:
        assert name in api.get(f"{path}?{name}={value}", 422)["detail"]


def test_refusals_name_the_range_that_is_allowed(api):
    for body, allowed in (({"cpu": 0}, "0.01 to 1024"), ({"cpu": 2000}, "0.01 to 1024"), ({"pids": 1}, "8 to 4194304"),
                          ({"memory_mb": 1}, "4 to "), ({"cpu_reservation": -1}, "0 to 1024")):
        assert allowed in api.patch("/api/servers/1", body, 422)["detail"]
    for body, allowed in (({}, "1 to 10000"), ({"servers": 0}, "1 to 10000"),
                          ({"servers": -1, "group": "default"}, "0 to 10000")):
        assert allowed in api.post("/api/scale", body, 422)["detail"]


def test_parameters_that_exclude_each_other(api):
    assert "tail" in api.get("/api/servers/1/logs?tail=1&from=0", 422)["detail"]
    assert "memory" in api.patch("/api/servers/1", {"memory": "64M", "memory_mb": 64}, 422)["detail"]


@pytest.mark.parametrize("endpoint", ["x", "", "//evil b", "/a%0d%0aX:%20y", "/%00", "/%zz", "/%e4", "/" + "a" * 3000])
def test_bad_endpoints_in_the_query(api, endpoint):
    assert "endpoint" in api.post(f"/api/broadcast?endpoint={endpoint.replace(' ', '%20')}", None, 422)["detail"]


def test_null_equals_absent_and_unknown_keys_are_ignored(api):
    result = api.post("/api/load-test", {"target_servers": None, "requests": 2, "concurrency": None, "duration": None,
                                         "colour": {"deep": [1]}})
    assert result["total_successful"] == 6
    assert api.post("/api/simulate-load", {"server_ids": [1], "cpu_duration": 0, "memory_mb": 0, "x": 1})["results"]
    assert "server_ids" in api.post("/api/simulate-load", {"server_ids": None}, 422)["detail"]
    assert "servers" in api.post("/api/scale", {}, 422)["detail"]
    assert "ids" in api.post("/api/servers/action", {"action": "start"}, 422)["detail"]


def test_unknown_ids_are_named_before_anything_is_done(api):
    pids = {i: entry["pid"] for i, entry in api.servers().items()}
    for ids in ([1, 4], "1-4", [1, -7], [0]):
        detail = api.post("/api/servers/action", {"ids": ids, "action": "restart"}, 400)["detail"]
        assert "4" in detail or "-7" in detail or "0" in detail
        api.post("/api/rolling-restart", {"ids": ids}, 400)
    assert {i: entry["pid"] for i, entry in api.servers().items()} == pids


def test_a_large_body(api, farm):
    limit = 1 << 20
    fits = json.dumps({"action": "start", "padding": "x" * (limit - 64)})
    api.post("/api/servers/1/action", fits)
    answer = api.raw("POST", "/api/servers/1/action", json.dumps({"action": "start", "padding": "x" * limit}))
    assert answer.status == 413 and answer.json()["detail"]
    chunked = (b"POST /api/scale HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
               + (b"10000\r\n" + b"x" * 0x10000 + b"\r\n") * 20 + b"0\r\n\r\n")
    assert split_responses(raw_http(farm.port, chunked))[0][0] == 413


def test_chunked_bodies_and_expect(farm):
    body = b'{"action": "start"}'
    head = b"POST /api/servers/1/action HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    answers = split_responses(raw_http(farm.port, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks))
    assert answers[0][0] == 200
    expect = head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert [a[0] for a in split_responses(raw_http(farm.port, expect + body))][-1] == 200


@pytest.mark.parametrize("data,status", [
    (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400), (b"\x00\x01\x02\r\n\r\n", 400),
    (b"POST /api/scale HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
    (b"POST /api/scale HTTP/1.1\r\nHost: localhost\r\nContent-Length: -2\r\n\r\n{}", 400),
    (b"POST /api/scale HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20000 + b"\r\n\r\n", 431),
])
def test_http_that_is_none(farm, data, status):
    assert split_responses(raw_http(farm.port, data))[0][0] == status


def test_a_body_that_never_comes_whole(farm, api):
    """The peer goes away in the middle, at every place."""
    body = b'{"ids": "all", "action": "start"}'
    whole = b"POST /api/servers/action HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    for length in range(0, len(whole), 7):
        with farmlib.connect(farm.port) as s:
            s.sendall(whole[:length])
    assert len(api.servers()) == 3


GOING_AWAY = [
    b"GET /api/health", b"GET /api/metrics", b"GET /api/servers", b"GET /api/servers/1", b"GET /api/servers/1/logs",
    b"POST /api/broadcast?endpoint=/data/1000", b"POST /api/servers/2/action", b"POST /api/servers/action",
    b"POST /api/simulate-load", b"POST /api/load-test", b"POST /api/rolling-restart", b"POST /api/scale",
]
BODIES = {
    b"POST /api/servers/2/action": b'{"action": "restart"}',
    b"POST /api/servers/action": b'{"ids": "1-3", "action": "restart"}',
    b"POST /api/simulate-load": b'{"server_ids": [1, 2, 3], "cpu_duration": 0.3, "memory_mb": 1}',
    b"POST /api/load-test": b'{"requests": 1000000}', b"POST /api/scale": b'{"servers": 3}',
}


def sockets(pid):
    """How many sockets a process has open (files of cgroups come and go with sampling)."""
    count = 0
    for entry in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            count += os.readlink(f"/proc/{pid}/fd/{entry}").startswith("socket:")
    return count


def test_peers_that_go_away_before_their_answer(farm, api):
    def round_of_all():
        for line in GOING_AWAY:
            body = BODIES.get(line, b"")
            with farmlib.connect(farm.port) as s:
                s.sendall(b"%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (line, len(body), body))
        wait_for(lambda: all(e["status"] == "running" for e in api.servers().values()), what="all running")

    settled = sockets(farm.process.pid)
    round_of_all()
    memory = process_kb(farm.process.pid, "VmRSS")
    for _ in range(10):
        round_of_all()
    wait_for(lambda: sockets(farm.process.pid) <= settled, what="every socket closed")
    wait_for(lambda: len(os.listdir(f"/proc/{farm.process.pid}/task")) <= 6, what="every load test's thread ended")
    if not farmlib.SANITIZED:
        assert process_kb(farm.process.pid, "VmRSS") < memory + 20000
    assert api.get("/api/health")["total_servers"] == 3


def test_connections_that_say_nothing_delay_nobody(farm, api):
    connections = [farmlib.connect(farm.port) for _ in range(1000)]
    try:
        for index, connection in enumerate(connections):
            connection.sendall(b"GET /api/servers HTTP/1.1\r\nHo" if index % 2 else b"")
        assert api.get("/api/servers")["total_servers"] == 3
        assert api.get("/api/health")["unhealthy"] == 0
    finally:
        for connection in connections:
            connection.close()
