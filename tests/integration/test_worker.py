"""farm-worker's endpoints, field by field and type by type, straight from the running program."""

import datetime
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

import farmlib
from farmlib import ISO_TIMESTAMP


def assert_fields(answer, fields):
    """Every field is there with exactly its type (a bool is no int); a nested dict describes an object."""
    for name, kind in fields.items():
        assert name in answer, f"{name} is missing in {answer}"
        value = answer[name]
        if isinstance(kind, dict):
            assert type(value) is dict, name
            assert_fields(value, kind)
        elif kind == "timestamp":
            assert ISO_TIMESTAMP.fullmatch(value), value
            age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(value)
            assert abs(age.total_seconds()) < 60
        else:
            assert type(value) is kind, f"{name} is {value!r}"


def assert_json(response, status=200):
    assert response.status == status, response.body
    assert response.headers["Content-Type"] == "application/json"
    assert int(response.headers["Content-Length"]) == len(response.body)
    assert response.headers["Date"]
    return response.json()


def assert_problem(response, status, detail=None):
    assert response.status == status, response.body
    assert response.headers["Content-Type"] == "application/problem+json"
    answer = response.json()
    assert_fields(answer, {"type": str, "title": str, "status": int, "detail": str})
    assert answer["status"] == status
    if detail is not None:
        assert answer["detail"] == detail
    return answer


def test_root(worker):
    before = assert_json(worker.get("/"))
    assert_fields(before, {
        "server_id": str, "hostname": str, "port": int, "status": str, "uptime_seconds": float,
        "total_requests": int, "timestamp": "timestamp",
    })
    assert before["server_id"] == "server-7"
    assert before["hostname"] == socket.gethostname()
    assert before["port"] == worker.port
    assert before["status"] == "running"
    worker.get("/health")
    worker.get("/metrics")
    worker.get("/no-such-page")
    after = worker.get("/").json()
    # every request counts but /health and /metrics, this one included
    assert after["total_requests"] == before["total_requests"] + 2
    assert after["uptime_seconds"] >= before["uptime_seconds"]


def test_health(worker):
    answer = assert_json(worker.get("/health"))
    assert_fields(answer, {"status": str, "server_id": str, "timestamp": "timestamp"})
    assert answer["status"] in ("healthy", "degraded")


def test_metrics(worker):
    first = assert_json(worker.get("/metrics"))
    assert_fields(first, {
        "server_id": str, "hostname": str, "port": int, "timestamp": "timestamp", "uptime_seconds": float,
        "requests": {"total": int, "rate_per_minute": float},
        "cpu": {"percent": float, "count": int},
        "memory": {"total_mb": float, "available_mb": float, "used_mb": float, "percent": float},
        "disk": {"total_gb": float, "used_gb": float, "free_gb": float, "percent": float},
        "network": {"bytes_sent": int, "bytes_recv": int, "packets_sent": int, "packets_recv": int},
    })
    assert first["cpu"]["count"] == os.cpu_count()
    assert 0 <= first["cpu"]["percent"] <= 100
    memory = first["memory"]
    assert memory["total_mb"] > 0 and 0 < memory["percent"] <= 100
    assert abs(memory["used_mb"] + memory["available_mb"] - memory["total_mb"]) < 0.05
    worker.get("/data/64")
    second = worker.get("/metrics").json()
    assert second["requests"]["total"] == first["requests"]["total"] + 1
    assert second["network"]["bytes_sent"] >= first["network"]["bytes_sent"] + 64 * 1024
    assert second["network"]["bytes_recv"] > first["network"]["bytes_recv"]
    assert second["network"]["packets_sent"] > first["network"]["packets_sent"]
    assert second["network"]["packets_recv"] > first["network"]["packets_recv"]


@pytest.mark.parametrize("accept, text", [
    (None, False),
    ("*/*", False),
    ("application/json", False),
    ("application/json, text/plain, */*", False),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
    ("image/png", False),
    ("text/plain", True),
    ("text/plain;version=0.0.4;q=1,*/*;q=0.1", True),
    ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", True),
    ("text/plain;q=0.2, application/json;q=0.8", False),
])
def test_metrics_format_follows_accept(worker, accept, text):
    response = worker.get("/metrics", headers={"Accept": accept} if accept else {})
    assert response.status == 200
    assert "Accept" in response.headers["Vary"]
    if text:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    else:
        assert response.headers["Content-Type"] == "application/json"
        response.json()


def test_prometheus_text_is_well_formed(worker):
    text = worker.get("/metrics", headers={"Accept": "text/plain"}).body.decode()
    assert text.endswith("\n")
    types, samples = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types
            types[name] = kind
        elif not line.startswith("# HELP "):
            name, _, rest = line.partition("{")
            labels, _, value = rest.rpartition("} ")
            assert 'server_id="server-7"' in labels
            assert name in types
            samples[name] = float(value)
    assert types["farm_worker_requests_total"] == "counter"
    assert types["farm_worker_memory_used_bytes"] == "gauge"
    assert samples["farm_worker_memory_used_bytes"] > 0
    assert samples["farm_worker_uptime_seconds"] > 0


def test_slow_endpoint_waits_and_blocks_nobody(worker):
    answers = []

    def ask():
        started = time.monotonic()
        response = worker.get("/slow-endpoint")
        answers.append((time.monotonic() - started, response))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    assert worker.get("/").status == 200
    assert len(answers) < len(threads), "it waited for all of the slow ones"
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < sum(response.json()["delay_seconds"] for _, response in answers), "one after another"
    delays = []
    for took, response in answers:
        answer = assert_json(response)
        assert_fields(answer, {"server_id": str, "message": str, "delay_seconds": float, "timestamp": "timestamp"})
        assert 1 <= answer["delay_seconds"] <= 5
        assert took >= answer["delay_seconds"] - 0.01
        delays.append(answer["delay_seconds"])
    assert len(set(delays)) > 1, "not random"


def test_simulate_load(worker):
    started = time.monotonic()
    answer = assert_json(worker.request("POST", "/simulate-load?cpu_duration=0.5&memory_mb=16"))
    assert time.monotonic() - started >= 0.5
    assert_fields(answer, {
        "server_id": str, "message": str, "cpu_duration": float, "memory_allocated_mb": int,
        "timestamp": "timestamp",
    })
    assert answer["cpu_duration"] == 0.5
    assert answer["memory_allocated_mb"] == 16


def test_simulate_load_defaults(worker):
    started = time.monotonic()
    answer = assert_json(worker.request("POST", "/simulate-load"))
    assert time.monotonic() - started >= 2
    assert (answer["cpu_duration"], answer["memory_allocated_mb"]) == (2.0, 100)


@pytest.mark.parametrize("query, field", [
    ("cpu_duration=-1", "cpu_duration"),
    ("cpu_duration=3600.5", "cpu_duration"),
    ("cpu_duration=nan", "cpu_duration"),
    ("cpu_duration=NaN", "cpu_duration"),
    ("cpu_duration=inf", "cpu_duration"),
    ("cpu_duration=1e999", "cpu_duration"),
    ("cpu_duration=0x10", "cpu_duration"),
    ("cpu_duration=", "cpu_duration"),
    ("cpu_duration=1%002", "cpu_duration"),
    ("cpu_duration=%zz", "cpu_duration"),
    ("cpu_duration=" + "1" * 200, "cpu_duration"),
    ("memory_mb=-1", "memory_mb"),
    ("memory_mb=1.5", "memory_mb"),
    ("memory_mb=lots", "memory_mb"),
    ("memory_mb=99999999999999999999", "memory_mb"),
    ("memory_mb=2000000", "memory_mb"),
    ("cpu_duration=0.1&memory_mb=x", "memory_mb"),
])
def test_simulate_load_refuses_bad_parameters(worker, query, field):
    answer = assert_problem(worker.request("POST", "/simulate-load?" + query), 422)
    assert field in answer["detail"]


@pytest.mark.parametrize("code, detail", [
    (400, "Bad Request"), (401, "Unauthorized"), (403, "Forbidden"), (404, "Not Found"),
    (500, "Internal Server Error"), (503, "Service Unavailable"),
    (402, "Unknown Error"), (405, "Unknown Error"), (418, "Unknown Error"), (429, "Unknown Error"),
    (502, "Unknown Error"), (599, "Unknown Error"),
])
def test_error_codes(worker, code, detail):
    assert_problem(worker.get(f"/error/{code}"), code, detail)


@pytest.mark.parametrize("code", [200, 201, 206, 299, 300, 301, 307, 399])
def test_error_with_a_status_that_is_none(worker, code):
    assert assert_json(worker.get(f"/error/{code}"), code)["detail"] == "Unknown Error"


@pytest.mark.parametrize("code", [204, 205, 304])
def test_error_without_body(worker, code):
    # on one connection with a second request: a stray body byte would be taken for an answer
    data = farmlib.raw_http(
        worker.port,
        f"GET /error/{code} HTTP/1.1\r\nHost: x\r\n\r\nGET /error/404 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        .encode(),
    )
    first, second = farmlib.split_responses(data)
    assert (first[0], first[2]) == (code, b"")
    assert second[0] == 404


@pytest.mark.parametrize("code", ["0", "99", "100", "199", "600", "-200", "abc", "2e2", "200.0", "%00", "9" * 30])
def test_error_refuses_what_is_no_status(worker, code):
    assert "code" in assert_problem(worker.get(f"/error/{code}"), 422)["detail"]


@pytest.mark.parametrize("size", [0, 1, 3, 16, 17, 1000, 10240])
def test_data(worker, size):
    answer = assert_json(worker.get(f"/data/{size}"))
    assert_fields(answer, {"server_id": str, "size_kb": int, "data": str, "timestamp": "timestamp"})
    assert answer["size_kb"] == size
    assert len(answer["data"]) == size * 1024


@pytest.mark.parametrize("size", ["10241", "99999999", "9223372036854775808", "9" * 30])
def test_data_too_large(worker, size):
    assert_problem(worker.get(f"/data/{size}"), 400, "Size too large (max 10MB)")


@pytest.mark.parametrize("size", ["-1", "abc", "1.5", "0x10", "%20", "1%00", "-99999999999999999999", "1" * 100])
def test_data_refuses_what_is_no_size(worker, size):
    assert "size_kb" in assert_problem(worker.get(f"/data/{size}"), 422)["detail"]


@pytest.mark.parametrize("path", ["/nope", "//", "/data", "/data/", "/data/1/2", "/error", "/error/", "/Health", "/health/"])
def test_unknown_path(worker, path):
    assert_problem(worker.get(path), 404)


@pytest.mark.parametrize("method, path, allowed", [
    ("POST", "/", {"GET", "HEAD", "OPTIONS"}),
    ("DELETE", "/health", {"GET", "HEAD", "OPTIONS"}),
    ("PUT", "/data/1", {"GET", "HEAD", "OPTIONS"}),
    ("GET", "/simulate-load", {"POST", "OPTIONS"}),
    ("HEAD", "/simulate-load", {"POST", "OPTIONS"}),
])
def test_wrong_method(worker, method, path, allowed):
    response = worker.request(method, path)
    assert response.status == 405
    assert {m.strip() for m in response.headers["Allow"].split(",")} == allowed


@pytest.mark.parametrize("path", ["/", "/health", "/metrics", "/data/100", "/error/404", "/error/204", "/request", "/echo"])
def test_head_is_get_without_body(worker, path):
    head, get = worker.request("HEAD", path), worker.get(path)
    assert head.status == get.status
    assert head.body == b""
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    if path in ("/data/100", "/error/404"):
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_echo(worker, method):
    body = os.urandom(5000)
    response = worker.request(method, "/echo?x=1", body=body, headers={"Content-Type": "image/x-test"})
    assert response.status == 200
    assert response.body == body
    assert response.headers["Content-Type"] == "image/x-test"
    assert response.headers["Content-Length"] == "5000"


def test_echo_of_nothing_and_of_chunks(worker):
    response = worker.get("/echo")
    assert (response.status, response.body) == (200, b"")
    assert response.headers["Content-Type"] == "application/octet-stream"

    pieces = [os.urandom(n) for n in (1, 1000, 70000)]
    response = worker.request("POST", "/echo", body=iter(pieces))
    assert response.status == 200
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert response.body == b"".join(pieces)


def test_request_tells_what_arrived(worker):
    target = "/request?a=1&b=%20x"
    with farmlib.connect(worker.port) as s:
        s.sendall(
            f"POST {target} HTTP/1.1\r\nHost: balancer.example:99\r\nX-Twice: one\r\nx-twice: \t two \r\n"
            "Content-Length: 3\r\nX-Bytes: caf\xe9 \"q\"\r\nConnection: close\r\n\r\nabc".encode("latin-1")
        )
        local = s.getsockname()
        data = b"".join(iter(lambda: s.recv(65536), b""))
    [(status, _, body)] = farmlib.split_responses(data)
    assert status == 200
    answer = json.loads(body)
    assert_fields(answer, {
        "method": str, "target": str, "path": str, "query": str, "http_version": str, "headers": list,
        "peer": {"address": str, "port": int}, "server_id": str, "timestamp": "timestamp",
    })
    assert (answer["method"], answer["target"]) == ("POST", target)
    assert (answer["path"], answer["query"], answer["http_version"]) == ("/request", "a=1&b=%20x", "1.1")
    assert answer["peer"] == {"address": "127.0.0.1", "port": local[1]}
    headers = [tuple(pair) for pair in answer["headers"]]
    assert headers[:3] == [("Host", "balancer.example:99"), ("X-Twice", "one"), ("x-twice", "two")]
    assert ("X-Bytes", 'caf\ufffd "q"') in headers


def test_answers_on_both_loopback_addresses(worker):
    assert worker.get("/", host="127.0.0.1").status == 200
    if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
        answer = worker.get("/request", host="::1").json()
        assert answer["peer"]["address"] == "::1"


def test_any_host_is_answered(worker):
    assert worker.get("/", headers={"Host": "whatever.example:8080"}).status == 200


# --- starting and stopping ---


def test_start_and_stop_lines(start):
    worker = start()
    worker.get("/")
    assert worker.stop() == 0
    lines = worker.output().splitlines()
    assert len(lines) == 2
    assert f"pid {worker.pid}" in lines[0] and str(worker.port) in lines[0] and "server-7" in lines[0]
    assert lines[1].endswith(" 1 request") and "up " in lines[1]


def test_access_log_only_when_asked(start):
    worker = start(env={"ACCESS_LOG": "1"})
    worker.get("/data/1?q=%22")
    worker.get("/error/404")
    assert worker.stop() == 0
    lines = [json.loads(line) for line in worker.output().splitlines() if line.startswith("{")]
    assert [line["status"] for line in lines] == [200, 404]
    assert_fields(lines[0], {
        "timestamp": "timestamp", "method": str, "path": str, "status": int, "bytes": int, "duration_ms": float,
        "peer": str,
    })
    assert (lines[0]["method"], lines[0]["path"]) == ("GET", "/data/1?q=%22")
    assert lines[0]["bytes"] > 1024
    assert lines[0]["peer"].startswith("127.0.0.1:")


def test_taken_port_is_told_over_the_pipe(start, tmp_path):
    with farmlib.listening() as port, pytest.raises(AssertionError) as failure:
        farmlib.start_worker(tmp_path, port=port)
    assert "error EADDRINUSE " in str(failure.value) and str(port) in str(failure.value)


@pytest.mark.parametrize("flags, env", [
    (["--port", "99999"], {}),
    (["--port"], {}),
    (["--id", "seven"], {}),
    (["--unknown"], {}),
    ([], {"SERVER_PORT": "x"}),
    ([], {"LOG_LEVEL": "loud"}),
])
def test_bad_settings_are_one_line_and_exit_2(flags, env):
    done = subprocess.run([farmlib.FARM_WORKER, *flags], env=env, capture_output=True, timeout=farmlib.DEADLINE)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert done.stdout == b""


def test_version_help_and_ready_only():
    run = lambda *args, **kwargs: subprocess.run(  # noqa: E731
        [farmlib.FARM_WORKER, *args], capture_output=True, timeout=farmlib.DEADLINE, **kwargs)
    assert run("--version").stdout.startswith(b"farm-worker ")
    assert b"--port" in run("--help").stdout
    read, write = os.pipe()
    done = run("--ready-only", env={"FARMD_READY_FD": str(write)}, pass_fds=[write])
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read() == b"ready\n"
    assert done.returncode == 0


def test_drain_finishes_what_is_in_flight(start):
    worker = start()
    with farmlib.connect(worker.port) as slow, farmlib.connect(worker.port) as idle:
        slow.sendall(b"POST /simulate-load?cpu_duration=1&memory_mb=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(65536).startswith(b"HTTP/1.1 200")
        worker.process.send_signal(signal.SIGTERM)
        assert idle.recv(65536) == b"", "an idle connection is closed"
        farmlib.wait_for(lambda: farmlib.refuses(worker.port), what="refusing new connections")
        [(status, headers, _)] = farmlib.split_responses(b"".join(iter(lambda: slow.recv(65536), b"")))
        assert status == 200
        assert headers["connection"] == "close"
    assert worker.process.wait(farmlib.DEADLINE) == 0
    assert "stopped" in worker.output()


def test_second_signal_ends_at_once(start):
    worker = start()
    with farmlib.connect(worker.port) as slow:
        slow.sendall(b"POST /simulate-load?cpu_duration=60&memory_mb=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        worker.wait_requests(1)
        worker.process.send_signal(signal.SIGTERM)
        farmlib.wait_for(lambda: farmlib.refuses(worker.port), what="draining")
        worker.process.send_signal(signal.SIGTERM)
        # it does not wait for the end of the load, nor for the time to drain, after which the code would be 0
        assert worker.process.wait(farmlib.DEADLINE) == 128 + signal.SIGTERM


def test_counters_are_shared(start, tmp_path):
    path = tmp_path / "counters"
    path.write_bytes(bytes(4096))
    fd = os.open(path, os.O_RDWR)
    try:
        worker = start(env={"FARMD_COUNTERS_FD": str(fd)}, pass_fds=[fd])
    finally:
        os.close(fd)
    for target in ("/", "/data/1", "/error/404", "/error/500", "/health", "/metrics"):
        worker.get(target)
    farmlib.raw_http(worker.port, b"nonsense\r\n\r\n")

    def read():
        data = path.read_bytes()
        magic, version = (int.from_bytes(data[i:i + 4], "little") for i in (0, 4))
        assert (magic, version) == (0x46434E54, 1)
        return [int.from_bytes(data[i:i + 8], "little") for i in range(8, 4096, 8)]

    farmlib.wait_for(lambda: read()[0] >= 5, what="five counted answers")
    words = read()
    requests, classes, received, sent, connections, latency = (
        words[0], words[1:6], words[6], words[7], words[8], words[9:])
    assert requests == 5
    assert classes == [0, 2, 0, 2, 1]
    assert received > 300 and sent > 1024
    assert sum(latency) == 5
    farmlib.wait_for(lambda: read()[8] == 0, what="no connection open")
