"""No line of a container's log is lost or doubled, whoever is restarted meanwhile; on the fake Engine, whose containers write
what the test wants them to."""

import contextlib
import itertools
import pathlib
import threading
import time

import pytest

import dockerlib
from dockerlib import DockerFarm, an_engine
from farmlib import wait_for

pytestmark = pytest.mark.skipif(dockerlib.REAL, reason="the fake's containers write on demand")


@pytest.fixture
def engine():
    with an_engine() as made:
        yield made


@pytest.fixture
def farm(engine):
    with contextlib.ExitStack() as stack:
        farm = DockerFarm(engine, servers=1)
        stack.callback(farm.clean)
        yield farm.start()
        assert farm.stop() == 0, farm.errors()


def log_of(farm):
    return next(pathlib.Path(farm.directory).rglob("logs/server-1.log"))


def numbers(farm):
    return [int(line.split()[1]) for line in log_of(farm).read_text().splitlines() if line.startswith("line ")]


def wait_written(farm, count):
    wait_for(lambda: len(numbers(farm)) >= count, what=f"{count} lines")
    assert numbers(farm) == list(range(count))


class Writer(threading.Thread):
    """Lines at full speed, some with the same time and some with an earlier one than the line before."""

    def __init__(self, container):
        super().__init__(daemon=True)
        self.container, self.count, self.ending = container, 0, threading.Event()

    def run(self):
        for i in itertools.count():
            if self.ending.is_set():
                return
            self.container.write(b"line %d\n" % i, ago_ns=300_000_000 * (i % 7 == 0))
            self.count = i + 1
            time.sleep(0.0005)

    def end(self):
        self.ending.set()
        self.join()
        return self.count


def test_whoever_is_restarted_meanwhile(farm, engine):
    writer = Writer(engine.by_name("server-1"))
    writer.start()
    for who in ["farmd", "engine", "connection", "farmd", "engine", "farmd"]:
        before = writer.count
        wait_for(lambda: writer.count > before + 300 and len(numbers(farm)) > before, what="more lines in the log")
        if who == "farmd":
            farm.kill()
            farm.start(wait=False)
        elif who == "engine":
            engine.stop()
            engine.start()
        else:
            engine.break_streams("/containers/[^/]+/logs")
    wait_written(farm, writer.end())


def test_lines_of_the_time_without_farmd(farm, engine):
    container = engine.by_name("server-1")
    for i in range(3):
        container.write(b"line %d\n" % i)
    wait_written(farm, 3)
    farm.kill()
    for i in range(3, 6):
        container.write(b"line %d\n" % i)
    farm.start(wait=False)
    wait_written(farm, 6)


def test_the_next_run_of_the_same_container_begins_where_the_last_one_ended(farm, engine):
    container = engine.by_name("server-1")
    for i in range(3):
        container.write(b"line %d\n" % i)
    wait_written(farm, 3)
    farm.act(1, "restart")
    assert engine.by_name("server-1") is container
    container.write(b"line 3\n")
    wait_written(farm, 4)
    text = log_of(farm).read_text()
    assert text.count("started") == 2 and text.count("stopped") == 1, text


@pytest.mark.parametrize("reached_the_log", [False, True])
def test_an_end_between_the_note_and_the_log(farm, engine, reached_the_log):
    """farmd notes how far it has come and appends to the log: killed in between, neither is believed blindly."""
    container = engine.by_name("server-1")
    container.write(b"line 0\n")
    wait_written(farm, 1)
    size = log_of(farm).stat().st_size
    container.write(b"line 1\n")
    wait_written(farm, 2)
    farm.kill()
    if not reached_the_log:
        with open(log_of(farm), "r+b") as log:
            log.truncate(size + 3)  # a part of it
    farm.start(wait=False)
    container.write(b"line 2\n")
    wait_written(farm, 3)


def test_a_log_that_the_engine_has_cut(farm, engine):
    """It keeps 3 MB: what it has dropped does not count, and what is new is taken."""
    container = engine.by_name("server-1")
    for i in range(5):
        container.write(b"line %d\n" % i)
    wait_written(farm, 5)
    farm.kill()
    with container.written:
        del container.lines[:-2]
    container.write(b"line 5\n")
    farm.start(wait=False)
    wait_written(farm, 6)
