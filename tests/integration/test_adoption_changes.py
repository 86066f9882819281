"""What the next farmd finds is not what it expects: other settings, other limits, a state file that lies or is broken."""

import os
import pathlib
import re
import signal
import subprocess

import pytest

from adoptlib import change_state, goes_on, kill, slices, start
from farmd_process import alive, cgroup_directories, farms  # noqa: F401
from farmlib import wait_for

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

GROUPS = """
groups:
  - name: web
    count: 2
    environment: {COLOR: red}
  - name: own
    count: 2
    command: [$DIR/farm-worker]
"""


def ends_well(farm):
    assert farm.process.poll() is None, farm.errors()
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []


def environment(pid):
    return pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")


# --- other settings ---


def other_groups(farms, change):  # noqa: F811
    """A farm of two groups, killed, its settings changed, and started again: its servers before."""
    farm = farms(servers=4, config=GROUPS, spare=4)
    farm.install_worker()
    farm.start()
    before = kill(farm)
    farm.write_config(change(GROUPS))
    return farm, before


def test_more_servers(farms):  # noqa: F811
    farm = farms(servers=2, spare=2).start()
    before = kill(farm)
    farm.servers_wanted = 4
    farm.start()
    after = farm.servers()
    assert set(after) == {1, 2, 3, 4}
    for server_id in (1, 2):
        goes_on(before[server_id], after[server_id])
    assert {event["server_id"] for event in farm.events(reason="Started")} == {3, 4}
    assert farm.events(reason="Reloaded")[0]["message"].startswith("the settings had changed: 2 servers added, 0 removed")
    ends_well(farm)


def test_fewer_servers(farms):  # noqa: F811
    farm = farms(servers=4).start()
    before = kill(farm)
    farm.servers_wanted = 2
    farm.start()
    after = farm.servers()
    assert set(after) == {1, 2}
    for server_id in (1, 2):
        goes_on(before[server_id], after[server_id])
    assert {event["server_id"] for event in farm.events(reason="Stopped")} == {3, 4}, "in order, not killed"
    assert not alive(before[3]["pid"]) and not alive(before[4]["pid"])
    ends_well(farm)


def test_another_environment_restarts_its_group(farms):  # noqa: F811
    farm, before = other_groups(farms, lambda text: text.replace("red", "blue"))
    farm.start()
    after = farm.servers()
    for server_id in (3, 4):
        goes_on(before[server_id], after[server_id])
    for server_id in (1, 2):
        assert "COLOR=blue" in environment(after[server_id]["pid"])
        assert after[server_id]["restarts"] == 1 and after[server_id]["last_exit"]["reason"] == "Stopped"
    ends_well(farm)


def test_another_command_restarts_its_group(farms):  # noqa: F811
    farm, before = other_groups(farms, lambda text: text.replace("[$DIR/farm-worker]", "[$DIR/farm-worker, --access-log]"))
    farm.start()
    after = farm.servers()
    for server_id in (1, 2):
        goes_on(before[server_id], after[server_id])
    for server_id in (3, 4):
        assert pathlib.Path(f"/proc/{after[server_id]['pid']}/cmdline").read_bytes().endswith(b"\0--access-log\0")
    ends_well(farm)


def test_a_group_that_is_no_more(farms):  # noqa: F811
    farm, before = other_groups(farms, lambda text: text[: text.index("  - name: own")])
    farm.servers_wanted = 2
    farm.start()
    after = farm.servers()
    assert set(after) == {1, 2}
    for server_id in (1, 2):
        goes_on(before[server_id], after[server_id])
    assert not alive(before[3]["pid"]) and not alive(before[4]["pid"])
    ends_well(farm)


def test_a_group_of_another_name(farms):  # noqa: F811
    farm, before = other_groups(farms, lambda text: text.replace("name: web", "name: shop"))
    farm.start()
    after = farm.servers()
    assert sorted(entry["group"] for entry in after.values()) == ["own", "own", "shop", "shop"]
    for server_id in (3, 4):
        goes_on(before[server_id], after[server_id])
    assert not alive(before[1]["pid"]) and not alive(before[2]["pid"])
    ends_well(farm)


def test_other_ports_that_overlap(farms):  # noqa: F811
    """Each server's new port is the old one of its neighbour."""
    farm = farms(servers=3, spare=1).start()
    farm.act(3, "stop")
    before = kill(farm)
    farm.base_port += 1
    start(farm)
    farm.wait_status(1, "running")
    entry = farm.wait_status(2, "running")
    assert entry["port"] == before[2]["port"] + 1
    assert (farm.server(3)["status"], farm.server(3)["port"]) == ("stopped", before[3]["port"] + 1)
    assert all(farm.worker(i).json()["port"] == before[i]["port"] + 1 for i in (1, 2))
    assert not alive(before[1]["pid"]) and not alive(before[2]["pid"])
    assert farm.events(reason="PortTaken") == []
    farm.act(3, "start")
    ends_well(farm)


@needs_root
def test_other_limits_are_set_live(farms):  # noqa: F811
    farm = farms(servers=2, flags=["--memory", "256M"]).start()
    if "enforcement_warning" in farm.get("/api/servers"):
        pytest.skip("no limits here")
    farm.patch("/api/servers/2", {"memory_mb": 200})
    before = kill(farm)
    farm.flags = ["--memory", "300M"]
    farm.start()
    after = farm.servers()
    assert {i: entry["pid"] for i, entry in after.items()} == {i: entry["pid"] for i, entry in before.items()}
    assert after[1]["limits"]["memory_mb"] == 300
    assert after[2]["limits"]["memory_mb"] == 200, "set for it alone"
    assert farm.events(reason="LimitsChanged")[0]["server_id"] == 1
    ends_well(farm)


@needs_root
def test_limits_that_the_kernel_does_not_have(farms):  # noqa: F811
    """Somebody else wrote to the cgroup, or farmd was killed half-way through a change."""
    farm = farms(servers=2).start()
    if "enforcement_warning" in farm.get("/api/servers"):
        pytest.skip("no limits here")
    before = kill(farm)
    places = cgroup_directories(before[1]["pid"])
    v1 = "memory" in places
    files = ["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"] if v1 else ["memory.max"]
    files = [places.get("memory", places.get("")) / name for name in files]
    for path in files:
        if path.exists():
            path.write_text(str(1 << 30))
    if not v1:
        (places[""] / "memory.high").write_text(str(64 << 20))  # what makes room for a lower limit
    farm.start()
    assert farm.pids()[1] == before[1]["pid"]
    assert farm.server(1)["limits"]["memory_mb"] == 256
    assert files[-1].read_text().strip() == str(256 << 20)
    assert v1 or (places[""] / "memory.high").read_text() == "max\n"
    ends_well(farm)


@needs_root
@pytest.mark.parametrize("first, second", [([], ["--enforce", "none"]), (["--enforce", "none"], [])])
def test_another_kind_of_enforcement_replaces_them(farms, first, second):  # noqa: F811
    farm = farms(servers=2, flags=first).start()
    kinds = [farm.get("/api/servers")["enforcement"]]
    before = kill(farm)
    farm.flags = second
    farm.start()
    kinds.append(farm.get("/api/servers")["enforcement"])
    if kinds[0] == kinds[1]:
        pytest.skip("no limits here")
    assert not [entry["pid"] for entry in before.values() if alive(entry["pid"])]
    assert [entry["restarts"] for entry in farm.servers().values()] == [1, 1]
    if kinds[1] == "none":
        assert slices(farm) == {}, "no stale cgroup"
    ends_well(farm)


# --- bad state files ---


BAD = {
    "empty": lambda text: "",
    "truncated": lambda text: text[: len(text) * 2 // 3],
    "without its end": lambda text: text.replace("end\n", ""),
    "another boot": lambda text: re.sub("boot [0-9a-f]{4}", "boot 0000", text),
    "newer": lambda text: text.replace("farmd-state 2", "farmd-state 3"),
    "garbage": lambda text: "\x00\xff{[garbage" * 100,
    "one bad word": lambda text: text.replace(" running ", " jogging ", 1),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_state_file_is_set_aside(farms, what):  # noqa: F811
    farm = farms(servers=2).start()
    before = kill(farm)
    path = farm.state_dir / "state"
    bad = BAD[what](path.read_text()).encode("latin-1")
    path.write_bytes(bad)
    farm.start()
    assert (farm.state_dir / "state.broken").read_bytes() == bad
    [event] = farm.events(reason="StateSetAside")
    assert event["warning"] is True and "state.broken" in event["message"]
    assert farm.errors().count("warning: the state file") == 1
    assert not [entry["pid"] for entry in before.values() if alive(entry["pid"])]
    assert not {entry["pid"] for entry in farm.servers().values()} & {entry["pid"] for entry in before.values()}
    ends_well(farm)
    assert (farm.state_dir / "state.broken").read_bytes() == bad, "kept for whoever wants to look at it"


def test_a_directory_in_its_place(farms):  # noqa: F811
    farm = farms(servers=2)
    (farm.state_dir / "state" / "inside").mkdir(parents=True)
    farm.start()
    assert (farm.state_dir / "state.broken" / "inside").is_dir()
    assert (farm.state_dir / "state").is_file()
    ends_well(farm)


# --- records that lie ---


@pytest.fixture
def foreign():
    """A process that is none of farmd's; it must outlive the test."""
    process = subprocess.Popen(["sleep", "1000"])
    try:
        yield process.pid
        assert process.poll() is None, "killed"
    finally:
        process.kill()
        process.wait()


def start_time(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


@pytest.mark.parametrize("flags", [[], ["--enforce", "none"]], ids=["enforced", "none"])
@pytest.mark.parametrize("right_time", [True, False])
def test_the_pid_of_a_foreign_process(farms, foreign, flags, right_time):  # noqa: F811
    farm = farms(servers=2, flags=flags).start()
    before = kill(farm)
    os.kill(before[1]["pid"], signal.SIGKILL)

    def lie(line):
        line = line.replace(f" pid={before[1]['pid']} ", f" pid={foreign} ")
        return re.sub(" start=[0-9]+ ", f" start={start_time(foreign)} ", line) if right_time and str(foreign) in line else line

    change_state(farm, lie)
    farm.start()
    assert farm.pids()[1] != foreign
    assert farm.pids()[2] == before[2]["pid"]
    assert len(farm.events(reason="Adopted")) == 2, "the one and the sum"
    ends_well(farm)


@pytest.mark.parametrize("flags", [[], ["--enforce", "none"]], ids=["enforced", "none"])
def test_servers_that_are_taken_for_each_other(farms, flags):  # noqa: F811
    farm = farms(servers=2, flags=flags).start()
    before = kill(farm)
    one, two = ({"pid": str(before[i]["pid"]), "start": start_time(before[i]["pid"])} for i in (1, 2))

    def swap(line):
        other = two if line.startswith("server 1 ") else one
        return re.sub(" pid=[0-9]+ start=[0-9]+ ", f" pid={other['pid']} start={other['start']} ", line)

    change_state(farm, swap)
    farm.start()
    assert not set(farm.pids().values()) & {entry["pid"] for entry in before.values()}
    assert not [entry["pid"] for entry in before.values() if alive(entry["pid"])]
    ends_well(farm)


# It overwrites its arguments and its environment, as programs do that set a title.
TITLE_PROGRAM = """
import ctypes, http.server, os
with open("/proc/self/stat") as stat:
    fields = stat.read().rpartition(")")[2].split()
for first, last in ((45, 46), (47, 48)):
    begin, end = int(fields[first]), int(fields[last])
    ctypes.memset(begin, 0, end - begin)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.mark.parametrize("kept", [True, False])
def test_a_program_without_its_environment(farms, kept):  # noqa: F811
    """Where there are no cgroups either, its log tells whose it is."""
    config = "groups:\n  - {name: title, count: 1, command: [python3, $DIR/title.py], probes: {startup: {interval: 100ms}}}\n"
    farm = farms(servers=1, config=config, flags=["--enforce", "none"])
    (farm.directory / "title.py").write_text(f"port = {farm.base_port}\n" + TITLE_PROGRAM)
    farm.start()
    pid = farm.pids()[1]
    wait_for(lambda: b"FARMD_SERVER" not in pathlib.Path(f"/proc/{pid}/environ").read_bytes(), what="its mark being gone")
    kill(farm)
    if not kept:
        farm.write_config(config.replace("name: title", "name: other"))
    farm.start()
    assert (farm.pids()[1] == pid) is kept
    assert alive(pid) is kept
    farm.act(1, "kill")
    wait_for(lambda: not alive(pid), what="its end")
    farm.wait_status(1, "running")
    assert farm.stop() == 0
