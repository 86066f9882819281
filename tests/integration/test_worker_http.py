"""HTTP as RFC 9112 and 9110 have it, over plain sockets against farm-worker: what is refused, and how."""

import json
import socket
import time

import pytest

import farmlib
from farmlib import raw_http, split_responses

HOST = b"Host: x\r\n"
CLOSE = b"Connection: close\r\n"


def only(data):
    [answer] = split_responses(data)
    return answer


# Each is refused with this status, and the connection closes: where the next request begins is in doubt.
VIOLATIONS = {
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two hosts": (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    "host with a blank": (400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    "space before the colon": (400, b"GET / HTTP/1.1\r\nHost : x\r\n\r\n"),
    "no colon": (400, b"GET / HTTP/1.1\r\n" + HOST + b"Nonsense\r\n\r\n"),
    "folded header": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X-A: 1\r\n  2\r\n\r\n"),
    "fold in the first header": (400, b"GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
    "empty header name": (400, b"GET / HTTP/1.1\r\n" + HOST + b": 1\r\n\r\n"),
    "bare CR in a value": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X-A: 1\r2\r\n\r\n"),
    "NUL in a value": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X-A: 1\x002\r\n\r\n"),
    "NUL in a name": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X\x00A: 1\r\n\r\n"),
    "NUL in the target": (400, b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "blank in the target": (400, b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "two blanks": (400, b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "relative target": (400, b"GET health HTTP/1.1\r\n" + HOST + b"\r\n"),
    "garbage": (400, b"\x00\x01\x02\x03\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32 + b"\r\n\r\n"),
    "length and chunks": (400, b"POST /echo HTTP/1.1\r\n" + HOST +
                          b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunks and length": (400, b"POST /echo HTTP/1.1\r\n" + HOST +
                          b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    "two lengths": (400, b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "list of lengths": (400, b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1, 2\r\n\r\nab"),
    "negative length": (400, b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n"),
    "length with a sign": (400, b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\na"),
    "length in hexadecimal": (400, b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 0x1\r\n\r\na"),
    "empty length": (400, b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: \r\n\r\n"),
    "length that overflows": (400, b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n"),
    "last coding is not chunked": (400, b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n"),
    "chunked, gzip": (400, b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, gzip\r\n\r\n"),
    "chunked twice": ((400, 501), b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    "gzip, chunked": (501, b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "chunks in HTTP/1.0": (400, b"POST /echo HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunk size that is none": (400, b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    "chunk size with a sign": (400, b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n"),
    "chunk size that overflows": (400, b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" +
                                  b"f" * 17 + b"\r\n"),
    "method unknown": (501, b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "HTTP/2": (505, b"GET / HTTP/2.0\r\n" + HOST + b"\r\n"),
    "target too long": (414, b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "header too large": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 20000 + b"\r\n\r\n"),
    "too many headers": (431, b"GET / HTTP/1.1\r\n" + HOST + b"a: b\r\n" * 150 + b"\r\n"),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violation_is_refused_and_the_connection_closed(worker, name):
    expected, data = VIOLATIONS[name]
    # the request behind it must not be seen as one: that is how requests are smuggled
    status, headers, body = only(raw_http(worker.port, data + b"GET /error/418 HTTP/1.1\r\n" + HOST + b"\r\n"))
    assert status in (expected if isinstance(expected, tuple) else (expected,))
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/problem+json"
    problem = json.loads(body)
    assert problem["status"] == status and problem["detail"]
    assert worker.get("/").status == 200


def test_bad_chunk_in_the_middle_ends_the_connection(worker):
    data = raw_http(worker.port, b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
                    b"zz\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n")
    # the answer had begun, so it can only be cut: no last chunk, and no second answer
    assert not data.endswith(b"0\r\n\r\n")
    assert data.count(b"HTTP/1.1 ") <= 1
    assert worker.get("/").status == 200


def test_every_cut_of_a_request_ends_quietly(worker):
    whole = b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n" + CLOSE + b"\r\nhello"
    for length in range(len(whole)):
        data = raw_http(worker.port, whole[:length], shut=True)
        assert b" 200 " not in data or length > len(whole) - 5
    assert only(raw_http(worker.port, whole))[2] == b"hello"


def test_request_byte_by_byte(worker):
    with farmlib.connect(worker.port) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"POST /echo HTTP/1.1\r\n" + HOST + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n" \
                    b"3;ext=\"a\"\r\nabc\r\n0\r\nTrailer: x\r\n\r\n":
            s.sendall(bytes([byte]))
        status, _, body = only(b"".join(iter(lambda: s.recv(65536), b"")))
    assert (status, body) == (200, b"abc")


def test_pipelined_requests_are_answered_in_order(worker):
    requests = b"".join(b"POST /echo HTTP/1.1\r\n%bContent-Length: 4\r\n\r\n%04d" % (HOST, i) for i in range(500))
    data = raw_http(worker.port, requests + b"GET /error/404 HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    answers = split_responses(data)
    assert len(answers) == 501
    assert [body for _, _, body in answers[:-1]] == [b"%04d" % i for i in range(500)]
    assert answers[-1][0] == 404


def test_pipelining_waits_for_a_slow_answer(worker):
    data = raw_http(worker.port, b"POST /simulate-load?cpu_duration=0.3&memory_mb=0 HTTP/1.1\r\n" + HOST + b"\r\n"
                    b"GET /error/418 HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    assert [status for status, _, _ in split_responses(data)] == [200, 418]


def test_unread_body_does_not_become_a_request(worker):
    body = b"GET /error/418 HTTP/1.1\r\nHost: x\r\n\r\n"
    data = raw_http(worker.port, b"POST /error/400 HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (HOST, len(body), body) +
                    b"GET /health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    assert [status for status, _, _ in split_responses(data)] == [405, 200]


def test_expect_continue(worker):
    with farmlib.connect(worker.port) as s:
        s.sendall(b"POST /echo HTTP/1.1\r\n" + HOST + CLOSE + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert s.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"hello")
        status, _, body = only(b"".join(iter(lambda: s.recv(65536), b"")))
    assert (status, body) == (200, b"hello")


def test_connection_handling(worker):
    keep = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"
    last = b"GET /health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"
    assert len(split_responses(raw_http(worker.port, keep + keep + last + keep))) == 3
    # HTTP/1.0 closes unless it asks to be kept
    old = b"GET /health HTTP/1.0\r\n"
    assert len(split_responses(raw_http(worker.port, old + b"\r\n" + old + b"\r\n"))) == 1
    kept = split_responses(raw_http(worker.port, old + b"Connection: keep-alive\r\n\r\n" + old + b"\r\n"))
    assert len(kept) == 2
    assert kept[0][1]["connection"].lower() == "keep-alive"


def test_http10_gets_no_chunks(worker):
    # /echo of a body without a known length would be chunked; HTTP/1.0 can't send one, so a length is there
    status, headers, body = only(raw_http(worker.port, b"POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"))
    assert (status, body) == (200, b"abc")
    assert "transfer-encoding" not in headers


@pytest.mark.parametrize("target, path", [
    (b"http://other.example:81/request?a=1", "/request"),
    (b"/request?a=1", "/request"),
])
def test_target_forms(worker, target, path):
    status, _, body = only(raw_http(worker.port, b"GET " + target + b" HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"))
    assert status == 200
    answer = json.loads(body)
    assert (answer["path"], answer["query"], answer["target"]) == (path, "a=1", target.decode())


def test_options_of_the_server(worker):
    status, headers, _ = only(raw_http(worker.port, b"OPTIONS * HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"))
    assert status in (200, 204)
    status, headers, _ = only(raw_http(worker.port, b"OPTIONS /simulate-load HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"))
    assert status in (200, 204)
    assert {m.strip() for m in headers["allow"].split(",")} == {"POST", "OPTIONS"}
    # "*" is for OPTIONS alone
    assert only(raw_http(worker.port, b"GET * HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"))[0] == 400


def test_slow_header_ends_after_ten_seconds(worker):
    started = time.monotonic()
    status, headers, _ = only(raw_http(worker.port, b"GET / HTTP/1.1\r\nHost:"))
    assert status == 408
    assert headers["connection"] == "close"
    assert 9 <= time.monotonic() - started <= farmlib.DEADLINE


# --- browser origins ---


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:8000", "http://[::1]:5173"])
def test_pages_of_this_machine_may_call(worker, origin):
    for method, target in (("GET", "/"), ("POST", "/echo"), ("GET", "/error/404")):
        response = worker.request(method, target, headers={"Origin": origin})
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in response.headers["Vary"]
    preflight = worker.request("OPTIONS", "/simulate-load", headers={
        "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type",
    })
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == origin
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert preflight.headers["Access-Control-Allow-Headers"] == "content-type"


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost.evil.example:3000", "null"])
def test_other_origins_may_not_change_anything(worker, origin):
    before = worker.get("/").json()["total_requests"]
    refused = worker.request("POST", "/simulate-load?cpu_duration=60", headers={"Origin": origin})
    assert refused.status == 403
    assert refused.json()["detail"]
    assert "Access-Control-Allow-Origin" not in refused.headers
    preflight = worker.request("OPTIONS", "/simulate-load", headers={
        "Origin": origin, "Access-Control-Request-Method": "POST"})
    assert preflight.status == 403
    assert "Access-Control-Allow-Origin" not in preflight.headers
    # reading is answered, but a browser keeps it from the page
    seen = worker.get("/", headers={"Origin": origin})
    assert seen.status == 200
    assert "Access-Control-Allow-Origin" not in seen.headers
    assert seen.json()["total_requests"] == before + 3


def test_origin_twice_is_no_origin(worker):
    status, _, _ = only(raw_http(
        worker.port, b"POST /echo HTTP/1.1\r\n" + HOST + CLOSE +
        b"Origin: http://localhost:3000\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n\r\n"))
    assert status == 403


def test_configured_origin(start):
    worker = start(env={"ALLOWED_ORIGINS": "https://farm.example"})
    response = worker.request("POST", "/echo", headers={"Origin": "https://farm.example"})
    assert response.status == 200
    assert response.headers["Access-Control-Allow-Origin"] == "https://farm.example"
