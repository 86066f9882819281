"""A reader of server-sent events, for tests of the streams of the API."""

import contextlib
import http.client
import json
import time

from farmlib import DEADLINE


class Stream:
    """One open stream. next() waits for an event and returns (id, name, data); data is parsed JSON."""

    def __init__(self, port, path, method="GET", body=None, headers=None, status=200):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        body = json.dumps(body) if body is not None else None
        self.connection.request(method, path, body, {"Accept": "text/event-stream", **(headers or {})})
        self.answer = self.connection.getresponse()
        assert status is None or self.answer.status == status, self.answer.read()
        assert status != 200 or self.answer.headers["Content-Type"] == "text/event-stream"
        self.last_id = None
        self.comments = 0

    def next(self):
        """None at the end of the stream."""
        fields, data = {}, []
        end = time.monotonic() + DEADLINE  # signs of life come all the time
        while line := self.answer.readline().decode():
            assert time.monotonic() < end, f"no event within {DEADLINE} s"
            line = line.rstrip("\n")
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                if name == "data":
                    data.append(value)
                fields[name] = value
            elif data:
                self.last_id = fields.get("id", self.last_id)
                return self.last_id, fields.get("event", "message"), json.loads("\n".join(data))
        return None

    def until(self, wanted):
        """All events up to the first for which wanted(name, data) is true."""
        events = []
        while event := self.next():
            events.append(event)
            if wanted(event[1], event[2]):
                return events
        raise AssertionError(f"the stream ended after {events}")

    def close(self):
        with contextlib.suppress(OSError):
            self.answer.close()
            self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
