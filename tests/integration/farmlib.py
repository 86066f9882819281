"""Helpers of the integration tests: ports, processes, HTTP on plain sockets. Standard library only."""

import contextlib
import errno
import http.client
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD_DIR", "build")
FARM_WORKER = os.environ.get("FARM_WORKER", str(BUILD / "farm-worker"))
SANITIZED = bool(os.environ.get("SANITIZE"))
# Sanitized programs are slow, and so is the emulated machine of tests/vm.
SLOW = SANITIZED or bool(os.environ.get("SLOW_MACHINE"))
# No test waits this long when all is well, but a busy machine may be slower than slow.
DEADLINE = 120 if SLOW else 60

ISO_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


# --- ports ---

# Below the kernel's ephemeral range, so that no outgoing connection has one. A run of the tests takes a block for itself:
# another one beside it would find free what this one's servers are just being restarted on.
FIRST_PORT, BLOCK = 10000, 1000


class _Ports:
    def __init__(self):
        self._claim = None  # open as long as the block is this run's
        self._first = self._next = 0

    def _take_block(self):
        ephemeral = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        for first in range(FIRST_PORT, ephemeral - BLOCK + 1, BLOCK):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                claim.bind(f"\0farmd-tests-ports-{first}")
            except OSError:
                claim.close()
                continue
            self._claim, self._first, self._next = claim, first, first
            return
        raise RuntimeError("every block of ports is taken by another run of the tests")

    def row(self, count):
        if self._claim is None:
            self._take_block()
        for _ in range(2 * BLOCK):
            if self._next + count > self._first + BLOCK:
                self._next = self._first
            first = self._next
            taken = [port for port in range(first, first + count) if not port_is_free(port)]
            self._next = taken[-1] + 1 if taken else first + count
            if not taken:
                return first
        raise RuntimeError(f"no {count} free ports in a row")


_ports = _Ports()


def port_is_free(port):
    """Whether nobody listens on it, on 127.0.0.1 and ::1."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):  # no IPv6 here
                continue
            return False
    return True


def free_port_range(count):
    """The first of `count` ports in a row that are free on 127.0.0.1 and ::1, each time others while there are."""
    return _ports.row(count)


def free_port():
    return free_port_range(1)


@contextlib.contextmanager
def listening(port=0, host="127.0.0.1"):
    """A listener of the test's own, in the way of whoever wants that port (0: any); yields the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen()
        yield taken.getsockname()[1]


def refuses(port, host="127.0.0.1"):
    """Whether nobody takes connections. One that comes while the listener is being closed is reset instead of refused."""
    try:
        connect(port, host).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


# --- time ---


def wait_for(condition, deadline=DEADLINE, what="the condition", interval=0.01):
    """Polls until condition() is true and returns its value; fails with `what` at the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {deadline} s")
        time.sleep(interval)


def quickest(call, tries=5):
    """The least time that a call took, in seconds: what it takes when the machine has nothing better to do."""
    times = []
    for _ in range(tries):
        began = time.monotonic()
        call()
        times.append(time.monotonic() - began)
    return min(times)


# --- farm-worker ---


class Worker:
    """A running farm-worker. Ended and checked by stop()."""

    def __init__(self, process, port, out):
        self.process = process
        self.pid = process.pid
        self.port = port
        self._out = out

    def output(self):
        self._out.seek(0)
        return self._out.read().decode()

    def stop(self, timeout=DEADLINE):
        """SIGTERM, and the exit code; killed when it takes too long."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def request(self, method, target, body=None, headers=None, host="127.0.0.1", timeout=DEADLINE):
        return request(self.port, method, target, body, headers, host, timeout)

    def get(self, target, **kwargs):
        return self.request("GET", target, **kwargs)

    def wait_requests(self, count):
        """Until so many requests have come, answered or not; health checks and this look are none."""
        wait_for(lambda: self.get("/metrics").json()["requests"]["total"] >= count, what=f"{count} requests taken")


def start_worker(tmp_path, *flags, env=None, port=None, wait=True, **popen):
    """Starts farm-worker with its readiness pipe and returns when it says that it listens."""
    port = port or free_port()
    ready_read, ready_write = os.pipe()
    out = open(tmp_path / f"worker-{port}.log", "w+b")
    environment = {
        **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")},
        "SERVER_ID": "7",
        "SERVER_PORT": str(port),
        "FARMD_READY_FD": str(ready_write),
        **(env or {}),
    }
    process = subprocess.Popen(
        [FARM_WORKER, *flags], env=environment, stdin=subprocess.DEVNULL, stdout=popen.pop("stdout", out), stderr=out,
        pass_fds=[ready_write, *popen.pop("pass_fds", [])], **popen,
    )
    os.close(ready_write)
    worker = Worker(process, port, out)
    if not wait:
        os.close(ready_read)
        return worker
    with os.fdopen(ready_read, "rb") as pipe:
        readable, _, _ = select.select([pipe], [], [], DEADLINE)
        line = pipe.readline() if readable else b""
    if line != b"ready\n":
        worker.kill()
        raise AssertionError(f"worker said {line!r} instead of ready: {worker.output()}")
    return worker


# --- HTTP ---


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)


def request(port, method, target, body=None, headers=None, host="127.0.0.1", timeout=DEADLINE):
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.connect()
        # The server may answer and close before it has read all.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def connect(port, host="127.0.0.1", timeout=DEADLINE):
    return socket.create_connection((host, port), timeout=timeout)


def raw_http(port, data, timeout=DEADLINE, host="127.0.0.1", shut=False):
    """Sends bytes as they are and returns all that comes until the server closes or `timeout` passes without a byte."""
    received = bytearray()
    with connect(port, host, timeout) as s:
        # The server may answer and close before it has read all.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
        with contextlib.suppress(socket.timeout, ConnectionResetError):
            while piece := s.recv(65536):
                received += piece
    return bytes(received)


def split_responses(data):
    """The whole answers in `data` as (status, headers with lower-case names, body); bodies by Content-Length or chunks."""
    answers = []
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        assert separator, f"no end of head: {head!r}"
        lines = head.split(b"\r\n")
        assert re.fullmatch(rb"HTTP/1\.1 \d\d\d [ -~]*", lines[0]), lines[0]
        status = int(lines[0].split()[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers[name.decode().lower()] = value.strip().decode()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size, _, data = data.partition(b"\r\n")
                length = int(size, 16)
                body, data = body + data[:length], data[length + 2:]
                if length == 0:
                    break
        else:
            length = 0 if status in (100, 204, 304) else int(headers.get("content-length", len(data)))
            assert len(data) >= length, "the body was cut"
            body, data = data[:length], data[length:]
        answers.append((status, headers, body))
    return answers


# --- processes ---


def process_kb(pid, key, file="status"):
    """A figure of /proc/PID/status or smaps_rollup in KB."""
    text = pathlib.Path(f"/proc/{pid}/{file}").read_text()
    return int(re.search(rf"^{key}:\s+(\d+)", text, re.M).group(1))
