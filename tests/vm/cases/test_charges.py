"""What the kernel charges farmd for its servers: farmd in a cgroup of its own, hundreds of servers started from it."""

import os
import pathlib

import pytest

from cgrouplib import fields
from farmd_process import cgroup_directories, farms  # noqa: F401 (a fixture)
from farmlib import process_kb, wait_for

TREE = pathlib.Path("/sys/fs/cgroup")
SERVERS, ROUNDS, MORE = 20, 10, 80


@pytest.fixture
def own():
    """A cgroup for farmd alone. As root its servers' slice lies elsewhere, below the root of the tree."""
    (TREE / "cgroup.subtree_control").write_text("+cpu +memory +pids")
    place = TREE / f"farmd-own-{os.urandom(3).hex()}"
    place.mkdir()
    yield place
    place.rmdir()


def threads_cpu(pid):
    """CPU time that the threads of a process used, microseconds."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000


class Account:
    """What farmd's cgroup is charged with now, and what of it is farmd's own by /proc."""

    def __init__(self, place, pid, slice_place):
        memory = fields(place / "memory.stat")
        self.cpu, self.cpu_own = fields(place / "cpu.stat")["usage_usec"], threads_cpu(pid)
        self.anonymous, self.anonymous_own = memory["anon"], process_kb(pid, "RssAnon") << 10
        self.stacks, self.page_tables = memory["kernel_stack"], memory["pagetables"]
        self.page_tables_own = process_kb(pid, "VmPTE") << 10
        self.cpu_servers = fields(slice_place / "cpu.stat")["usage_usec"]


def test_charges_of_hundreds_of_starts_stay_with_the_servers(farms, own):  # noqa: F811
    farm = farms(servers=SERVERS, spare=MORE)
    farm.start(prefix=["sh", "-c", f'echo $$ > {own}/cgroup.procs; exec "$@"', "sh"])
    pid, slice_place = farm.process.pid, cgroup_directories(farm.server(1)["pid"])[""].parent
    assert (own / "cgroup.procs").read_text() == f"{pid}\n"
    before = Account(own, pid, slice_place)
    for _ in range(ROUNDS):
        farm.post("/api/servers/action", {"ids": f"1-{SERVERS}", "action": "restart"})
    after = Account(own, pid, slice_place)

    # Not an instruction: what its cgroup was charged with is what its own threads ran, though the servers ran for long.
    servers = after.cpu_servers - before.cpu_servers
    strange = (after.cpu - before.cpu) - (after.cpu_own - before.cpu_own)
    assert abs(strange) < servers / 200, (strange, servers)

    # Not a page: with many more alive it has no memory but farmd's own, and no page tables but those of farmd's own.
    farm.post("/api/scale", {"servers": SERVERS + MORE})
    farm.servers_wanted = SERVERS + MORE
    farm.wait_ready()
    more = Account(own, pid, slice_place)
    theirs = sum(fields(leaf / "memory.stat")["anon"] for leaf in slice_place.glob("server-*"))
    assert theirs > MORE * 50_000
    grown = lambda name: getattr(more, name) - getattr(before, name)  # noqa: E731
    assert abs(grown("anonymous") - grown("anonymous_own")) < theirs / 50
    assert abs(grown("page_tables") - grown("page_tables_own")) < MORE * 4096 / 4

    # The kernel charges its own stack of a process to who started it, until the end of the process. docs/enforcement.md
    assert grown("stacks") == MORE * (16 << 10)
    farm.post("/api/scale", {"servers": SERVERS})
    wait_for(lambda: Account(own, pid, slice_place).stacks == before.stacks, what="the stacks being given back")
    assert farm.stop() == 0
    assert farm.leftovers() == []
