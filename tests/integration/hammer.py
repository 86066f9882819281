#!/usr/bin/python3
"""A client of many servers at once: one connection each, kept for good, a request as soon as the last one is answered.

hammer.py FIRST_PORT COUNT; ends when its standard input does and prints {"answered": [of each server], "failures": [...]}.
"""

import json
import select
import socket
import sys
import time

PAUSE = 0.005  # between an answer and the next request
TIMEOUT = 10
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Connection:
    def __init__(self, port):
        self.port = port
        self.answered = 0
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.send()

    def send(self):
        self.buffer = b""
        self.next_at = None
        self.sent_at = time.monotonic()
        self.socket.sendall(REQUEST)

    def receive(self):
        """What went wrong, or None."""
        data = self.socket.recv(65536)
        if not data:
            return "closed"
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return None
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        if len(body) < length:
            return None
        if not head.startswith(b"HTTP/1.1 200 "):
            return head.splitlines()[0].decode()
        self.answered += 1
        self.next_at = time.monotonic() + PAUSE
        return None


def main(first, count):
    connections = [Connection(first + i) for i in range(count)]
    by_fd = {one.socket.fileno(): one for one in connections}
    failures = []
    poller = select.epoll()
    for fd in by_fd:
        poller.register(fd, select.EPOLLIN)
    poller.register(sys.stdin, select.EPOLLIN)

    def failed(fd, why):
        failures.append(f"{by_fd[fd].port}: {why}")
        poller.unregister(fd)
        del by_fd[fd]

    print("running", flush=True)
    while True:
        for fd, _ in poller.poll(PAUSE):
            if fd == sys.stdin.fileno():
                print(json.dumps({"answered": [one.answered for one in connections], "failures": failures}))
                return
            try:
                why = by_fd[fd].receive()
            except OSError as error:
                why = str(error)
            if why:
                failed(fd, why)
        now = time.monotonic()
        for fd, one in list(by_fd.items()):
            if one.next_at is None and now - one.sent_at > TIMEOUT:
                failed(fd, "no answer")
            elif one.next_at is not None and one.next_at <= now:
                one.send()


main(int(sys.argv[1]), int(sys.argv[2]))
