"""A real Engine that is killed, or restarted in order, while a farm runs on it (make test-docker)."""

import signal

import pytest

import dockerlib
import farmlib
from dockerlib import DockerFarm, an_engine
from farmlib import wait_for

pytestmark = pytest.mark.skipif(not dockerlib.REAL, reason="the fake's containers always live on: test_docker_hostile.py")
SERVERS = 5


def end_engine(engine, how):
    if how == "killed":
        engine.stop()
    else:
        engine.process.send_signal(signal.SIGTERM)
        engine.process.wait(farmlib.DEADLINE)


@pytest.mark.parametrize("how", ["killed", "restarted"])
@pytest.mark.parametrize("live_restore", [True, False])
def test_an_engine_that_goes_away_and_comes_back(how, live_restore):
    """Lists and health go on, actions answer 503; then what lived on goes on, and what ended is started again."""
    with an_engine(flags=["--live-restore"] if live_restore else []) as engine:
        farm = DockerFarm(engine, servers=SERVERS)
        try:
            farm.start()
            pids = farm.pids()
            end_engine(engine, how)
            wait_for(lambda: farm.request("POST", "/api/servers/1/action", {"action": "stop"}).status == 503, what="503")
            assert len(farm.servers()) == SERVERS
            farm.get("/api/health")
            engine.start()
            farm.wait_ready()
            if live_restore:
                assert farm.pids() == pids
            else:
                assert not set(pids.values()) & set(farm.pids().values())
            assert not farm.events(reason="GaveUp")
            assert all(farm.worker(i).status == 200 for i in farm.pids())
            farm.act(1, "restart")
            assert farm.stop() == 0 and farm.leftovers() == []
        finally:
            farm.clean()
