"""Which Engine farmd speaks with, and in which version of its API; on the fake, which can be of any age."""

import pytest

import dockerlib
import farmlib
from dockerlib import DockerFarm, an_engine
from farmlib import wait_for

pytestmark = pytest.mark.skipif(dockerlib.REAL, reason="a real Engine has one version")


@pytest.mark.parametrize("newest, least, spoken", [
    ("1.41", "1.12", "1.41"),
    ("1.43", "1.12", "1.43"),
    ("1.52", "1.44", "1.44"),
    ("1.60", "1.50", "1.60"),  # it has given up all that farmd knows
])
def test_the_version_is_the_newest_that_both_know(newest, least, spoken):
    with an_engine(newest) as engine:
        engine.least_version = least
        farm = DockerFarm(engine, servers=1)
        try:
            farm.start()
            assert engine.requests[0] == ("GET", "/_ping")
            assert engine.versions == {spoken}  # in front of every path: the fake refuses those without one
            assert farm.stop() == 0 and farm.leftovers() == []
        finally:
            farm.clean()


def test_an_engine_that_is_too_old_is_told_of():
    with an_engine("1.40") as engine:
        farm = DockerFarm(engine, servers=1).start(wait=False)
        try:
            assert farm.process.wait(farmlib.DEADLINE) == 1
            assert "1.40" in farm.errors() and "1.41 is needed" in farm.errors() and "fix:" in farm.errors()
        finally:
            farm.clean()


@pytest.mark.parametrize("answer", [500, "drop", "stall"])
def test_an_engine_that_does_not_work_at_the_start(answer):
    """A hang included, farmd ends with a sentence that says what to do."""
    with an_engine() as engine:
        engine.misbehave("GET", "/_ping", answer, times=10)
        farm = DockerFarm(engine, servers=1).start(wait=False)
        try:
            wait_for(lambda: farm.process.poll() is not None, what="farmd having given up")
            assert farm.process.returncode == 1
            assert "fix:" in farm.errors() and engine.socket in farm.errors()
        finally:
            farm.clean()
