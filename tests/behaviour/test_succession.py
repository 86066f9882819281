"""farmd's own end: in order, cut short, or by force with the next one taking over what runs."""

import os
import signal

import pytest

import farmlib
from farmlib import wait_for
from watching import wait_answer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_in_order_leaves_nothing(bed, farm_of, number):
    farm = farm_of(servers=2).start()
    assert bed.made(farm) == {1, 2}
    assert farm.stop(number) == 0, farm.errors()
    assert bed.leftovers(farm) == [] and bed.made(farm) == set()


def test_an_interrupted_start_leaves_nothing(bed, farm_of):
    farm = farm_of(servers=5).start(wait=False)
    wait_for(lambda: bed.made(farm) or farm.process.poll() is not None, what="the first of a server")
    assert farm.stop(signal.SIGINT) == 0, farm.errors()
    assert bed.leftovers(farm) == [] and bed.made(farm) == set()


def test_servers_go_on_under_the_next_farmd(bed, farm_of):
    farm = farm_of(servers=3).start()
    farm.act(1, "restart")
    farm.patch("/api/servers/1", {"memory_mb": 300})
    wait_for(lambda: (bed.limits(farm, 1) or {}).get("memory_mb") == 300, what="its limits")
    farm.wait_status(1, "running")
    farm.act(2, "stop")
    if not bed.differs("pause_refused"):
        farm.act(3, "pause")
    before, runs = farm.servers(), bed.runs(farm)
    bed.kill(farm)
    assert bed.answers(*bed.address(farm, 1)), "a server needs no farmd"
    assert bed.runs(farm) == runs
    farm.start(wait=False)
    wait_for(lambda: _statuses(farm) == [entry["status"] for entry in before.values()], what="adoption")
    after = farm.servers()
    assert bed.runs(farm) == runs
    for server_id, entry in after.items():
        for key in ("restarts", "limits_configured", "group"):
            assert entry[key] == before[server_id][key], key
    for server_id in (1, 3):
        told = bed.started_at(farm, server_id) if bed.differs("start_by_its_word") else before[server_id]["started_at"]
        assert after[server_id]["started_at"][:26] == told[:26]  # to the microsecond
    assert {event["server_id"] for event in farm.events(reason="Adopted")} - {None} == {1, 3}
    assert farm.events(reason="Started") == []
    if not bed.differs("pause_refused"):
        farm.act(3, "resume")
    farm.act(2, "start")
    for server_id in (1, 2, 3):
        wait_answer(farm, server_id)
    farm.act(1, "restart")
    assert bed.runs(farm)[1] != runs[1] and bed.runs(farm)[3] == runs[3]


def _statuses(farm):
    assert farm.process.poll() is None, farm.errors()
    try:
        return [entry["status"] for entry in farm.servers().values()]
    except OSError:
        return None


def test_one_that_ended_meanwhile_is_back(bed, farm_of):
    farm = farm_of(servers=2).start()
    runs = bed.runs(farm)
    bed.kill(farm)
    os.kill(runs[1], signal.SIGKILL)
    wait_for(lambda: bed.runs(farm).get(1) != runs[1], what="its end")
    farm.start()
    wait_answer(farm, 1)
    assert bed.runs(farm)[1] != runs[1] and bed.runs(farm)[2] == runs[2]


def test_down_removes_what_a_dead_farmd_left(bed, farm_of):
    farm = farm_of(servers=2).start()
    bed.kill(farm)
    assert bed.made(farm) == {1, 2}
    done = bed.run(farm, "down", *farm.arguments())
    assert done.returncode == 0, done.stderr
    assert bed.leftovers(farm) == [] and bed.made(farm) == set()


def test_a_farmd_that_cannot_serve_leaves_them_alone(bed, farm_of):
    """Neither one whose port is taken, nor a second one beside the first."""
    farm = farm_of(servers=2).start()
    runs = bed.runs(farm)
    second = bed.run(farm, *farm.arguments())
    assert second.returncode != 0 and bed.runs(farm) == runs
    bed.kill(farm)
    with bed.listening(farm.port):
        farm.start(wait=False)
        assert farm.process.wait(farmlib.DEADLINE) != 0
        assert str(farm.port) in farm.errors()
    assert bed.runs(farm) == runs
    farm.start()
    assert bed.runs(farm) == runs
