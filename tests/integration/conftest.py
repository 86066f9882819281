"""Fixtures that several integration tests share."""

import pytest

import farmlib


@pytest.fixture
def start(tmp_path):
    """farmlib.start_worker whose workers are gone after the test, whatever happened in it."""
    workers = []

    def start_one(*flags, **kwargs):
        workers.append(farmlib.start_worker(tmp_path, *flags, **kwargs))
        return workers[-1]

    yield start_one
    for worker in workers:
        worker.kill()


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """One worker for all tests of a module that leave it as it was. It must stop in good order at the end."""
    one = farmlib.start_worker(tmp_path_factory.mktemp("worker"))
    try:
        yield one
        assert one.process.poll() is None, f"the worker died: {one.process.returncode}\n{one.output()}"
        code = one.stop()
        assert code == 0, f"exit code {code}\n{one.output()}"
    finally:
        one.kill()
