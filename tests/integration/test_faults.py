"""farmd under attack and in want: HTTP that isn't, slow and many peers, too few descriptors, servers that misbehave."""

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import threading
import time

import pytest

import farmd_process
import farmlib
from farmd_process import farms  # noqa: F401
from farmlib import process_kb, raw_http, split_responses, wait_for
from test_worker_http import VIOLATIONS

HOST = b"Host: localhost\r\n"
CLOSE = b"Connection: close\r\n"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="reaches into files of other users")


@pytest.fixture(scope="module")
def farm():
    with farmd_process.running(servers=3) as one:
        before = one.pids()
        yield one
        assert one.pids() == before, "no server was touched by any of this"


def for_farmd(data):
    return data.replace(b"Host: x\r\n", HOST).replace(b"/echo", b"/api/scale")


# --- framing ---


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violation_is_refused_and_the_connection_closed(farm, name):
    expected, data = VIOLATIONS[name]
    # the request behind it must not be seen as one: that is how requests are smuggled
    smuggled = b"POST /api/servers/1/action HTTP/1.1\r\n" + HOST + b'Content-Length: 17\r\n\r\n{"action":"kill"}'
    [(status, headers, body)] = split_responses(raw_http(farm.port, for_farmd(data) + smuggled))
    assert status in (expected if isinstance(expected, tuple) else (expected,))
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["detail"]
    assert farm.request("GET", "/").status == 200


def test_every_cut_of_a_request_ends_quietly(farm):
    body = b'{"ids": [1], "action": "start"}'
    whole = b"POST /api/servers/action HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n%b" % (HOST, CLOSE, len(body), body)
    for length in range(0, len(whole), 3):
        assert b" 200 " not in raw_http(farm.port, whole[:length], shut=True)
    assert b" 200 " in raw_http(farm.port, whole)


def test_noise(farm):
    """Mutations of a valid request, the same each time: whatever they are, farmd answers the next peer."""
    chance = random.Random(7)
    valid = b"POST /api/broadcast?endpoint=/ HTTP/1.1\r\n" + HOST + CLOSE + b'Content-Length: 19\r\n\r\n{"method": "GET"}  '
    for _ in range(300):
        data = bytearray(valid)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        answer = raw_http(farm.port, bytes(data), shut=True)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 "), (data, answer)
    assert farm.get("/api/servers")["total_servers"] == 3


@pytest.mark.parametrize("length", [2 << 20, 1 << 40])
def test_body_too_large(farm, length):
    before = process_kb(farm.process.pid, "VmRSS")
    [(status, headers, _)] = split_responses(raw_http(
        farm.port, b"POST /api/scale HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (HOST, length, b" " * 100000)))
    assert status == 413
    assert headers["connection"] == "close"
    assert process_kb(farm.process.pid, "VmRSS") - before < 4096


def test_endless_chunks(farm):
    before = process_kb(farm.process.pid, "VmRSS")
    with farmlib.connect(farm.port) as s:
        s.sendall(b"POST /api/scale HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        began, most = time.monotonic(), 0
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() - began < farmlib.DEADLINE:  # what comes is thrown away for a moment, so that the 413 gets there
                s.sendall(chunk)
                most = max(most, process_kb(farm.process.pid, "VmRSS"))
        assert most - before < 8192


@pytest.mark.parametrize("server_id", ["0", "-1", "4", "99999999999999999999", "-99999999999999999999", "1.5", "abc", "",
                                       "1e0", "0x1", "%00", "1%00", "%31%2", "+1", " 1".replace(" ", "%20"), "nan", "9" * 5000])
def test_bad_ids(farm, server_id):
    for method, path, body in (
        ("GET", f"/api/servers/{server_id}", None), ("POST", f"/api/servers/{server_id}/action", {"action": "kill"}),
        ("PATCH", f"/api/servers/{server_id}", {"cpu": 0.1}), ("GET", f"/api/servers/{server_id}/logs", None),
    ):
        response = farm.request(method, path, body)
        assert response.status in (400, 404, 422), (method, path)
        assert response.json()["detail"]


def test_host_and_origin(farm):
    [(status, _, _)] = split_responses(raw_http(
        farm.port, b"GET /api/servers HTTP/1.1\r\nHost: rebound.example:8000\r\n" + CLOSE + b"\r\n"))
    assert status == 421
    refused = farm.request("POST", "/api/servers/1/action", {"action": "kill"}, {"Origin": "http://evil.example"})
    assert refused.status == 403


# --- many and slow peers ---


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 8192) if hard != resource.RLIM_INFINITY else 8192
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_slow_connections_delay_nobody(farm, many_descriptors):
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(farmlib.connect(farm.port)) for _ in range(1000)]
        took, ended = [], 0
        for i, connection in enumerate(slow):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(b"GET /api/servers HTTP/1.1\r\nHost: loc"[: 1 + i % 35])
            if i % 20 == 0:
                began = time.monotonic()
                assert farm.request("GET", "/api/servers").status == 200
                assert farm.worker(1).status == 200
                took.append(time.monotonic() - began)
        # half of them are as slow to read what they asked for
        for connection in slow[::2]:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(b"x")
        for _ in range(20):
            began = time.monotonic()
            assert farm.request("GET", "/api/servers").status == 200
            took.append(time.monotonic() - began)
        assert sorted(took)[len(took) // 2] < 0.2, took


def test_peers_that_never_read(farm):
    """Answers that nobody takes are held back, not piled up."""
    before = process_kb(farm.process.pid, "VmRSS")
    request = b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            s = stack.enter_context(socket.socket())
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", farm.port))
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(500):
                    s.send(request * 20)
        assert farm.request("GET", "/api/servers").status == 200
        grown = process_kb(farm.process.pid, "VmRSS") - before
        # the sanitizer keeps up to 256 MB of what was freed to itself
        assert grown < (300 if farmlib.SANITIZED else 40) * 1024, f"{grown} KB for 50 peers"
    assert farm.request("GET", "/api/servers").status == 200


def test_work_on_many_servers_is_bounded(farm):
    """More looks at all servers than there is room for: 503 at once with Retry-After, the rest is answered."""
    pid = farm.server(2)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with contextlib.ExitStack() as stack:
            asking = [stack.enter_context(farmlib.connect(farm.port)) for _ in range(80)]
            for connection in asking:
                connection.sendall(b"GET /api/health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
            assert farmlib.quickest(farm.servers) < 1
            answers = [split_responses(b"".join(iter(lambda c=c: c.recv(65536), b"")))[0] for c in asking]
    finally:
        os.kill(pid, signal.SIGCONT)
    statuses = [status for status, _, _ in answers]
    assert set(statuses) == {200, 503} and statuses.count(200) >= 32
    for status, headers, body in answers:
        if status == 503:
            assert int(headers["retry-after"]) >= 1 and json.loads(body)["detail"]
        else:
            assert json.loads(body)["unhealthy"] == 1


def test_peers_that_leave_before_the_answer(farm):
    for path, body in (
        (b"/api/health", None), (b"/api/metrics", None), (b"/api/servers/1", None), (b"/api/servers/1/logs", None),
        (b"/api/broadcast?endpoint=/slow-endpoint", b"{}"), (b"/api/load-test", b'{"duration": 1}'),
        (b"/api/simulate-load", b'{"server_ids": [1, 2], "cpu_duration": 1, "memory_mb": 1}'),
        (b"/api/scale", b'{"servers": 3}'),
    ):
        for reset in (False, True):
            with farmlib.connect(farm.port) as s:
                if reset:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                method = b"GET" if body is None else b"POST"
                s.sendall(b"%b %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (
                    method, path, HOST, len(body or b""), body or b""))
    assert farm.get("/api/health")["unhealthy"] == 0
    wait_for(lambda: farm.worker(1).status == 200, what="server 1 answering")


# --- want ---


def limited(farm, descriptors):
    # without the capability that lets root raise the limit again
    drop = ["setpriv", "--bounding-set=-sys_resource"] if os.geteuid() == 0 else []
    return farm.start(wait=False, prefix=["prlimit", f"--nofile={descriptors}:{descriptors}", *drop])


needs_prlimit = pytest.mark.skipif(not (shutil.which("prlimit") and shutil.which("setpriv")), reason="no prlimit")


@needs_prlimit
def test_too_few_descriptors_for_all_servers(farms):  # noqa: F811
    farm = limited(farms(servers=110), 120)

    def settled():
        with contextlib.suppress(OSError):
            states = [entry["status"] for entry in farm.servers().values()]
            return "running" in states and not {"starting", "stopped"} & set(states)
        assert farm.process.poll() is None, farm.errors()

    wait_for(settled, what="the servers that have room running")
    farm.note_slices()
    down = [entry for entry in farm.servers().values() if entry["status"] != "running"]
    assert down, "the descriptors were enough; the test needs fewer"
    for entry in down:
        assert "too many open files" in entry["error"] and "120" in entry["error"] and "ulimit -n" in entry["error"]
    assert "cannot start: too many open files" in farm.errors()
    assert "some servers go without statistics" in farm.errors()
    up = [entry["id"] for entry in farm.servers().values() if entry["status"] == "running"]
    assert farm.worker(up[0]).status == 200
    health = farm.get("/api/health")
    assert health["healthy"] + health["degraded"] >= 10, "there is room to ask those that run"
    # with less to do, others find room by themselves
    for server_id in up[:4]:
        farm.act(server_id, "stop")
    runs = lambda: [i["id"] for i in down if farm.server(i["id"])["status"] == "running"]  # noqa: E731
    assert farm.worker(wait_for(runs, what="one more server running")[0]).status == 200
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []


@needs_prlimit
def test_peers_cannot_use_up_the_descriptors(farms, many_descriptors):  # noqa: F811
    """However many hold a connection: those beyond a part of the limit get 503, and servers are probed and restarted."""
    probes = "liveness: {interval: 200ms, timeout: 10s, start_period: 0s, retries: 2}"
    farm = limited(farms(servers=3, config=f"servers: {{probes: {{{probes}}}}}\n"), 160)
    farm.wait_ready()
    before = farm.servers()
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(farmlib.connect(farm.port))
        kept.sendall(b"GET /api/servers HTTP/1.1\r\n" + HOST + b"\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        peers = [stack.enter_context(farmlib.connect(port)) for port in [farm.port, farm.dashboard_port] * 100]
        for peer in peers:
            peer.setblocking(False)
            with contextlib.suppress(OSError):
                peer.sendall(b"GET")

        def some_refused():
            for peer in peers:
                with contextlib.suppress(OSError):
                    if peer.recv(65536, socket.MSG_PEEK).startswith(b"HTTP/1.1 503"):
                        return True
            return False

        wait_for(some_refused, what="a peer that is told that there are too many")
        assert farm.worker(1).status == 200, "the servers go on"
        os.kill(before[2]["pid"], signal.SIGKILL)
        since = time.monotonic()

        def restarted():
            kept.sendall(b"GET /api/servers/2 HTTP/1.1\r\n" + HOST + b"\r\n")
            answer = split_responses(kept.recv(1 << 20))[0]
            entry = json.loads(answer[2])
            return entry["status"] == "running" and entry["pid"] != before[2]["pid"] and entry["restarts"] == 1

        wait_for(restarted, what="server 2 restarted while they are there")
        wait_for(lambda: time.monotonic() - since > 1.5, what="time for many probes")
        assert len(os.listdir(f"/proc/{farm.process.pid}/fd")) < 160
    wait_for(lambda: farm.request("GET", "/api/servers").status == 200, what="room for new peers")
    assert not farm.events(0, "LivenessFailed") and not farm.events(0, "ProbesFailed")
    assert farm.pids()[1] == before[1]["pid"] and farm.pids()[3] == before[3]["pid"]
    assert farm.worker(2).status == 200
    assert farm.stop() == 0
    assert farm.leftovers() == []


# --- servers that misbehave ---

MISCHIEF = r"""
import os, socket, threading, time

def flood(connection, head):
    connection.sendall(head)
    for _ in range(1000):
        connection.sendall(b"a" * 100000)

behaviours = {
    2: lambda c: flood(c, b"HTTP/1.1 200 OK\r\nX-A: "),
    3: lambda c: flood(c, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"),
    4: lambda c: None,
    5: lambda c: time.sleep(1000),
    6: lambda c: c.sendall(b"\x00\xff garbage\r\n\r\n"),
    7: lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
    8: lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    9: lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[[[[\x00\"{,:"),
    10: lambda c: c.sendall(b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
    11: lambda c: [c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n") for _ in range(100000)],
    12: lambda c: [(c.sendall(b"H"), time.sleep(0.5)) for _ in range(1000)],
}
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=100)
evil = "$DIR/evil"

def serve(connection):
    with connection:
        try:
            connection.recv(65536)
            if os.path.exists(evil):
                behaviours[int(os.environ["SERVER_ID"])](connection)
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        except OSError:
            pass

while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def test_servers_that_answer_nonsense(farms):  # noqa: F811
    config = ("servers: {probes: {startup: {interval: 100ms}}}\ngroups:\n  - {name: good, count: 1}\n"
              "  - {name: evil, count: 11, memory: 512M, command: [python3, $DIR/evil.py]}\n")
    farm = farms(servers=12, config=config)
    (farm.directory / "evil.py").write_text(MISCHIEF.replace("$DIR", str(farm.directory)))
    farm.start()
    before, memory = farm.pids(), process_kb(farm.process.pid, "VmRSS")
    (farm.directory / "evil").touch()
    began = time.monotonic()
    answers, took = {}, {}

    def ask(name, method, path, body=None):
        answers[name] = farm.request(method, path, body)
        took[name] = time.monotonic() - began

    threads = [threading.Thread(target=ask, args=args) for args in (
        ("health", "GET", "/api/health"), ("metrics", "GET", "/api/metrics"),
        ("broadcast", "POST", "/api/broadcast?endpoint=/data/1&timeout=3", {}),
        *((f"one {i}", "GET", f"/api/servers/{i}") for i in range(2, 13)),
    )]
    for thread in threads:
        thread.start()
    watched = []
    while any(thread.is_alive() for thread in threads):
        look = time.monotonic()
        assert farm.get("/api/servers")["total_servers"] == 12
        watched.append(time.monotonic() - look)
        assert process_kb(farm.process.pid, "VmRSS") - memory < 300 * 1024
    assert sorted(watched)[len(watched) // 2] < 1.5, "nobody else waits"
    assert all(response.status == 200 for response in answers.values()), answers
    health = answers["health"].json()
    assert health["healthy"] + health["degraded"] >= 1
    states = {entry["server_id"]: entry for entry in health["servers"]}
    for server_id in (2, 4, 5, 6, 7, 8, 12):
        assert states[server_id]["status"] == "error" and states[server_id]["error"], server_id
    results = answers["broadcast"].json()
    assert results["total_servers"] == 12 and results["successful_responses"] >= 1
    assert "server_id" in results["results"][0]
    assert all("error" in results["results"][i - 1] for i in (2, 4, 5, 6, 7, 8, 9, 10, 12))
    for server_id in (2, 4, 5, 6, 7, 8, 9, 10, 12):
        assert answers[f"one {server_id}"].json()["metrics"]["error"]
    assert answers["metrics"].json()["responding_servers"] == 1
    assert max(took.values()) < 30, took
    assert farm.pids() == before
    (farm.directory / "evil").unlink()
    assert farm.stop() == 0
    assert farm.leftovers() == []


@needs_root
def test_counters_full_of_garbage(farms):  # noqa: F811
    farm = farms(servers=2).start()
    files = [path for path in farm.runtime_dir.rglob("*") if path.is_file() and "counters" in path.parts]
    assert len(files) == 2
    chance = random.Random(3)
    for _ in range(20):
        for path in files:
            with open(path, "r+b") as counters:
                counters.write(chance.choice([b"\xff" * 4096, b"\0" * 4096, chance.randbytes(4096)]))
        text = farm.request("GET", "/api/servers").body.decode()
        assert "nan" not in text.lower() and "inf" not in text.lower().replace("info", "")
        assert json.loads(text)["total_servers"] == 2
        farm.get("/api/servers/1/history")
    assert farm.stop() == 0
    assert farm.leftovers() == []
