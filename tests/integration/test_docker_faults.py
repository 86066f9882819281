"""What is wrong at the start or with the Engine's machine: a sentence that says what to do, and nothing left behind."""

import contextlib
import os
import signal

import pytest

import dockerlib
import farmlib
from dockerlib import DockerFarm, an_engine
from farmlib import wait_for

pytestmark = pytest.mark.skipif(dockerlib.REAL, reason="the fake Engine is asked to misbehave")
FULL = (500, "write /var/lib/docker/tmp/x: no space left on device")


@pytest.fixture
def engine():
    with an_engine() as made:
        yield made


@pytest.fixture
def farm_of(engine):
    with contextlib.ExitStack() as stack:
        def make(*args, **kwargs):
            farm = DockerFarm(engine, *args, **kwargs)
            stack.callback(farm.clean)
            return farm

        yield make


def refused(farm):
    assert farm.process.wait(farmlib.DEADLINE) == 1
    text = farm.errors()
    assert "fix:" in text and "Docker Engine" in text, text
    assert farm.leftovers() == []
    return text


@pytest.mark.skipif(os.geteuid() != 0, reason="to be somebody else for a while takes root")
@pytest.mark.parametrize("what", ["the socket", "its directory"])
def test_no_permission_on_the_socket(farm_of, engine, what):
    farm = farm_of(servers=1)
    os.chmod(farm.directory, 0o777)
    os.chmod(os.path.dirname(engine.socket), 0o700 if what == "its directory" else 0o755)
    os.chmod(engine.socket, 0o660)
    farm.start(wait=False, prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    text = refused(farm)
    assert "may not use" in text and engine.socket in text and "group" in text


def test_a_disk_that_is_full_at_the_start(farm_of, engine):
    engine.misbehave("POST", "/images/create", FULL)
    assert "no space left" in refused(farm_of(servers=1).start(wait=False))


def test_a_network_that_cannot_be_made(farm_of, engine):
    engine.misbehave("POST", "/networks/create", (403, "could not find an available, non-overlapping IPv4 address pool"))
    assert "address pool" in refused(farm_of(servers=1).start(wait=False))


def test_a_disk_that_is_full_later(farm_of, engine):
    """It is told in the Engine's words, and the start is tried again."""
    engine.misbehave("POST", "/containers/create", FULL, times=2)
    farm = farm_of(servers=2).start(wait=False)
    event = wait_for(lambda: started(farm, "StartFailed"), what="the failure")[0]
    assert "no space left on device" in event["message"]
    farm.wait_ready()
    assert farm.stop() == 0 and farm.leftovers() == []


def started(farm, reason):
    with contextlib.suppress(OSError):
        return farm.events(reason=reason)
    return None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("method, path", [
    ("GET", "/_ping"), ("GET", "/info"), ("POST", "/images/create"), ("GET", "/networks/server-network"),
    ("POST", "/networks/create"), ("GET", "/containers/json"), ("POST", "/containers/create"),
    ("POST", "/containers/[^/]+/start"), ("GET", "/containers/[^/]+/json"), ("GET", "/events"),
])
def test_a_start_that_is_interrupted_at_any_point_leaves_nothing(farm_of, engine, method, path, number):
    """Also when the Engine does what it was asked for although nobody waits for its answer."""
    gate = engine.hold(method, path)
    farm = farm_of(servers=2).start(wait=False)
    wait_for(lambda: gate.waiting, what="the Engine being asked")
    farm.process.send_signal(number)
    gate.open()
    assert farm.process.wait(farmlib.DEADLINE) in (0, -number), farm.errors()
    wait_for(lambda: not engine.busy, what="the Engine having done what it was asked for")
    assert farm.leftovers() == [], farm.errors() + farm.output()
