"""What the benchmark needs of the machine: processes, ports, figures from /proc, HTTP with little overhead of its own."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", ROOT / "build"))
TICK = 1.0 / os.sysconf("SC_CLK_TCK")


# Whether measured programs run at real-time priority, so that what else runs on this machine is not measured.
SHIELD = os.environ.get("FARMD_BENCH_SHIELD") == "1"


def pinned(core):
    """The front of a command line that keeps a program on a core."""
    return ["taskset", "-c", str(core), *(["chrt", "-f", "1"] if SHIELD else [])]


class NotMeasured(Exception):
    """A figure could not be had; the message says why."""


def deadline(seconds, what, check, interval=0.001):
    """Polls check() until it gives something true and returns that."""
    end = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > end:
            raise NotMeasured(f"{what}: not within {seconds} s")
        time.sleep(interval)


def free_base_port(count):
    """The first of `count` free ports in a row, below the range that the kernel gives out by itself."""
    base = 20000 + os.getpid() % 4000
    while base + count < 32000:
        for port in range(base, base + count):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    base = port + 1
                    break
        else:
            return base
    raise NotMeasured(f"no {count} free ports in a row below 32000")


def cpu_seconds(pid):
    """User and system time of all threads of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def pss_bytes(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.M).group(1)) * 1024


def children(pid):
    """Every process that descends from pid."""
    parents = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    found, frontier = [], {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier}
        found += frontier
    return found


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values):
    return statistics.median(values)


class Http:
    """One keep-alive connection."""

    def __init__(self, port, timeout=60):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def raw(self, method, path, body=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = self.connection.getresponse()
        return response.status, response.read()

    def json(self, method, path, body=None):
        status, data = self.raw(method, path, body)
        if status != 200:
            raise NotMeasured(f"{method} {path} answered {status}: {data[:200]!r}")
        return json.loads(data)


def answers(port, path="/"):
    try:
        with Http(port, timeout=1) as client:
            return client.raw("GET", path)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def answer_of(port):
    """The body of GET / and the size of the whole answer, head included."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: peer.recv(65536), b""))
    head, body = answer.split(b"\r\n\r\n", 1)
    return body.decode(), len(answer) - len(b"Connection: close\r\n") * (b"onnection: close" in head)


def end(process, timeout=15):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def private_mounts():
    """As root, goes on in a mount namespace of its own, where runtime_directory may mount and leaves nothing behind."""
    if os.geteuid() == 0 and "FARMD_BENCH_MOUNTS" not in os.environ and shutil.which("unshare"):
        os.environ["FARMD_BENCH_MOUNTS"] = "private"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def runtime_directory():
    """A directory in memory where that can be had: by default farmd keeps its counters in /run, which is one."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    directory = tempfile.mkdtemp(prefix="farmd-bench-", dir=base if base and os.access(base, os.W_OK) else None)
    if os.environ.get("FARMD_BENCH_MOUNTS"):
        subprocess.run(["mount", "-t", "tmpfs", "farmd-bench", directory], stderr=subprocess.DEVNULL, check=False)
    return directory


class Farm:
    """farmd on ports and directories of its own, with no settings but the flags given here."""

    def __init__(self, servers, *flags):
        self.servers = servers
        self.directory = tempfile.mkdtemp(prefix="farmd-bench-")
        self.runtime = runtime_directory()
        self.base = free_base_port(servers + 2)
        self.port = self.base + servers
        self.command = [str(BUILD / "farmd"), "--servers", str(servers), "--base-port", str(self.base)]
        self.command += ["--port", str(self.port), "--dashboard-port", str(self.port + 1)]
        self.command += ["--state-dir", f"{self.directory}/state", "--runtime-dir", self.runtime, *flags]
        self.start()

    def start(self):
        environment = {"PATH": os.environ["PATH"], "NO_COLOR": "1"}
        self.output = []
        began = time.monotonic()
        self.process = subprocess.Popen(
            self.command, cwd=self.directory, env=environment, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        self.pid = self.process.pid
        self.ready_ms = None
        for line in self.process.stdout:
            self.output.append(line)
            match = re.search(r"\bready\s+(\d+)/(\d+)", line)
            if match and match.group(1) == match.group(2):
                self.ready_ms = (time.monotonic() - began) * 1000
                break
        # Nobody reads on otherwise, and farmd must not wait for a full pipe.
        self.drain = threading.Thread(target=lambda: self.output.extend(self.process.stdout), daemon=True)
        self.drain.start()
        if self.ready_ms is None:
            self.close()
            raise NotMeasured("farmd did not become ready: " + "".join(self.output[-5:]).strip())

    def kill(self):
        """kill -9 of farmd alone, when it has written down what runs."""
        state = pathlib.Path(self.directory, "state", "state")
        deadline(10, "the state being recorded", lambda: state.read_text().count(" running ") == self.servers, 0.01)
        self.process.kill()
        self.process.wait()
        self.drain.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        end(self.process, 60)
        self.drain.join(5)
        shutil.rmtree(self.directory, ignore_errors=True)
        if os.path.ismount(self.runtime):
            subprocess.run(["umount", self.runtime], check=False)
        shutil.rmtree(self.runtime, ignore_errors=True)

    def http(self):
        return Http(self.port)


class Server:
    """A single server to be loaded, on a core of its own."""

    def __init__(self, name, command, port, environment=None, directory=None):
        self.name, self.port, self.directory = name, port, directory
        self.process = subprocess.Popen(
            [*pinned(0), *command], env={"PATH": os.environ["PATH"], **(environment or {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            deadline(10, f"{name} answers", lambda: self.process.poll() is not None or answers(port), 0.01)
            if self.process.poll() is not None:
                raise NotMeasured(f"{name} ended with code {self.process.returncode}")
        except NotMeasured:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        end(self.process)
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def cpu(self):
        """taskset became the server; nginx has a worker below it."""
        return sum(cpu_seconds(pid) for pid in [self.process.pid, *children(self.process.pid)])

    def load(self, seconds):
        """Microseconds of the server's CPU per request while wrk keeps 64 connections busy from the other core."""
        before = self.cpu()
        result = subprocess.run(
            [*pinned(1), "wrk", "-t1", "-c64", f"-d{seconds}s", f"http://127.0.0.1:{self.port}/"],
            capture_output=True, text=True, timeout=seconds + 30, check=True,
        ).stdout
        used = self.cpu() - before
        requests = int(re.search(r"(\d+) requests in", result).group(1))
        if "Non-2xx" in result or "Socket errors" in result or not requests:
            raise NotMeasured(f"{self.name} failed requests: {result}")
        return used / requests * 1e6, requests / seconds


def worker_server():
    port = free_base_port(1)
    return Server("farm-worker", [str(BUILD / "farm-worker")], port, {"SERVER_PORT": str(port), "SERVER_ID": "1"})


def nginx_server(body, size):
    """nginx as one would set it up for this comparison: one process, no log, the very bytes of the worker."""
    del size  # nginx adds its own head
    directory = tempfile.mkdtemp(prefix="farmd-bench-nginx-")
    port = free_base_port(1)
    config = pathlib.Path(directory, "nginx.conf")
    config.write_text(
        f"""daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; default_type application/json;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{body}'; }} }}
}}
"""
    )
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if not program:
        raise NotMeasured("nginx is not installed")
    return Server("nginx", [program, "-p", directory, "-c", str(config)], port, directory=directory)


def raw_epoll_server(body, size):
    port = free_base_port(1)
    program = BUILD / "tests" / "bench" / "raw_epoll"
    if not program.exists():
        raise NotMeasured(f"{program} is not built")
    return Server("raw epoll", [str(program), str(port), str(size)], port)
