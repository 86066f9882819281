"""Helpers of the integration tests: ports, processes, HTTP on plain sockets. Standard library only."""

import contextlib
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
# Sanitized programs on a busy machine and emulated machines are slow; no test waits this long when all is well.
DEADLINE = 60 if SANITIZED or os.environ.get("SLOW_MACHINE") else 20

ISO_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


def free_port():
    """A port that was free a moment ago on 127.0.0.1 and ::1."""
    return free_port_range(1)


def _port_is_free(port):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((host, port))
        except OSError as error:
            if error.errno in (97, 99):  # no IPv6 here
                continue
            return False
    return True


def free_port_range(count):
    """The first of `count` ports in a row that were all free a moment ago, below the kernel's ephemeral range."""
    low = 10000
    high = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]) - count
    for _ in range(200):
        first = low + int.from_bytes(os.urandom(4), "little") % (high - low)
        if all(_port_is_free(port) for port in range(first, first + count)):
            return first
    raise RuntimeError(f"no {count} free ports in a row")


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


def process_kb(pid, key, file="status"):
    """A figure of /proc/PID/status or smaps_rollup in KB."""
    text = pathlib.Path(f"/proc/{pid}/{file}").read_text()
    return int(re.search(rf"^{key}:\s+(\d+)", text, re.M).group(1))
