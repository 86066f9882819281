"""The command line against a farm of a test: run a verb, or watch one on a terminal."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

from farmd_process import FARMD
from farmlib import DEADLINE

DONE, FAILED, USAGE, UNREACHABLE, PARTLY, TIMED_OUT, INTERRUPTED = 0, 1, 2, 3, 4, 124, 130


def environment(farm, extra=None):
    keep = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
    api = {"FARMD_API": f"http://localhost:{farm.port}"} if farm is not None else {}
    home = str(farm.directory) if farm is not None else "/nonexistent"
    return {"PATH": os.environ["PATH"], "HOME": home, "TZ": "UTC", "LANG": "C.UTF-8", **keep, **api, **(extra or {})}


def start(farm, *arguments, env=None, **popen):
    popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen}
    return subprocess.Popen([FARMD, *arguments], env=environment(farm, env), text=True, cwd="/", **popen)


def run(farm, *arguments, code=DONE, env=None, timeout=DEADLINE, **popen):
    """A verb to its end; its result with stdout and stderr."""
    process = start(farm, *arguments, env=env, **popen)
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    done = subprocess.CompletedProcess(arguments, process.returncode, out, err)
    assert done.returncode == code, done
    return done


def error(farm, *arguments, code=USAGE, env=None, cwd=None):
    """What a verb that must fail says: one line on standard error."""
    done = run(farm, *arguments, code=code, env=env)
    assert done.stdout == "", done
    assert re.fullmatch(r"farmd: [^\n]+\n", done.stderr), done.stderr
    return done.stderr


def rows(text):
    """The rows of a table as lists of words, without its heading and the line below."""
    return [line.split() for line in text.splitlines() if re.match(r" *\d+  \S", line)]


class Counter(threading.Thread):
    """A farm's API behind a port that counts what comes: connections, and the request lines on them."""

    def __init__(self, farm):
        super().__init__(daemon=True)
        self.farm = farm
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections, self.requests = 0, []
        self.start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with peer, socket.create_connection(("127.0.0.1", self.farm.port)) as farm:
                self.pump(peer, farm)

    def pump(self, peer, farm):
        while True:
            for source in select.select([peer, farm], [], [], DEADLINE)[0]:
                data = source.recv(65536)
                if not data:
                    return
                if source is peer:
                    self.requests += re.findall(rb"^[A-Z]+ \S+(?= HTTP/1.1\r$)", data, re.M)
                (farm if source is peer else peer).sendall(data)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join(DEADLINE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Terminal:
    """farmd on a terminal of its own size; `screen` is all that it has written."""

    def __init__(self, farm, *arguments, columns=80, lines=24, env=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            [FARMD, *arguments], env=environment(farm, {"TERM": "xterm-256color", **(env or {})}), cwd="/",
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=self._own_terminal,
        )
        os.close(slave)
        self.screen = ""

    @staticmethod
    def _own_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read_until(self, wanted, deadline=DEADLINE):
        end = time.monotonic() + deadline
        while not wanted(self.screen):
            assert time.monotonic() < end, self.screen
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.screen += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    assert wanted(self.screen), self.screen
        return self.screen

    def read_to_end(self):
        """Its exit code; the screen has everything."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            try:
                data = os.read(self.master, 65536) if select.select([self.master], [], [], 0.05)[0] else None
            except OSError:
                break
            if data == b"" or (data is None and self.process.poll() is not None):
                break
            self.screen += (data or b"").decode(errors="replace")
        return self.process.wait(DEADLINE)

    def interrupt(self):
        os.write(self.master, b"\x03")

    def close(self):
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(DEADLINE)
        os.close(self.master)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
