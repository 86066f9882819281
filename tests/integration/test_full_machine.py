"""A machine that has run full, and one whose clock is set: farmd goes on, says once what is missing and how to mend it,
and recovers by itself. The want is made by the kernel where it can be, else at the system-call seam (faultlib.py)."""

import contextlib
import errno
import os
import resource
import signal
import socket
import time

import pytest

import farmd_process
import farmlib
import faultlib
from farmd_process import farms  # noqa: F401
from farmlib import process_kb, wait_for

# Probed so often that a second without probes would be noticed, started anew so soon that a test can wait for it.
QUICK = """
servers:
  restart_profile: docker
  probes: {liveness: {interval: 100ms, timeout: 3s, start_period: 0s, retries: 2}}
"""

not_sanitized = pytest.mark.skipif(farmlib.SANITIZED, reason="sanitizers have their own allocator")
needs_cgroups = pytest.mark.skipif(os.geteuid() != 0, reason="makes cgroups")


def with_faults(farms, **kwargs):  # noqa: F811
    """A running farm of three servers and the faults to come."""
    farm = farms(servers=3, config=QUICK, **kwargs)
    faults = faultlib.Faults(farm)
    return settled(farm.start()), faults


def settled(farm):
    """Once every server has been measured and probed, and the descriptors for that are open."""
    wait_for(lambda: all(s["pids"] and s["health"] == "healthy" for s in farm.servers().values()), what="first figures")
    return farm


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def first_free_descriptor(pid):
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return next(number for number in range(len(used) + 1) if number not in used)


def assert_quiet(farm, seconds=1.0):
    """Whatever is missing is tried again from time to time, not all the time."""
    began, used = time.monotonic(), cpu_seconds(farm.process.pid)
    wait_for(lambda: time.monotonic() - began >= seconds, what="the time to go by")
    share = (cpu_seconds(farm.process.pid) - used) / (time.monotonic() - began)
    assert share < 0.5, f"{share:.2f} of a processor for nothing"


def assert_told_once(farm, reason, words, since=0):
    """One event and one line of the log for all that failed."""
    events = farm.events(since, reason)
    assert len(events) == 1, events
    assert events[0]["warning"] and events[0]["server_id"] is None
    for word in words if isinstance(words, tuple) else (words,):
        assert word in events[0]["message"], events[0]
    line = events[0]["message"]
    assert farm.errors().count(line) == 1, farm.errors()


def wait_recovered(farm, words, since=0):
    wait_for(lambda: any(words in event["message"] for event in farm.events(since, "Recovered")),
             what=f"the event: {words}")


def stop_clean(farm):
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []


def restarted_in_want(farm, server_id=2):
    """Ends a server, waits until a start has failed and returns its entry from before."""
    before = farm.server(server_id)
    os.kill(before["pid"], signal.SIGKILL)
    return before


# --- descriptors ---


def test_descriptors_used_up(farms):  # noqa: F811
    """By the kernel: the limit is lowered to what is open. One connection after another is told so."""
    farm = settled(farms(servers=3, config=QUICK).start())
    pid, before, opened = farm.process.pid, farm.servers(), open_files(farm.process.pid)
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with farmlib.connect(farm.port) as kept:
        kept.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (first_free_descriptor(pid), limits[1]))
        for _ in range(3):
            answer = farm.request("GET", "/api/servers")
            assert answer.status == 503 and int(answer.headers["Retry-After"]) >= 1
        assert_quiet(farm)
        os.kill(before[2]["pid"], signal.SIGKILL)
        assert all(farm.worker(i).status == 200 for i in (1, 3)), "the servers go on"
        # who is connected is served, and is told what is the matter
        kept.sendall(b"GET /api/servers/2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")

        def start_failed():
            kept.sendall(b"GET /api/events?limit=4096 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return b"StartsFailed" in kept.recv(1 << 20)

        wait_for(start_failed, what="a start that fails")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    farm.wait_restarted(2, before[2])
    for words in ("connections are accepted again", "servers are probed again", "servers start again"):
        wait_recovered(farm, words)
    assert_told_once(farm, "AcceptFailed", ("Too many open files", "ulimit -n"))
    assert_told_once(farm, "ProbesFailed", ("Too many open files", "ulimit -n"))
    assert_told_once(farm, "StartsFailed", ("too many open files", "ulimit -n"))
    assert not farm.events(0, "LivenessFailed"), "that farmd cannot ask is no fault of the servers"
    assert farm.pids()[1] == before[1]["pid"] and farm.pids()[3] == before[3]["pid"]
    wait_for(lambda: open_files(pid) <= opened + 4, what="nothing left open")
    stop_clean(farm)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
def test_no_descriptor_to_be_had(farms, code):  # noqa: F811
    farm, faults = with_faults(farms)
    before, opened = farm.servers(), open_files(farm.process.pid)
    with faults.no_descriptors(code) as hits:
        waiting = farmlib.connect(farm.port)
        waiting.sendall(b"GET /api/servers HTTP/1.1\r\nHost: localhost\r\n\r\n")
        os.kill(before[2]["pid"], signal.SIGKILL)
        wait_for(lambda: "servers cannot start" in farm.errors() and "not probed" in farm.errors(), what="both told")
        assert_quiet(farm)
        assert all(farm.worker(i).status == 200 for i in (1, 3)), "the servers go on"
        assert hits() > 10
    with waiting:
        assert waiting.recv(65536).startswith(b"HTTP/1.1 200"), "it waited"
    farm.wait_restarted(2, before[2])
    for words in ("connections are accepted again", "servers are probed again", "servers start again"):
        wait_recovered(farm, words)
    remedy = "ulimit -n" if code == errno.EMFILE else "fs.file-max"
    for reason in ("AcceptFailed", "ProbesFailed"):
        assert_told_once(farm, reason, (os.strerror(code), remedy))
    assert_told_once(farm, "StartsFailed", ())
    assert not farm.events(0, "LivenessFailed")
    assert farm.pids()[1] == before[1]["pid"] and farm.pids()[3] == before[3]["pid"]
    wait_for(lambda: open_files(farm.process.pid) <= opened + 4, what="nothing left open")
    stop_clean(farm)


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
