"""Bad input: a clear answer, and no server is touched."""

import contextlib

import pytest

import farmlib
from farmlib import wait_for

REFUSED = [
    ("POST", "/api/servers/1/action", {"action": "dance"}, 400, 'Invalid action "dance"'),
    ("POST", "/api/servers/1/action", {}, 422, "action"),
    ("POST", "/api/servers/1/action", "{", 422, "not valid JSON"),
    ("POST", "/api/servers/99/action", {"action": "stop"}, 404, "server_id 99"),
    ("POST", "/api/servers/action", {"ids": "2-1", "action": "stop"}, 422, "ids"),
    ("PATCH", "/api/servers/1", {"cpu": -1}, 422, "cpu must be"),
    ("PATCH", "/api/servers/1", {"memory_mb": "much"}, 422, "memory_mb must be"),
    ("PATCH", "/api/servers/1", {"memory_mb": 100, "memory_reservation_mb": 200}, 422, "memory_reservation"),
    ("PATCH", "/api/servers/99", {"cpu": 1}, 404, "server_id 99"),
    ("POST", "/api/scale", {"servers": 0}, 422, "servers must be"),
    ("POST", "/api/rolling-restart", {"max_unavailable": 0}, 422, "max_unavailable must be"),
]


@pytest.mark.parametrize("method, path, body, status, words", REFUSED)
def test_a_bad_request_touches_nothing(bed, farm, method, path, body, status, words):
    before, runs = farm.servers(), bed.runs(farm)
    answer = farm.request(method, path, body)
    assert (answer.status, words in answer.json()["detail"]) == (status, True), answer.body
    for server_id, entry in farm.servers().items():
        for key in ("status", "restarts", "limits_configured", "started_at"):
            assert entry[key] == before[server_id][key]
    assert bed.runs(farm) == runs


@pytest.mark.parametrize("flags, words", [
    (["--cpu", "0"], "cpu"),
    (["--memory", "256X"], "memory"),
    (["--restart", "sometimes"], "restart"),
    (["--restart-profile", "openrc"], "restart"),
])
def test_a_bad_setting_starts_nothing(bed, farm_of, flags, words):
    farm = farm_of(servers=1, flags=flags).start(wait=False)
    assert farm.process.wait(farmlib.DEADLINE) == 2
    assert words in farm.errors()
    assert bed.made(farm) == set() and bed.leftovers(farm) == []


def test_a_taken_port_is_named_and_the_others_run(bed, farm_of):
    farm = farm_of(servers=2)
    with bed.listening(farm.base_port):
        farm.start(wait=False)
        event = wait_for(lambda: _events(farm, "PortTaken"), what="the failure")[0]
        assert event["server_id"] == 1 and str(farm.base_port) in event["message"]
        farm.wait_status(2, "running")
        assert farm.server(1)["last_exit"]["reason"] == "PortTaken"
        assert 1 not in bed.runs(farm)
    farm.wait_ready()


def _events(farm, reason):
    assert farm.process.poll() is None, farm.errors()
    with contextlib.suppress(OSError):
        return farm.events(reason=reason)
    return None
