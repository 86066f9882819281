"""farmd as an ordinary user: full enforcement in a subtree of their own, an honest part of it, or plainly none."""

import contextlib
import os
import pathlib

import pytest

import farmd_process
from farmd_process import farms  # noqa: F401 (a fixture)
from farmlib import DEADLINE

USER = 1000
TREE = pathlib.Path("/sys/fs/cgroup")
DROP = f'exec setpriv --reuid {USER} --regid {USER} --clear-groups -- "$@"'


@contextlib.contextmanager
def subtree(controllers):
    """A cgroup of the user's with these controllers, as systemd delegates it."""
    place = TREE / f"user-{os.urandom(3).hex()}"
    outer = place.parent / (place.name + "-slice")
    outer.mkdir()
    place = outer / "session"
    (TREE / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in ("cpu", "memory", "pids", "io")))
    (outer / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
    place.mkdir()
    for path in (place, place / "cgroup.procs", place / "cgroup.subtree_control", place / "cgroup.threads"):
        os.chown(path, USER, USER)
    try:
        yield place
    finally:
        for inner in sorted(place.glob("**/"), reverse=True):
            inner.rmdir()
        outer.rmdir()


def start(farm, place, **kwargs):
    os.chown(farm.directory, USER, USER)
    join = f"echo $$ > {place}/cgroup.procs; " if place else ""
    return farm.start(prefix=["sh", "-c", join + DROP, "sh"], **kwargs)


def test_users_subtree_gives_full_enforcement(farms):  # noqa: F811
    with subtree(["cpu", "memory", "pids", "io"]) as place:
        farm = start(farms(servers=3), place)
        listing = farm.get("/api/servers")
        assert listing["enforcement"] == "cgroup2", listing.get("enforcement_warning")
        assert "enforcement_warning" not in listing
        for entry in listing["servers"]:
            own = farmd_process.cgroup_directories(entry["pid"])[""]
            assert own.is_relative_to(place) and own.name == entry["name"]
            assert (own / "cpu.max").read_text() == "50000 100000\n"
            assert (own / "memory.max").read_text() == f"{256 << 20}\n"
            assert (entry["limits"]["cpu"], entry["limits"]["memory_mb"]) == (0.5, 256)
        before = farm.server(1)
        with pytest.raises(OSError):
            farm.worker(1, "POST", "/simulate-load?cpu_duration=30&memory_mb=400")
        assert farm.wait_restarted(1, before)["last_exit"]["reason"] == "OOMKilled"
        # farmd went out of the way into a leaf of its own, and comes back when it ends
        assert farmd_process.cgroup_directories(farm.process.pid)[""].is_relative_to(place)
        assert farm.stop() == 0
        assert farm.leftovers() == []
        assert [path.name for path in place.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("missing", ["cpu", "memory", "pids"])
def test_users_part_of_the_controllers_is_not_called_whole(farms, missing):  # noqa: F811
    given = [name for name in ("cpu", "memory", "pids") if name != missing]
    field = {"cpu": "cpu", "memory": "memory_mb", "pids": "pids"}
    with subtree(given) as place:
        farm = start(farms(servers=2), place)
        listing = farm.get("/api/servers")
        assert listing["enforcement"] == "cgroup2", listing.get("enforcement_warning")
        assert f"limits are not in force for {missing}:" in listing["enforcement_warning"]
        assert listing["limits_in_force"] == {name: name != missing for name in field}
        assert (farm.output() + farm.errors()).count("not in force") == 1
        assert farm.output().splitlines()[0].endswith(f", enforced by cgroup v2 but for {missing}"), farm.output()
        for entry in listing["servers"]:
            assert entry["limits"][field[missing]] is None
            for name in given:
                assert entry["limits"][field[name]] == {"cpu": 0.5, "memory": 256, "pids": 128}[name]
            assert entry["limits_configured"][field[missing]] is not None
        assert farm.stop() == 0
        assert farm.leftovers() == []


def test_users_part_of_the_controllers_is_not_enough_when_required(farms):  # noqa: F811
    with subtree(["memory"]) as place:
        farm = start(farms(servers=2, flags=["--enforce", "required"]), place, wait=False)
        assert farm.process.wait(DEADLINE) == 2
        assert "no cgroup controller for: cpu, pids" in farm.errors()
        assert farm.leftovers() == []


def test_users_without_a_subtree_get_the_one_warning(farms):  # noqa: F811
    farm = start(farms(servers=2), None)
    listing = farm.get("/api/servers")
    assert listing["enforcement"] == "none"
    told = farm.output() + farm.errors()
    assert told.count("limits are not in force: this user may not create cgroups") == 1
    assert told.count("fix: systemd-run --user --scope -p Delegate=yes") == 1
    before = farm.server(1)
    os.kill(before["pid"], 9)
    farm.wait_restarted(1, before)
    assert farm.stop() == 0
    assert farm.leftovers() == []
    required = start(farms(servers=2, flags=["--enforce", "required"]), None, wait=False)
    assert required.process.wait(DEADLINE) == 2
    assert required.errors().startswith("farmd: enforcement is required")
