"""The suite's beds, one after the other, each with one farm that the tests share and leave as they found it."""

import contextlib
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration"), str(HERE.parent / "swarm")]

import kinds  # noqa: E402

pytest.register_assert_rewrite("watching")


@pytest.hookimpl(trylast=True)  # pytest's own order is by what the fixtures cost
def pytest_collection_modifyitems(items):
    """Of each bed, first the tests that share a farm: servers have the same names in every farm, so one must go for the
    next."""
    items.sort(key=lambda item: (_kind(item), "farm_of" in item.fixturenames))


def _kind(item):
    spec = getattr(item, "callspec", None)
    return kinds.KINDS.index(spec.params["bed"]) if spec and "bed" in spec.params else -1


@pytest.fixture(scope="session", params=kinds.KINDS)
def bed(request):
    with kinds.open_bed(request.param) as made:
        yield made


@pytest.fixture
def farm(bed):
    """The bed's farm of three servers, all running with the settings' limits; a test leaves it so."""
    one = bed.shared()
    try:
        yield one
        one.wait_ready()
    except BaseException:
        bed.discard_shared()
        raise
    if bed.failed:
        bed.discard_shared()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    made = getattr(item, "funcargs", {}).get("bed")
    if made is not None and call.when == "call":
        made.failed = outcome.get_result().failed


@pytest.fixture
def farm_of(bed):
    """Makes farms of a test's own, one at a time; what still runs afterwards must end in order and leave nothing."""
    bed.end_shared()
    with contextlib.ExitStack() as stack:
        made = []

        def make(*args, **kwargs):
            made.append(bed.make(*args, **kwargs))
            stack.callback(bed.discard, made[-1])
            return made[-1]

        yield make
        for farm in made:
            bed.end(farm)
