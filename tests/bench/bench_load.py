#!/usr/bin/python3
"""The load engine against its references, all in one run on one machine: a table and build/bench-load.json.

Server and client each have a core. The client of farmd is `farmd load`, whole process, start included; wrk is measured
the same way. They take turns, and the median of the rounds' ratios counts. Names of rows on the command line run only
these; --strict makes a missed target exit code 1 (a figure that cannot be measured always is). On a machine that others use,
FARMD_BENCH_SHIELD=1 runs both sides at real-time priority (as root): short rows only, for the others get nothing meanwhile.
"""

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import threading
import time

from bench import list_under_load
from machine import BUILD, Farm, NotMeasured, end, median, percentile, pinned, raw_epoll_server
from table import Row, run

FARMD = str(BUILD / "farmd")
ROUNDS = 7
SECONDS = 2
BODY = "x" * 150


def client(command, timeout=120):
    """Runs a client on core 1; its output, its CPU seconds and its process's descendants', its wall seconds."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    result = subprocess.run([*pinned(1), *command], capture_output=True, text=True, timeout=timeout, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return result.stdout, cpu, time.monotonic() - began


def farmd_load(ports, *flags):
    """`farmd load` of these ports: its report and its CPU seconds."""
    urls = [f"http://127.0.0.1:{port}/" for port in ports]
    text, cpu, _ = client([FARMD, "load", *urls, "--threads", "1", "--output", "json", *flags])
    result = json.loads(text)["result"]
    if result["failed"] or not result["answered"]:
        raise NotMeasured(f"farmd load failed {result['failed']} of {result['requests']} requests")
    return result, cpu


def wrk(ports, connections):
    """One wrk for each port, all at once: requests, CPU seconds, requests per second."""
    commands = [f"wrk -t1 -c{connections} -d{SECONDS}s http://127.0.0.1:{port}/ &" for port in ports]
    text, cpu, _ = client(["sh", "-c", " ".join(commands) + " wait"])
    counts = [int(count) for count in re.findall(r"(\d+) requests in", text)]
    if len(counts) != len(ports) or "Socket errors" in text:
        raise NotMeasured(f"wrk failed: {text[-300:]}")
    return sum(counts), cpu, sum(float(rate) for rate in re.findall(r"Requests/sec:\s+([\d.]+)", text))


def busy_share(core):
    """Jiffies of a core: (not idle, all)."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            fields = [int(field) for field in line.split()[1:9]]
            return sum(fields) - fields[3] - fields[4], sum(fields)
    raise NotMeasured(f"no core {core}")


@contextlib.contextmanager
def raw_servers(count):
    """So many raw epoll servers on core 0; their ports."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(raw_epoll_server(BODY, len(BODY))).port for _ in range(count)]


def against_wrk(count, connections):
    """Ratios of the rounds: CPU per request, requests per second; and how busy the servers' core was."""
    cpu, rate, busy, mine, theirs = [], [], [], [], []
    with raw_servers(count) as ports:
        for _ in range(ROUNDS):
            busy_before, all_before = busy_share(0)
            result, used = farmd_load(ports, "-c", str(connections), "-d", f"{SECONDS}s")
            busy_after, all_after = busy_share(0)
            requests, wrk_used, wrk_rate = wrk(ports, connections)
            mine.append(used / result["answered"] * 1e6)
            theirs.append(wrk_used / requests * 1e6)
            cpu.append(mine[-1] / theirs[-1])
            rate.append(result["achieved_rate"] / wrk_rate)
            busy.append((busy_after - busy_before) / max(1, all_after - all_before))
    return median(cpu), median(rate), median(busy), f"{median(mine):.2f} µs, wrk {median(theirs):.2f} µs"


ONE_TARGET = []


def one_target():
    """Two rows are of one measurement."""
    if not ONE_TARGET:
        ONE_TARGET.append(against_wrk(1, 64))
    return ONE_TARGET[0]


def cpu_of_one():
    cpu, _, _, detail = one_target()
    return cpu, detail


def rate_of_one():
    _, rate, busy, _ = one_target()
    return rate, f"the server's core was {busy * 100:.0f} % busy", rate >= 1.1 or busy >= 0.95


def cpu_of_fifty():
    cpu, rate, _, detail = against_wrk(50, 10)
    return cpu, f"{detail}; requests per second {rate:.2f} ×"


def send_instant():
    delays = []
    with raw_servers(1) as ports:
        for _ in range(ROUNDS):
            result, _ = farmd_load(ports, "-c", "64", "--rate", "20000", "-d", f"{SECONDS}s")
            delays.append(result["send_delay"]["p99_us"])
    return median(delays), f"best {min(delays):.0f}, worst {max(delays):.0f} of {len(delays)} runs"


def frozen():
    """The target stands still for one second of twenty."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(raw_epoll_server(BODY, len(BODY)))

        def freeze():
            time.sleep(8)
            os.kill(server.process.pid, signal.SIGSTOP)
            time.sleep(1)
            os.kill(server.process.pid, signal.SIGCONT)

        thread = threading.Thread(target=freeze)
        thread.start()
        result, _ = farmd_load([server.port], "-c", "64", "--rate", "1000", "-d", "20s")
        thread.join()
    latency, service = result["latency"]["p99_us"] / 1e6, result["service_time"]["p99_us"] / 1e3
    met = abs(latency - 0.8) <= 0.04 and service < 100
    return abs(latency - 0.8) / 0.8 * 100, f"latency p99 {latency:.3f} s, service p99 {service:.2f} ms", met


def flat_memory():
    """Peak memory after a million and after ten million requests of one run."""
    with raw_servers(1) as ports:
        def peak(requests):
            process = subprocess.Popen(
                [FARMD, "load", f"http://127.0.0.1:{ports[0]}/", "-c", "64", "-n", str(requests), "-o", "json"],
                stdout=subprocess.PIPE, text=True,
            )
            try:
                result = json.loads(process.stdout.read())["result"]
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            finally:
                end(process)
            if result["answered"] != requests:
                raise NotMeasured(f"{result['answered']} of {requests} answered")
            return usage.ru_maxrss / 1024

        small, large = peak(10**6), peak(10**7)
    return large - small, f"{small:.1f} MB, then {large:.1f} MB"


def ps():
    with Farm(50) as farm:
        environment = {"PATH": os.environ["PATH"], "FARMD_API": f"http://localhost:{farm.port}"}
        times = []
        for _ in range(50):
            began = time.monotonic()
            subprocess.run([FARMD, "ps"], env=environment, stdout=subprocess.DEVNULL, check=True, timeout=10)
            times.append((time.monotonic() - began) * 1000)
        trace = subprocess.run(
            ["strace", "-f", "-e", "trace=connect,sendto,write", FARMD, "ps"], env=environment, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, timeout=20,
        ).stderr
    requests = len(re.findall(r'"GET /', trace))
    detail = f"best {min(times):.1f} ms, p99 {percentile(times, 0.99):.1f} ms; {requests} request"
    return median(times), detail, median(times) <= 10 and requests == 1


ROWS = [
    Row("cpu", "client CPU per request, 64 connections, against wrk", cpu_of_one, "×", most=0.85),
    Row("rate", "requests per second, the same (or core 95 % busy)", rate_of_one, "×", least=1.1),
    Row("fifty", "client CPU per request, 50 targets, against 50 wrk", cpu_of_fifty, "×", most=0.75),
    Row("instant", "error of the send instant at 20,000/s, p99", send_instant, "µs", most=100),
    Row("frozen", "latency p99 with the target stopped, off 0.8 s by", frozen, "%", most=5),
    Row("list", "GET /api/servers p99 while all 50 are loaded", list_under_load, "ms", most=10),
    Row("memory", "memory that 9 million more requests take", flat_memory, "MB", most=1),
    Row("ps", "farmd ps with 50 servers", ps, "ms", most=10),
]

if __name__ == "__main__":
    sys.exit(run(ROWS, __doc__, "bench-load.json"))
