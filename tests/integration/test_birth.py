"""Where a server's program is when it begins: in its cgroup, with its limits, before its first instruction."""

import shutil

import farmlib
from cgrouplib import kernel_limits, needs_root, read
from farmd_process import cgroup_directories, farms  # noqa: F401 (a fixture)
from farmlib import wait_for

PROGRAM = farmlib.BUILD / "tests/integration/first_instruction"
SERVERS, ROUNDS = 5, 10

CONFIG = f"""
groups:
  - name: first
    count: {SERVERS}
    command: [$DIR/first_instruction]
"""


@needs_root
def test_a_program_is_in_its_cgroup_from_its_first_instruction(farms):  # noqa: F811
    """It says so itself before anything of a library could run, and in each of many starts the same."""
    farm = farms(servers=SERVERS, config=CONFIG)
    shutil.copy(PROGRAM, farm.directory)
    farm.start()
    for _ in range(ROUNDS - 1):
        answer = farm.post("/api/servers/action", {"ids": f"1-{SERVERS}", "action": "restart"})
        assert answer["successful"] == SERVERS, answer
    for server_id in range(1, SERVERS + 1):
        entry = farm.wait_status(server_id, "running")
        places = cgroup_directories(entry["pid"])
        wanted = ("cpu", "memory", "pids") if "memory" in places else ("",)
        assert {places[name].name for name in wanted} == {entry["name"]}
        assert kernel_limits(entry["pid"])["memory_mb"] == 256
        log = farm.state_dir / "logs" / f"{entry['name']}.log"
        now = read(f"/proc/{entry['pid']}/cgroup") + "\n"
        wait_for(lambda: len(log.read_text()) >= ROUNDS * len(now), what="what it said")
        assert log.read_text() == now * ROUNDS
    assert farm.stop() == 0
    assert farm.leftovers() == []
