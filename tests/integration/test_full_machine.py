"""A machine that has run full, and one whose clock is set: farmd goes on, says once what is missing and how to mend it,
and recovers by itself. The want is made by the kernel where it can be, else at the system-call seam (faultlib.py)."""

import concurrent.futures
import contextlib
import datetime
import errno
import json
import os
import pathlib
import resource
import signal
import socket
import time
import traceback

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
  probes: {liveness: {interval: 100ms, timeout: 20s, start_period: 0s, retries: 2}}
"""

not_sanitized = pytest.mark.skipif(farmlib.SANITIZED, reason="sanitizers have their own allocator")
needs_cgroups = pytest.mark.skipif(os.geteuid() != 0, reason="makes cgroups")


def with_faults(farms, config=QUICK):  # noqa: F811
    """A running farm of three servers and the faults to come."""
    farm, faults = prepared(farms, config)
    return settled(farm.start()), faults


def prepared(farms, config):  # noqa: F811
    farm = farms(servers=3, config=config)
    return farm, faultlib.Faults(farm)


def at_once(farms, case, names, config=QUICK):  # noqa: F811
    """A case for each name, each with a farm of its own, all at the same time: they wait most of theirs."""
    made = {name: prepared(farms, config) for name in names}
    failed = []
    with concurrent.futures.ThreadPoolExecutor(len(made)) as pool:
        running = {
            pool.submit(lambda farm=farm, faults=faults, name=name: case(settled(farm.start()), faults, name)): name
            for name, (farm, faults) in made.items()
        }
        for future in concurrent.futures.as_completed(running):
            if future.exception():
                failed.append(f"{running[future]}:\n" + "".join(traceback.format_exception(future.exception())))
    assert not failed, "\n\n".join(failed)


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
    """The lowest number that is not in use all the time: probes come and go."""
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    for _ in range(100):
        used &= {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        time.sleep(0.005)
    return next(number for number in range(len(used) + 1) if number not in used)


def assert_quiet(farm, seconds=1.0):
    """Whatever is missing is tried again from time to time, not all the time."""
    began, used = time.monotonic(), cpu_seconds(farm.process.pid)
    wait_for(lambda: time.monotonic() - began >= seconds, what="the time to go by")
    share = (cpu_seconds(farm.process.pid) - used) / (time.monotonic() - began)
    assert share < 0.5, f"{share:.2f} of a processor for nothing"


def words_of(words):
    return words if isinstance(words, tuple) else (words,)


def assert_told_once(farm, reason, words, since=0):
    """One event and one line of the log for all that failed."""
    events = farm.events(since, reason)
    assert len(events) == 1, events
    assert events[0]["warning"] and events[0]["server_id"] is None
    for word in words_of(words):
        assert word in events[0]["message"], events[0]
    line = events[0]["message"]
    assert farm.errors().count(line) == 1, farm.errors()


def wait_recovered(farm, words, since=0):
    wait_for(lambda: any(words in event["message"] for event in farm.events(since, "Recovered")),
             what=f"the event: {words}")


def stop_clean(farm):
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []


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


def test_no_descriptor_to_be_had(farms):  # noqa: F811
    at_once(farms, no_descriptor_to_be_had, [errno.EMFILE, errno.ENFILE])


def no_descriptor_to_be_had(farm, faults, code):
    before, opened = farm.servers(), open_files(farm.process.pid)
    with faults.no_descriptors(code) as hits:
        waiting = farmlib.connect(farm.port)
        waiting.sendall(b"GET /api/servers HTTP/1.1\r\nHost: localhost\r\n\r\n")
        os.kill(before[2]["pid"], signal.SIGKILL)
        wait_for(lambda: "servers cannot start" in farm.errors() and "not probed" in farm.errors(), what="both told")
        tried = hits()
        assert_quiet(farm)
        assert hits() - tried < 2000, "on a busy machine too little CPU is left for the tries to be seen by that"
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


# --- starting ---

# name: what fails for a start, with which errno, on which files, and what is told
STARTS = {
    "no process": ("clone3", errno.EAGAIN, "", ("Resource temporarily unavailable", "ulimit -u", "pids.max")),
    "no memory for a process": ("clone3", errno.ENOMEM, "", "Cannot allocate memory"),
    "no room for cgroups": ("mkdir", errno.ENOSPC, "*/server-2", "No space left on device"),
    "no memory for cgroups": ("mkdir", errno.ENOMEM, "*/server-2", "Cannot allocate memory"),
    "no memory for a limit": ("write", errno.ENOMEM, "*/server-2/*", "Cannot allocate memory"),
    "no room for counters": ("write", errno.ENOSPC, "*/counters/server-2", "No space left on device"),
    "no memory to map counters": ("mmap", errno.ENOMEM, "*/counters/server-2", "Cannot allocate memory"),
    "no descriptor for the log": ("open", errno.EMFILE, "*/server-2.log", ("Too many open files", "ulimit -n")),
    "no room for a new log": ("open", errno.ENOSPC, "*/server-2.log", "No space left on device"),
    "no readiness pipe": ("pipe2", errno.ENFILE, "", ("Too many open files in system", "fs.file-max")),
    "no watch": ("epoll_ctl", errno.ENOMEM, "*pidfd*", "Cannot allocate memory"),
    "no watch of the pipe": ("epoll_ctl", errno.ENOSPC, "*pipe:*", "No space left on device"),
}


def test_a_start_fails_for_want_of_something(farms):  # noqa: F811
    """The server waits longer and longer between its tries, the others go on, one event tells all of it."""
    in_cgroups = [name for name in STARTS if STARTS[name][2].startswith("*/server-2/") or STARTS[name][0] == "mkdir"]
    at_once(farms, start_fails, [name for name in STARTS if os.geteuid() == 0 or name not in in_cgroups])


def start_fails(farm, faults, name):
    calls, code, path, words = STARTS[name]
    before, opened = farm.servers(), open_files(farm.process.pid)
    with faults.fail(calls, code, path) as hits:
        os.kill(before[2]["pid"], signal.SIGKILL)
        wait_for(lambda: hits() >= 3, what="some tries")
        assert words_of(words)[0] in farm.wait_status(2, "backoff")["error"]
        assert_quiet(farm)
        assert hits() < 30, "the delays grow"
        assert all(farm.worker(i).status == 200 for i in (1, 3)), "the others go on"
        assert farm.server(1)["restarts"] == farm.server(3)["restarts"] == 0
        # what is asked for by hand is told the same
        answer = farm.request("POST", "/api/servers/2/action", {"action": "start"})
        assert answer.status == 503 and int(answer.headers["Retry-After"]) >= 1
        assert words_of(words)[0] in answer.json()["detail"]
    farm.wait_restarted(2, before[2])
    assert farm.worker(2).status == 200
    wait_recovered(farm, "servers start again")
    assert_told_once(farm, "StartsFailed", words)
    settled(farm)
    wait_for(lambda: open_files(farm.process.pid) <= opened + 4, what="nothing left open")
    assert len(farm.processes()) == 4
    stop_clean(farm)


def test_the_kernel_refuses_a_pidfd(farms):  # noqa: F811
    """Without clone3 the pidfd is asked for behind the fork; a child that cannot be watched does not run."""
    farm, faults = with_faults(farms)
    before = farm.server(2)
    with faults.fail("clone3", errno.ENOSYS), faults.fail("pidfd_open", errno.EMFILE) as hits:
        os.kill(before["pid"], signal.SIGKILL)
        wait_for(lambda: hits() >= 2, what="some tries")
        assert "cannot watch process" in farm.wait_status(2, "backoff")["error"]
        assert len(farm.processes()) == 3, "no process that nobody watches"
        children = pathlib.Path(f"/proc/{farm.process.pid}/task/{farm.process.pid}/children").read_text().split()
        assert len(children) == 2, "and none that nobody has waited for"
    farm.wait_restarted(2, before)
    assert_told_once(farm, "StartsFailed", "cannot watch process")
    wait_recovered(farm, "servers start again")
    stop_clean(farm)


def test_no_thread_at_the_start(farms):  # noqa: F811
    farm = farms(servers=2)
    faults = faultlib.Faults(farm)
    with faults.fail("pthread_create", errno.EAGAIN):
        farm.start(wait=False)
        assert farm.process.wait(farmlib.DEADLINE) == 1
    assert "thread" in farm.errors() and "ulimit -u" in farm.errors()
    assert farm.leftovers() == []


# --- limits and statistics ---


@needs_cgroups
def test_a_limit_is_refused(farms):  # noqa: F811
    """For good, as by a kernel that does not know it: the server runs, and nobody claims what is not in force."""
    farm, faults = with_faults(farms)
    before = farm.server(2)
    assert before["limits"]["memory_mb"] == 256
    with faults.fail("write", errno.EINVAL, "*/server-2/memory.*") as hits:
        os.kill(before["pid"], signal.SIGKILL)
        after = farm.wait_restarted(2, before)
        assert hits() >= 1
        assert after["limits"]["memory_mb"] is None and after["limits"]["cpu"] == 0.5
        assert after["limits_configured"]["memory_mb"] == 256
    farm.act(2, "restart")
    assert farm.server(2)["limits"]["memory_mb"] == 256
    wait_recovered(farm, "limits are in force again")
    assert_told_once(farm, "LimitsRefused", ("server-2", "memory.", "Invalid argument"))
    stop_clean(farm)


@needs_cgroups
def test_limits_cannot_be_read_for_a_while(farms):  # noqa: F811
    farm, faults = with_faults(farms)
    before = farm.server(2)
    with faults.fail("read", errno.EIO, "*/server-2/pids.max"):
        farm.patch("/api/servers/2", {"cpu": 0.25})
        assert farm.server(2)["limits"]["cpu"] is None, "not known, so not claimed"
    assert farm.server(2)["limits"]["cpu"] == 0.25
    assert farm.server(2)["pid"] == before["pid"]
    stop_clean(farm)


@needs_cgroups
def test_statistics_cannot_be_opened_for_a_while(farms):  # noqa: F811
    farm, faults = with_faults(farms)
    before = farm.server(2)
    with faults.fail("open", errno.EMFILE, "*/server-2/*.current"), \
         faults.fail("open", errno.EMFILE, "*/server-2/cpu.stat"), \
         faults.fail("open", errno.EMFILE, "*/server-2/cpuacct.usage"):
        os.kill(before["pid"], signal.SIGKILL)
        farm.wait_restarted(2, before)
        wait_for(lambda: farm.events(0, "StatisticsMissing"), what="the event")
        assert farm.worker(2).status == 200
        assert farm.server(1)["pids"], "the others have theirs"
    wait_for(lambda: farm.server(2)["pids"], what="figures again")
    wait_recovered(farm, "all servers have statistics again")
    assert_told_once(farm, "StatisticsMissing", ("server-2", "Too many open files", "ulimit -n"))
    assert farm.server(2)["cpu_percent"] < 200
    stop_clean(farm)


# --- ending ---


@needs_cgroups
def test_a_cgroup_cannot_be_removed_for_long(farms):  # noqa: F811
    """Nobody waits for it: the server starts again in it, or is stopped, and it is removed when the kernel lets go."""
    farm, faults = with_faults(farms)
    before = farm.servers()
    leaves = [directory / "server-3" for directory in farm.slices]
    with faults.fail("rmdir", errno.EBUSY, "*/server-[23]*") as hits:
        os.kill(before[2]["pid"], signal.SIGKILL)
        since = time.monotonic()
        assert farm.wait_restarted(2, before[2])["limits"]["memory_mb"] == 256
        farm.act(3, "stop")
        wait_for(lambda: farm.events(0, "CgroupsLeft"), what="the event")
        tried = hits()
        assert_quiet(farm)
        assert hits() > tried, "it goes on trying"
        assert any(leaf.exists() for leaf in leaves)
        assert farm.server(2)["status"] == "running" and farm.server(3)["status"] == "stopped"
        assert time.monotonic() - since < farmlib.DEADLINE
    wait_for(lambda: not any(leaf.exists() for leaf in leaves), what="the cgroups gone")
    wait_recovered(farm, "removed")
    assert_told_once(farm, "CgroupsLeft", ("Device or resource busy", "server-"))
    farm.act(3, "start")
    assert farm.worker(3).status == 200
    stop_clean(farm)


@needs_cgroups
def test_a_cgroup_cannot_be_removed_for_a_moment(farms):  # noqa: F811
    farm, faults = with_faults(farms)
    before = farm.server(2)
    with faults.fail("rmdir", errno.EBUSY, "*/server-2*", times=5) as hits:
        os.kill(before["pid"], signal.SIGKILL)
        farm.wait_restarted(2, before)
        assert hits() == 5
    assert not farm.events(0, "CgroupsLeft"), "it is usual, and nothing to tell"
    stop_clean(farm)


@needs_cgroups
def test_what_a_server_left_is_ended_although_it_cannot_be_seen_for_a_while(farms):  # noqa: F811
    """A grandchild outlives its server; farmd has no descriptor to look into the cgroup with."""
    script = ("import os, signal, time, http.server\n"
              "if os.fork() == 0:\n"
              "    os.setsid()\n"
              "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
              "    while True: time.sleep(1)\n"
              "http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), "
              "http.server.SimpleHTTPRequestHandler).serve_forever()\n")
    config = ("servers: {probes: {startup: {interval: 100ms}, liveness: {path: /}}}\n"
              "groups: [{name: own, count: 1, command: [python3, $DIR/parent.py]}]\n")
    farm = farms(servers=1, config=config)
    (farm.directory / "parent.py").write_text(script)
    faults = faultlib.Faults(farm)
    farm.start()
    wait_for(lambda: len(farm.processes()) == 3, what="farmd, the server and its child")
    with faults.fail("open", errno.EMFILE, "*/server-1/cgroup.*") as hits:
        farm.act(1, "stop")
        wait_for(lambda: farm.events(0, "CgroupsLeft"), what="the event")
        assert hits() > 0 and len(farm.processes()) == 2
    wait_for(lambda: len(farm.processes()) == 1, what="the end of the grandchild")
    wait_recovered(farm, "removed")
    stop_clean(farm)


# --- disks ---

STATE_FAULTS = {
    "no room": ("write", errno.ENOSPC), "quota": ("write", errno.EDQUOT), "bad disk": ("fsync", errno.EIO),
    "read-only": ("open", errno.EROFS), "no new name": ("rename", errno.ENOSPC), "no descriptor": ("open", errno.EMFILE),
}


def state_has(farm, server_id):
    """Whether the state file knows the process of a server."""
    text = (farm.state_dir / "state").read_text()
    assert text.endswith("\nend\n"), "whole at any time"
    return f" pid={farm.server(server_id)['pid']} " in text


def test_the_state_cannot_be_saved_for_a_while(farms):  # noqa: F811
    at_once(farms, state_cannot_be_saved, STATE_FAULTS)


def state_cannot_be_saved(farm, faults, name):
    call, code = STATE_FAULTS[name]
    wait_for(lambda: state_has(farm, 2), what="the state saved")
    with faults.fail(call, code, "*/state/state.new") as hits:
        farm.act(2, "restart")
        wait_for(lambda: hits() >= 2, what="two tries")
        assert_quiet(farm)
        assert hits() < 30
        assert not state_has(farm, 2)
        assert not (farm.state_dir / "state.new").exists() or call == "open"
        assert all(farm.worker(i).status == 200 for i in (1, 2, 3))
    wait_for(lambda: state_has(farm, 2), what="the state saved, though nothing has changed since")
    wait_recovered(farm, "the state is saved again")
    assert_told_once(farm, "StateNotSaved", (os.strerror(code), "state"))
    stop_clean(farm)


def test_files_at_their_limit(farms):  # noqa: F811
    """By the kernel, which by default ends a program that writes beyond (ulimit -f)."""
    farm = settled(farms(servers=3, config=QUICK).start())
    pid, before = farm.process.pid, farm.pids()
    size = (farm.directory / "err").stat().st_size
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    farm.act(2, "restart", status=503)  # its counters do not fit
    wait_for(lambda: farm.events(0, "StateNotSaved"), what="the event")
    assert "File too large" in farm.events(0, "StateNotSaved")[0]["message"]
    assert farm.pids()[1] == before[1] and farm.pids()[3] == before[3]
    assert (farm.directory / "err").stat().st_size == size
    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    farm.wait_status(2, "running")
    wait_for(lambda: state_has(farm, 2), what="the state saved")
    wait_recovered(farm, "the state is saved again")
    assert "dropped: File too large" in farm.errors(), "what the log has lost"
    stop_clean(farm)


def test_no_room_for_logs(farms):  # noqa: F811
    """The servers write by themselves; farmd sees that there is no room, and says so once."""
    farm, faults = with_faults(farms)
    before = farm.pids()
    with faults.fail("statvfs", errno.ENOSPC, "*/state/logs") as hits:
        wait_for(lambda: hits() >= 3, what="some looks")
        assert farm.worker(1).status == 200
    wait_recovered(farm, "logs are kept again")
    assert_told_once(farm, "LogsNotKept", ("is full", "make room"))
    assert farm.pids() == before
    stop_clean(farm)


def test_logs_cannot_be_shortened_for_a_while(farms):  # noqa: F811
    farm, faults = with_faults(farms)
    log = farm.state_dir / "logs" / "server-1.log"
    with faults.fail("fallocate", errno.EIO, "*/server-1.log") as hits:
        with open(log, "ab") as file:
            file.write(b"x" * 99 + b"\n" + b"y" * (6 << 20) + b"\n")
        wait_for(lambda: hits() >= 2, what="two tries")
    wait_for(lambda: os.stat(log).st_blocks * 512 <= 3 << 20, what="the log shortened")
    wait_recovered(farm, "logs are kept again")
    assert_told_once(farm, "LogsNotKept", ("Input/output error", "server-1.log"))
    stop_clean(farm)


def test_farmds_own_log_finds_no_room(farms):  # noqa: F811
    farm, faults = with_faults(farms)
    before = farm.server(2)
    with faults.fail("write", errno.ENOSPC, "*/err") as hits:
        os.kill(before["pid"], signal.SIGKILL)
        farm.wait_restarted(2, before)
        wait_for(lambda: hits() >= 2, what="lines that are lost")
        lost = hits()
    before = farm.server(3)
    os.kill(before["pid"], signal.SIGKILL)
    farm.wait_restarted(3, before)
    wait_for(lambda: f"{lost} lines were dropped: No space left on device" in farm.errors(), what="how many")
    assert "server-3 restarted" in farm.errors() and "server-2 restarted" not in farm.errors()
    stop_clean(farm)


def test_a_workers_log_finds_no_room(start, tmp_path):
    """By the kernel: its requests go on, and the first line behind the gap says how many are missing."""
    worker = start("--access-log")
    log = tmp_path / f"worker-{worker.port}.log"
    for _ in range(3):
        assert worker.get("/").status == 200
    wait_for(lambda: log.read_text().count('"path"') == 3, what="the lines before the gap")
    size = len(log.read_text())
    limits = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (size + 20, resource.RLIM_INFINITY))
    for _ in range(5):
        assert worker.get("/").status == 200
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, limits)
    for _ in range(2):
        assert worker.get("/").status == 200

    def all_accounted_for():
        lines = [line for line in log.read_text().splitlines() if line.startswith("{")]
        whole = [json.loads(line) for line in lines if line.endswith("}")]
        dropped = [line["dropped_lines"] for line in whole if "dropped_lines" in line]
        # the last of the five may have been written when there was room again
        if sum(dropped) + sum("path" in line for line in whole) != 10 or dropped not in ([4], [5]):
            return False
        return len(lines) - len(whole) == 1  # the one that was cut, on a line of its own

    wait_for(all_accounted_for, what="each line there or counted")
    assert worker.stop() == 0


# --- the clock ---


def clock_of(farm):
    return timestamp(farm.get("/api/servers")["timestamp"])


def timestamp(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def test_the_clock_is_set(farms):  # noqa: F811
    """What is told as true now is right by the new clock, what waits goes by another one."""
    at_once(farms, clock_is_set, [1, -1], QUICK.replace("docker", "kubernetes"))


def clock_is_set(farm, faults, hours):
    wait_for(lambda: len(farm.get("/api/servers/1/history")["points"]["at"]) >= 3, what="a history")
    first = farm.server(2)
    os.kill(first["pid"], signal.SIGKILL)
    os.kill(farm.wait_restarted(2, first)["pid"], signal.SIGKILL)  # the second time it waits 10 s
    waiting, before = farm.wait_status(2, "backoff"), farm.servers()
    delay = timestamp(waiting["next_restart_at"]) - clock_of(farm)
    newest = farm.get("/api/servers/1/history")["points"]["at"][-1]
    with faults.clock_step(hours * 3600):
        wait_for(lambda: farm.events(0, "ClockStepped"), what="the event")
        now = clock_of(farm)
        assert abs(now - time.time() - hours * 3600) < 60
        entry = farm.server(2)
        assert entry["status"] == "backoff" and abs(timestamp(entry["next_restart_at"]) - now - delay) < 60
        for i in (1, 3):
            entry = farm.server(i)
            assert entry["pid"] == before[i]["pid"] and 0 <= entry["uptime_seconds"] < 300
            assert abs(timestamp(entry["started_at"]) + entry["uptime_seconds"] - now) < 60

        def grown():
            points = farm.get("/api/servers/1/history")["points"]["at"]
            assert points == sorted(set(points)), "in order, each second once"
            return points if len(points) >= 6 and abs(points[-1] - clock_of(farm)) < 30 else None

        assert wait_for(grown, what="the history going on")[0] > now - 300
        assert farm.get(f"/api/servers/1/history?since={newest}")["points"]["at"], "who read before reads on"
        assert farm.wait_status(2, "running")["restarts"] == 2
    wait_for(lambda: len(farm.events(0, "ClockStepped")) == 2, what="the step back")
    words = ("forward", "back") if hours > 0 else ("back", "forward")
    for event, word in zip(farm.events(0, "ClockStepped"), words):
        assert f"set {word} by 1h" in event["message"] and farm.errors().count(event["message"]) == 1
    assert not any(farm.events(0, reason, i) for reason in ("LivenessFailed", "Unhealthy") for i in (1, 3))
    assert farm.pids()[1] == before[1]["pid"] and farm.pids()[3] == before[3]["pid"]
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
    wait_for(lambda: process_kb(farm.process.pid, "VmRSS") - before < 64 * 1024, what="memory given back")
    assert farm.stop() == 0
    assert farm.leftovers() == []


@not_sanitized
def test_memory_that_a_request_decides_on(farms):  # noqa: F811
    """A request for which there is no memory is 503; what needs little goes on."""
    farm, faults = with_faults(farms)
    before = farm.pids()
    with open(farm.state_dir / "logs" / "server-1.log", "ab") as log:
        log.write(b"a line\n" * 10000)
    farm.get("/api/servers")  # the buffers that are kept
    with faults.no_memory(32 << 10) as hits:
        assert farm.get("/api/servers/1")["status"] == "running"
        refused = [
            farm.request("POST", "/api/broadcast", b'{"body": "' + b"x" * 100000 + b'"}'),
            farm.request("GET", "/api/servers/1/logs?tail=10000"),
        ]
        for answer in refused:
            assert answer.status == 503 and int(answer.headers["Retry-After"]) >= 1, answer.body
            assert "memory" in answer.json()["detail"]
        answer = farm.request("POST", "/api/broadcast?endpoint=/data/1000")
        assert answer.status == 503 or answer.json()["failed_responses"] == 3
        # more peers at once than there are buffers kept for
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(farmlib.connect(farm.port)) for _ in range(20)]
            for peer in peers:
                peer.sendall(b"GET /api/servers HTTP/1.1\r\nHost: localhost\r\n")  # the end is still to come
            answers = []
            for peer in peers:
                with contextlib.suppress(OSError):
                    peer.sendall(b"\r\n")
                answers.append(peer.recv(65536)[:12])
        assert set(answers) == {b"HTTP/1.1 200", b"HTTP/1.1 503"}, answers
        assert hits() > 10
    assert farm.request("POST", "/api/broadcast", {"body": "x" * 100000}).status == 200
    assert farm.post("/api/broadcast?endpoint=/data/1000")["successful_responses"] == 3
    assert farm.get("/api/servers/1/logs?tail=10000")["lines"]
    assert farm.pids() == before
    stop_clean(farm)
