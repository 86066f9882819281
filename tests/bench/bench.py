#!/usr/bin/python3
"""farmd against its references, all in one run on one machine: a table on the terminal and build/bench.json.

Absolute times of a busy machine say little, so what can be compared is: farmd and its reference take turns, and the
median of the rounds' ratios counts. Names of rows on the command line run only these; --strict makes a missed target
exit code 1 (a figure that cannot be measured always is).
"""

import os
import signal
import subprocess
import sys
import threading
import time

from machine import (
    BUILD, Farm, NotMeasured, answer_of, answers, children, cpu_seconds, deadline, median, nginx_server, percentile,
    pss_bytes, raw_epoll_server, worker_server,
)
from table import Row, run

SERVERS = 50
ROUNDS = 7
LOAD_ROUNDS = 5
LOAD_SECONDS = 3
MB = 1024 * 1024


def start_up():
    floors, farms = [], []
    floor = [str(BUILD / "tests" / "bench" / "spawn_floor"), str(SERVERS), str(BUILD / "farm-worker"), "--ready-only"]
    for _ in range(ROUNDS):
        floors.append(float(subprocess.run(floor, capture_output=True, text=True, check=True, timeout=60).stdout))
        with Farm(SERVERS) as farm:
            farms.append(farm.ready_ms)
    ratio = median([mine / theirs for mine, theirs in zip(farms, floors)])
    return ratio, f"{median(farms):.0f} ms, floor {median(floors):.0f} ms"


def takeover():
    """Of farms that are killed and started again: the times until ./farmd had started 50, and until it had adopted 50."""
    starts, adoptions = [], []
    for _ in range(ROUNDS):
        with Farm(SERVERS) as farm:
            starts.append(farm.ready_ms)
            before = sorted(children(farm.pid))
            farm.kill()
            began = time.monotonic()
            farm.start()
            with farm.http() as api:
                servers = api.json("GET", "/api/servers")["servers"]
            adoptions.append((time.monotonic() - began) * 1000)
            if sorted(entry["pid"] for entry in servers if entry["status"] == "running") != before:
                raise NotMeasured("not every server was adopted")
    return starts, adoptions


def adoption():
    _, adoptions = takeover()
    return median(adoptions), f"worst of {len(adoptions)}: {max(adoptions):.0f} ms"


def adoption_against_start():
    starts, adoptions = takeover()
    ratio = median([mine / theirs for mine, theirs in zip(adoptions, starts)])
    return ratio, f"{median(adoptions):.0f} ms, starting {median(starts):.0f} ms"


def memory():
    with Farm(SERVERS) as farm:
        # Idle: every server probed and sampled at least once, and start-up's pages settled.
        idle_since = time.monotonic()
        deadline(30, "idle", lambda: time.monotonic() - idle_since > 5, 0.1)
        workers = [pss_bytes(pid) for pid in children(farm.pid)]
        own = pss_bytes(farm.pid)
    if len(workers) < SERVERS:
        raise NotMeasured(f"only {len(workers)} of {SERVERS} workers found")
    each = sum(workers) / len(workers) / 1024
    return (own + sum(workers)) / MB, f"farmd {own / MB:.1f} MB, {each:.0f} KB per worker"


def cpu_per_request(reference):
    with worker_server() as worker:
        with reference(*answer_of(worker.port)) as other:
            ratios, mine, theirs = [], [], []
            for _ in range(LOAD_ROUNDS):
                mine.append(worker.load(LOAD_SECONDS)[0])
                theirs.append(other.load(LOAD_SECONDS)[0])
                ratios.append(mine[-1] / theirs[-1])
            return median(ratios), f"{median(mine):.2f} µs, {other.name} {median(theirs):.2f} µs"


def health():
    with Farm(SERVERS) as farm, farm.http() as api:
        times = []
        for _ in range(50):
            began = time.monotonic()
            result = api.json("GET", "/api/health")
            times.append((time.monotonic() - began) * 1000)
            if result["healthy"] + result["degraded"] != SERVERS:
                raise NotMeasured(f"{result['unhealthy']} of {SERVERS} servers are unhealthy")
        return median(times), f"p99 {percentile(times, 0.99):.1f} ms of 50"


def list_under_load():
    with Farm(SERVERS) as farm, farm.http() as api:
        report = {}

        def load():
            with farm.http() as client:
                report.update(client.json("POST", "/api/load-test", {"duration": 10, "requests": 10**7}))

        thread = threading.Thread(target=load)
        thread.start()
        times = []
        end = time.monotonic() + 9
        while time.monotonic() < end:
            began = time.monotonic()
            api.json("GET", "/api/servers")
            times.append((time.monotonic() - began) * 1000)
            time.sleep(0.005)  # a pace, not a wait: the load goes on meanwhile
        thread.join()
        if not report.get("total_successful"):
            raise NotMeasured("the load test answered nothing")
        rate = report["total_successful"] / 10
        return percentile(times, 0.99), f"p50 {median(times):.1f} ms of {len(times)}, {rate:,.0f} requests/s beside"


def recovery():
    with Farm(SERVERS) as farm, farm.http() as api:
        pids = {entry["id"]: entry["pid"] for entry in api.json("GET", "/api/servers")["servers"]}
        times = []
        for server in range(1, 12):
            port = farm.base + server - 1
            began = time.monotonic()
            os.kill(pids[server], signal.SIGKILL)
            # The old process may answer from its grave until the signal is delivered: its end is awaited first.
            deadline(5, "the end of a killed server", lambda: not alive(pids[server]), 0.0002)
            deadline(10, f"server-{server} serves again", lambda: answers(port), 0.001)
            times.append((time.monotonic() - began) * 1000)
        return median(times), f"worst of {len(times)}: {max(times):.0f} ms"


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def thousand():
    with Farm(1000) as farm, farm.http() as api:
        def settled():
            servers = api.json("GET", "/api/servers")["servers"]
            sampled = sum("cpu_percent" in entry for entry in servers)
            probed = sum(entry["health"] in ("healthy", "degraded") for entry in servers)
            return sampled == probed == len(servers) == 1000

        deadline(60, "1,000 servers sampled and probed", settled, 0.5)
        began, before = time.monotonic(), cpu_seconds(farm.pid)
        deadline(60, "20 s", lambda: time.monotonic() - began > 20, 0.1)
        share = (cpu_seconds(farm.pid) - before) / (time.monotonic() - began) * 100
        memory_mb = (pss_bytes(farm.pid) + sum(pss_bytes(pid) for pid in children(farm.pid))) / MB
        return share, f"ready in {farm.ready_ms / 1000:.2f} s, {memory_mb:.0f} MB in all"


ROWS = [
    Row("start", "./farmd to 50 ready, against vfork + exec of 50", start_up, "×", 3.0),
    Row("adopt", "kill -9 of farmd to the next with all 50 adopted", adoption, "ms", 200.0),
    Row("adopt-start", "the same, against starting 50", adoption_against_start, "×", 0.5),
    Row("memory", "PSS of 50 idle workers and farmd", memory, "MB", 20.0),
    Row("nginx", "CPU per request, against nginx return 200", lambda: cpu_per_request(nginx_server), "×", 1.0),
    Row("epoll", "CPU per request, against raw epoll", lambda: cpu_per_request(raw_epoll_server), "×", 1.3),
    Row("health", "live /api/health over 50 servers", health, "ms", 20.0),
    Row("list", "GET /api/servers under a load test, p99", list_under_load, "ms", 10.0),
    Row("kill", "kill -9 of a worker to serving again", recovery, "ms", 100.0),
    Row("thousand", "idle CPU of farmd with 1,000 servers", thousand, "%", 5.0),
]

if __name__ == "__main__":
    sys.exit(run(ROWS, __doc__, "bench.json"))
