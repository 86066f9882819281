"""A farm without root whose farmd is killed: in cgroups that belong to its user, and without any."""

import pytest

from adoptlib import goes_on, kill
from cgrouplib import needs_root, read
from farmd_process import alive, cgroup_directories, farms  # noqa: F401
from test_delegation import ALL, delegated, needs_setpriv, start, version_here


def memory_limit(pid):
    places = cgroup_directories(pid)
    return int(read(places["memory"] / "memory.limit_in_bytes" if "memory" in places else places[""] / "memory.max"))


@needs_root
@needs_setpriv
@pytest.mark.parametrize("given", [ALL, ("memory", "pids")], ids=["whole", "part"])
def test_in_a_delegated_subtree(farms, given):  # noqa: F811
    with delegated(given) as places:
        farm = start(farms(servers=3), places)
        assert farm.get("/api/servers")["enforcement"] == version_here()
        before = kill(farm)
        # In v2 nothing can join a cgroup that passes controllers on: the next farmd comes where the last one sat.
        start(farm, [next(place.glob("*/supervisor"), place) for place in places])
        assert farm.get("/api/servers")["enforcement"] == version_here()
        for server_id, entry in farm.servers().items():
            goes_on(before[server_id], entry)
            assert memory_limit(entry["pid"]) == 256 << 20
        assert farm.stop() == 0, farm.errors()
        assert farm.leftovers() == []
        assert [inner for place in places for inner in place.iterdir() if inner.is_dir()] == []


@needs_root
@needs_setpriv
def test_from_outside_of_the_subtree(farms):  # noqa: F811
    """In v1 the next farmd goes on there. In v2 it may not put anything there: what runs is replaced, and its cgroups are
    gone."""
    with delegated() as places:
        farm = start(farms(servers=2), places)
        before = kill(farm)
        start(farm)
        enforcement = farm.get("/api/servers")["enforcement"]
        if version_here() == "cgroup1":
            assert enforcement == "cgroup1"
            for server_id, entry in farm.servers().items():
                goes_on(before[server_id], entry)
        else:
            assert enforcement == "none"
            assert not [entry["pid"] for entry in before.values() if alive(entry["pid"])]
            assert [leaf for place in places for leaf in place.glob("**/server-*")] == []
        assert farm.stop() == 0, farm.errors()
        assert farm.leftovers() == []
        assert [leaf for place in places for leaf in place.glob("**/server-*")] == []


@needs_root
@needs_setpriv
def test_without_cgroups(farms):  # noqa: F811
    farm = start(farms(servers=3))
    assert farm.get("/api/servers")["enforcement"] == "none"
    before = kill(farm)
    start(farm)
    for server_id, entry in farm.servers().items():
        goes_on(before[server_id], entry)
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []
