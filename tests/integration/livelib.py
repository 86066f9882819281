"""A reader of GET /api/stream, as docs/stream.md describes one: it keeps the farm and applies what changes."""

import contextlib
import json
import socket
import time
import zlib

from farmlib import DEADLINE


class Live:
    """One viewer. next() reads a message, applies it and returns (name, data); None at the end of the stream."""

    def __init__(self, port, query="", last_id=None, gzip=True, headers=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(("127.0.0.1", port))
        headers = {"Host": f"localhost:{port}", **(headers or {})}
        if gzip:
            headers["Accept-Encoding"] = "br, gzip;q=0.5"
        if last_id:
            headers["Last-Event-ID"] = last_id
        lines = [f"GET /api/stream{query} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        self._raw = self.socket.makefile("rb")
        self.status = int(self._raw.readline().split()[1])
        self.headers = {}
        while line := self._raw.readline().strip().decode():
            name, _, value = line.partition(": ")
            self.headers[name] = value
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS + 16) if gzip else None
        assert self.headers.get("Content-Encoding") == ("gzip" if gzip else None)
        self._text = b""
        self.epoch = self.sequence = self.last_id = self.columns = None
        self.farm, self.strings = {}, []
        self.whole_gzip = False

    def _chunk(self):
        size = int(self._raw.readline() or b"0", 16)
        data = self._raw.read(size)
        self._raw.readline()
        if self._inflate and data:
            data = self._inflate.decompress(data)
            self.whole_gzip = self._inflate.eof  # zlib has checked length and sum
        return size, data

    def _event(self):
        end = time.monotonic() + DEADLINE
        while True:
            assert time.monotonic() < end, f"no message within {DEADLINE} s"
            event, found, rest = self._text.partition(b"\n\n")
            if not found:
                size, data = self._chunk()
                if size == 0:
                    return None
                self._text += data
                continue
            self._text = rest
            if event.startswith(b":"):
                continue
            return dict(line.split(": ", 1) for line in event.decode().split("\n"))

    def next(self):
        event = self._event()
        if event is None:
            return None
        name, data = event["event"], json.loads(event["data"])
        if name == "snapshot":
            self._begin(data)
        elif name == "delta":
            self._apply(data)
        if name != "end":
            self.last_id = event["id"]
            assert self.last_id == f"{self.epoch}-{self.sequence}"
        return name, data

    def _begin(self, data):
        self.epoch, self.sequence = data["epoch"], data["sequence"]
        self.farm, self.strings, self.columns = data["farm"], data["strings"], data["columns"]

    def _apply(self, data):
        assert data["since"] == self.sequence, "a gap"
        self.sequence = data["sequence"]
        self.farm.update(data["farm"])
        self.strings += data.get("strings", [])
        for name, changes in data["columns"].items():
            column = self.columns[name]
            if isinstance(changes, list):
                self.columns[name] = changes
            elif "d" in changes:
                self.columns[name] = [None if d is None else (old or 0) + d for old, d in zip(column, changes["d"], strict=True)]
            else:
                row = 0
                for step, value in zip(changes["i"], changes["v"], strict=True):
                    row += step
                    column[row] = value

    def until(self, condition, what="the condition"):
        """Reads on until condition(self) is true; returns the messages that were read."""
        messages = []
        end = time.monotonic() + DEADLINE
        while not condition(self):
            assert time.monotonic() < end, f"{what} did not come true: {messages[-3:]}"
            messages.append(self.next())
            assert messages[-1] is not None, f"the stream ended before {what}"
        return messages

    def texts(self, column):
        return [self.strings[place] for place in self.columns[column]]

    def of(self, server_id):
        """A server's row as the list of servers would tell it, as far as it is no matter of the moment."""
        row = self.columns["id"].index(server_id)
        words = {name: self.strings[self.columns[name][row]] for name in ("group", "labels", "status", "health", "reason")}
        numbers = {name: self.columns[name][row] for name in ("port", "ready", "restarts", "oom_kills")}
        return {**words, **numbers}

    def close(self):
        with contextlib.suppress(OSError):
            self._raw.close()
            self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def row_of(entry):
    """The same of an entry of GET /api/servers."""
    last = entry["last_exit"]
    return {
        "group": entry["group"],
        "labels": ",".join(f"{key}={value}" for key, value in entry["labels"].items()),
        "status": entry["status"],
        "health": entry["health"],
        "reason": last["reason"] if last else "",
        "port": entry["port"],
        "ready": int(entry["ready"]),
        "restarts": entry["restarts"],
        "oom_kills": entry["oom_kills"],
    }
