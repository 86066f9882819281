"""A machine that has run full, and one whose clock is set: farmd goes on, says once what is missing and how to mend it,
and recovers by itself. The want is made by the kernel where it can be, else at the system-call seam (faultlib.py)."""

import contextlib
import socket
import time

import pytest

import farmd_process
import farmlib
from farmd_process import farms  # noqa: F401
from farmlib import process_kb, wait_for

not_sanitized = pytest.mark.skipif(farmlib.SANITIZED, reason="sanitizers have their own allocator")


# --- memory ---


@not_sanitized
def test_large_answers_that_nobody_reads(farms):  # noqa: F811
    """Thirty peers ask for 16 MB each and never read: what farmd keeps for them together is bounded."""
    farm = farms(servers=4, config="servers: {cpu: 2}\n").start()
    before = process_kb(farm.process.pid, "VmRSS")
    path = "/api/broadcast?endpoint=/data/4096&timeout=120"
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(socket.socket()) for _ in range(30)]
        for peer in peers:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(("127.0.0.1", farm.port))
            peer.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
            peer.setblocking(False)
        most, statuses = 0, {}

        def all_answered():
            nonlocal most
            most = max(most, process_kb(farm.process.pid, "VmRSS"))
            assert farm.request("GET", "/api/servers").status == 200, "small answers go on"
            for peer in peers:
                if peer not in statuses:
                    with contextlib.suppress(BlockingIOError):
                        statuses[peer] = peer.recv(12).decode().split()[1]
            return len(statuses) == len(peers)

        wait_for(all_answered, deadline=120, what="every peer answered")
        assert most - before < 160 * 1024, f"{most - before} KB"
        answers = list(statuses.values())
        assert set(answers) == {"200", "503"} and answers.count("200") >= 4, answers
        # honest ones are served or told to come back
        answer = farm.request("POST", path)
        assert answer.status in (200, 503)
        assert answer.status == 200 or int(answer.headers["Retry-After"]) >= 1
    wait_for(lambda: farm.request("POST", path).status == 200, what="room again")
    answer = farm.post(path)
    assert answer["successful_responses"] == 4 and all(len(one["data"]) == 4 << 20 for one in answer["results"])
    wait_for(lambda: process_kb(farm.process.pid, "VmRSS") - before < 24 * 1024, what="memory given back")
    assert farm.stop() == 0
    assert farm.leftovers() == []
