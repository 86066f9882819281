"""farmd without root: full enforcement in cgroups that belong to its user, an honest part of it, or plainly none."""

import contextlib
import os
import re
import shutil
import signal

import pytest

import farmd_process
from cgrouplib import kernel_limits, needs_root, read
from farmd_process import NOBODY, alive, cgroup_directories, farms  # noqa: F401
from farmlib import DEADLINE, process_kb

ALL = ("cpu", "memory", "pids", "io")
V1_NAMES = {"cpu": ("cpu", "cpuacct"), "memory": ("memory",), "pids": ("pids",), "io": ("blkio",)}
FIELD = {"cpu": "cpu", "memory": "memory_mb", "pids": "pids"}
WANTED = {"cpu": 0.5, "memory": 256, "pids": 128}
DROP = f'exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups -- "$@"'

needs_setpriv = pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv")


def make_places(controllers):
    """The cgroups to delegate, and what is to be removed at the end."""
    own, name = cgroup_directories(os.getpid()), f"delegated-{os.getpid()}-{os.urandom(3).hex()}"
    if "memory" in own:  # v1: each controller has a hierarchy of its own
        wanted = [v1 for one in controllers for v1 in V1_NAMES[one] if v1 in own]
        wanted += ["freezer"] if "freezer" in own else []
        places = {own[one] / name for one in wanted}
        for place in places:
            place.mkdir()
        return places, places
    if "memory" not in read(own[""] / "cgroup.controllers").split():
        pytest.skip("no controllers here")
    try:
        (own[""] / "cgroup.subtree_control").write_text(" ".join(f"+{one}" for one in ALL))
    except OSError as error:
        pytest.skip(f"controllers cannot be passed on here: {error}")
    outer = own[""] / name
    outer.mkdir()
    (outer / "cgroup.subtree_control").write_text(" ".join(f"+{one}" for one in controllers))
    (outer / "session").mkdir()
    return {outer / "session"}, {outer}


@contextlib.contextmanager
def delegated(controllers=ALL):
    """Cgroups with these controllers that belong to nobody; yields their directories."""
    places, tops = make_places(controllers)
    try:
        for place in places:
            for path in (place, *(place / file for file in ("cgroup.procs", "tasks", "cgroup.subtree_control"))):
                if path.exists():
                    os.chown(path, NOBODY, NOBODY)
        yield places
    finally:
        for top in tops:
            for inner in sorted(top.glob("**/"), reverse=True):
                inner.rmdir()


def start(farm, places=(), **kwargs):
    """As nobody, with binaries where that user gets at them."""
    farm.install_worker()
    target = farm.directory / "farmd"
    shutil.copy(os.path.realpath(farmd_process.FARMD), target)
    target.chmod(0o755)
    os.chown(farm.directory, NOBODY, NOBODY)
    join = "".join(f"echo $$ > {place}/cgroup.procs; " for place in places)
    return farm.start(program=str(target), prefix=["sh", "-c", join + DROP, "sh"], **kwargs)


def version_here():
    return "cgroup1" if "memory" in cgroup_directories(os.getpid()) else "cgroup2"


@needs_root
@needs_setpriv
def test_delegated_subtree_is_enforced_in_full(farms):  # noqa: F811
    with delegated() as places:
        farm = start(farms(servers=2), places)
        assert os.stat(f"/proc/{farm.process.pid}").st_uid == NOBODY
        listing = farm.get("/api/servers")
        assert listing["enforcement"] == version_here(), listing.get("enforcement_warning")
        assert listing["limits_in_force"] == {"cpu": True, "memory": True, "pids": True}
        assert "enforcement_warning" not in listing
        for entry in listing["servers"]:
            limits = kernel_limits(entry["pid"])
            assert {key: entry["limits"][key] for key in limits} == pytest.approx(limits)
            assert (limits["cpu"], limits["memory_mb"], limits["pids"]) == (0.5, 256, 128)
            mine = [place for place in cgroup_directories(entry["pid"]).values()
                    if any(place.is_relative_to(top) for top in places)]
            assert {place.name for place in mine} == {entry["name"]}
        before = farm.server(1)
        with pytest.raises(OSError):
            farm.worker(1, "POST", "/simulate-load?cpu_duration=30&memory_mb=400")
        assert farm.wait_restarted(1, before)["last_exit"]["reason"] == "OOMKilled"
        assert farm.stop() == 0
        assert farm.leftovers() == []
        assert [inner for place in places for inner in place.iterdir() if inner.is_dir()] == []


@needs_root
@needs_setpriv
@pytest.mark.parametrize("given", [["memory", "pids"], ["cpu", "pids"], ["cpu", "memory"], ["memory"]], ids="+".join)
def test_part_of_the_controllers_is_not_called_whole(farms, given):  # noqa: F811
    with delegated(given) as places:
        farm = start(farms(servers=2), places)
        listing = farm.get("/api/servers")
        assert listing["enforcement"] == version_here(), listing.get("enforcement_warning")
        assert listing["limits_in_force"] == {name: name in given for name in FIELD}
        missing = [name for name in FIELD if name not in given]
        assert f"limits are not in force for {', '.join(missing)}:" in listing["enforcement_warning"]
        assert (farm.output() + farm.errors()).count("not in force") == 1
        assert farm.output().splitlines()[0].endswith(f" but for {' and '.join(missing)}"), farm.output()
        for entry in listing["servers"]:
            for name, field in FIELD.items():
                assert entry["limits"][field] == (WANTED[name] if name in given else None)
                assert entry["limits_configured"][field] == WANTED[name]
        assert farm.stop() == 0
        assert farm.leftovers() == []


@needs_root
@needs_setpriv
def test_part_of_the_controllers_is_not_enough_when_required(farms):  # noqa: F811
    with delegated(["memory"]) as places:
        farm = start(farms(servers=2, flags=["--enforce", "required"]), places, wait=False)
        assert farm.process.wait(DEADLINE) == 2
        assert "no cgroup controller for: cpu, pids" in farm.errors()
        assert "farmd doctor" in farm.errors()
        assert farm.leftovers() == []


@needs_root
@needs_setpriv
def test_without_delegation_it_says_so_once_and_runs(farms):  # noqa: F811
    farm = start(farms(servers=3))
    listing = farm.get("/api/servers")
    assert listing["enforcement"] == "none"
    assert listing["limits_in_force"] == {"cpu": False, "memory": False, "pids": False}
    assert "not in force" in listing["enforcement_warning"]
    for entry in listing["servers"]:
        assert [entry["limits"][field] for field in FIELD.values()] == [None, None, None]
        assert entry["limits_configured"]["cpu"] == 0.5
    told = farm.output() + farm.errors()
    assert told.count("limits are not in force: this user may not create cgroups") == 1
    assert told.count("fix: systemd-run --user --scope -p Delegate=yes") == 1
    assert "limits are not in force" in farm.errors()
    assert farm.output().splitlines()[0].endswith(" · 3 servers, limits not in force"), "no figures that do not hold"

    before = farm.server(1)
    os.kill(before["pid"], signal.SIGKILL)
    farm.wait_restarted(1, before)
    assert farm.stop() == 0
    assert farm.leftovers() == []


@needs_root
@needs_setpriv
def test_required_enforcement_without_delegation_does_not_start(farms):  # noqa: F811
    farm = start(farms(servers=3, flags=["--enforce", "required"]), wait=False)
    assert farm.process.wait(DEADLINE) == 2
    assert farm.errors().count("\n") == 1
    assert farm.errors().startswith("farmd: enforcement is required")
    assert "farmd doctor" in farm.errors()
    assert "Started" not in farm.output()
    assert farm.leftovers() == [] and not farm.runtime_dir.exists()


@needs_setpriv
def test_a_runtime_directory_of_another_user_is_not_used(farms):  # noqa: F811
    """It could lay a socket of its own in the place of farmd's."""
    farm = farms(servers=1)
    farm.runtime_dir.mkdir()
    farm.runtime_dir.chmod(0o777)
    os.chown(farm.runtime_dir, 1, 1)
    start(farm, wait=False)
    assert farm.process.wait(DEADLINE) == 2
    assert re.fullmatch(r"farmd: the directory \S+ belongs to another user \(uid 1\); .* --runtime-dir\n", farm.errors())
    assert farm.processes() == []


def test_enforcement_can_be_switched_off(farms):  # noqa: F811
    farm = farms(servers=2, flags=["--enforce", "none"]).start()
    listing = farm.get("/api/servers")
    assert listing["enforcement"] == "none"
    own = cgroup_directories(os.getpid())
    assert cgroup_directories(listing["servers"][0]["pid"]) == own
    assert process_kb(listing["servers"][0]["pid"], "VmRSS") > 0
    family = farm.processes()
    assert farm.stop() == 0
    assert [pid for pid in family if alive(pid)] == []
    assert farm.leftovers() == []
