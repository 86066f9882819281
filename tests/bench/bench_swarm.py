#!/usr/bin/python3
"""A farm of services on a private Swarm of two nodes, both on this machine: `make bench-swarm`. Needs root.

How long 50 services take from nothing to all serving, beside the same services made through Swarm's own API at the best
parallelism with nothing else done; what farmd takes meanwhile; how they are spread; how long until nothing is left.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "swarm"))
import swarmbed  # noqa: E402
from swarmbed import wait_for  # noqa: E402
from swarmfarm import Farm, services  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
PARALLEL = 8  # Swarm itself makes one task after the other: more gains nothing
IDLE_S = 30
# Two nodes that share one machine's cores have less to reserve than 50 x 0.1.
SMALL = ("--cpu-reservation", "0.01", "--memory-reservation", "16M")


def containers(swarm):
    return [c for node in swarm.nodes for c in node.ask("GET", "/containers/json")]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def timed(act):
    began = time.monotonic()
    act()
    return time.monotonic() - began


def in_parallel(act, items):
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(act, items))


def running(swarm):
    return sum(t["Status"]["State"] == "running" for t in swarm.manager.ask("GET", "/tasks"))


def nothing_left(swarm):
    return not services(swarm) and not containers(swarm)


def floor(swarm, specs):
    """(seconds until all tasks run, seconds until none of their containers is left)"""
    def up():
        in_parallel(lambda spec: swarm.manager.ask("POST", "/services/create", spec), specs)
        wait_for(lambda: running(swarm) == len(specs), 300, "every task")

    def down():
        in_parallel(lambda name: swarm.manager.ask("DELETE", f"/services/{name}"), services(swarm))
        wait_for(lambda: nothing_left(swarm), 120, "the end of every task")

    return timed(up), timed(down)


def farm_once(swarm, count, look):
    farm = Farm(swarm, count)
    try:
        def up():
            farm.start(*SMALL)
            wait_for(farm.all_serve, 300, "every server")

        def down():
            assert farm.stop() == 0, farm.output()
            wait_for(lambda: nothing_left(swarm), 120, "the end of every task")

        took = timed(up)
        seen = look(farm)
        return took, timed(down), seen
    finally:
        shutil.rmtree(farm.folder, ignore_errors=True)


def spread_image(swarm):
    """The worker's node gets the image that farmd makes on the manager's."""
    def look(_):
        image = services(swarm)["server-1"]["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
        swarm.worker.load_image(swarm.manager.save_image(image))

    farm = Farm(swarm, 1)
    try:
        farm.start()
        wait_for(lambda: services(swarm).get("server-1"), 60, "a service")
        look(farm)
        farm.stop()
        wait_for(lambda: nothing_left(swarm), 60, "its end")
    finally:
        shutil.rmtree(farm.folder, ignore_errors=True)


def idle_and_specs(swarm):
    def look(farm):
        nodes = [server["node"] for server in farm.servers().values()]
        before = cpu_seconds(farm.process.pid)
        time.sleep(IDLE_S)
        idle = (cpu_seconds(farm.process.pid) - before) / IDLE_S * 100
        times = []
        for _ in range(200):
            times.append(1000 * timed(lambda: farm.ask("GET", "/api/servers")))
        return {"idle": idle, "spread": sorted(nodes.count(node.name) for node in swarm.nodes),
                "p99": sorted(times)[int(len(times) * 0.99)],
                "specs": [service["Spec"] for service in services(swarm).values()]}
    return look


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if swarmbed.missing():
        sys.exit(f"bench-swarm: {swarmbed.missing()}")
    swarm = swarmbed.Swarm()
    try:
        swarm.open().form()
        spread_image(swarm)
        up, down, seen = farm_once(swarm, options.servers, idle_and_specs(swarm))
        pairs = [((up, down), floor(swarm, seen["specs"]))]
        for _ in range(options.rounds - 1):
            pairs.append((farm_once(swarm, options.servers, lambda farm: None)[:2], floor(swarm, seen["specs"])))
            print(f"  {pairs[-1]}", flush=True)
    finally:
        swarm.close()
    figures = {
        "ready_s": statistics.median(ours[0] for ours, _ in pairs),
        "ready_floor_s": statistics.median(theirs[0] for _, theirs in pairs),
        "removed_s": statistics.median(ours[1] for ours, _ in pairs),
        "removed_floor_s": statistics.median(theirs[1] for _, theirs in pairs),
        "idle_cpu_percent": seen["idle"], "spread": seen["spread"], "list_p99_ms": seen["p99"],
    }
    for name, value in figures.items():
        print(f"{name:20} {value if isinstance(value, list) else round(value, 2)}")
    build = pathlib.Path(os.environ.get("BUILD_DIR", "build"))
    (build / "bench-swarm.json").write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
