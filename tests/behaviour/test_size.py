"""The farm as a whole: scale and rolling restart."""

import pytest

from farmlib import wait_for
from watching import most_down_at_once, wait_answer


def test_scale_up_and_down(bed, farm):
    runs = bed.runs(farm)
    farm.post("/api/scale", {"servers": 5})
    wait_for(lambda: [entry["status"] for entry in farm.servers().values()] == ["running"] * 5, what="two more")
    assert bed.made(farm) == {1, 2, 3, 4, 5}
    for server_id in (4, 5):
        wait_answer(farm, server_id)
    farm.post("/api/scale", {"servers": 2})
    assert list(farm.servers()) == [1, 2]
    wait_for(lambda: bed.made(farm) == {1, 2}, what="nothing of the others being left")
    farm.post("/api/scale", {"servers": 3})
    farm.wait_ready()
    assert {**bed.runs(farm), 3: 0} == {**runs, 3: 0}, "those that stay are not touched"


@pytest.mark.parametrize("most", [1, 2])
def test_rolling_restart(bed, farm, most):
    before, since, runs = farm.servers(), farm.last_event(), bed.runs(farm)
    answer = farm.post("/api/rolling-restart", {"max_unavailable": most})
    assert (answer["status"], answer["total"], answer["successful"], answer["failed"]) == ("success", 3, 3, 0)
    for server_id, entry in farm.servers().items():
        assert entry["status"] == "running"
        assert entry["restarts"] == before[server_id]["restarts"] + 1
        wait_answer(farm, server_id)
    now = bed.runs(farm)
    assert set(now) == set(runs) and all(now[i] != runs[i] for i in runs)
    assert 1 <= most_down_at_once(farm, since) <= most


def test_rolling_restart_leaves_stopped_ones_alone(bed, farm):
    runs = bed.runs(farm)
    farm.act(2, "stop")
    answer = farm.post("/api/rolling-restart", {"ids": "2-3"})
    assert (answer["status"], answer["successful"], answer["failed"]) == ("success", 1, 0)
    assert farm.server(2)["status"] == "stopped"
    now = bed.runs(farm)
    assert set(now) == {1, 3} and now[1] == runs[1] and now[3] != runs[3]
    farm.act(2, "start")
