"""farmd down: ends a farm whose farmd lives, and what one that is gone has left; never anything else."""

import pathlib
import subprocess
import sys
import threading
import time

import pytest

from cgrouplib import needs_root
from farmd_process import FARMD, NOBODY, alive, farms  # noqa: F401
from farmlib import DEADLINE, wait_for

# Ignores what asks it to end, and so does its child, which has left its process group.
STUBBORN = """
import http.server, os, signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    while True:
        time.sleep(60)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

WITH_STUBBORN = """
groups:
  - {name: web, count: 2}
  - name: stubborn
    count: 1
    stop_grace: %s
    command: [python3, $DIR/stubborn.py]
    probes: {startup: {interval: 100ms}}
"""


def start_down(farm, *flags, **popen):
    return subprocess.Popen(
        [FARMD, "down", *(flags or farm.arguments())], cwd=farm.directory, env=farm.env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen,
    )


def down(farm, *flags, **popen):
    process = start_down(farm, *flags, **popen)
    out, err = process.communicate(timeout=2 * DEADLINE)
    return subprocess.CompletedProcess("down", process.returncode, out, err)


def assert_down(farm, words):
    result = down(farm)
    assert result.returncode == 0 and words in result.stdout, result
    assert farm.leftovers() == []


def assert_nothing_to_stop(farm):
    assert_down(farm, f"nothing to stop: no farm runs with the state directory {farm.state_dir}")


def kill_farmd(farm):
    """Once it has written down what it runs."""
    state, pids = farm.state_dir / "state", farm.pids().values()
    wait_for(lambda: state.exists() and all(f"pid={pid} " in state.read_text() for pid in pids), what="the state")
    farm.kill()


def with_stubborn(farms, grace, **kwargs):  # noqa: F811
    farm = farms(servers=3, config=WITH_STUBBORN % grace, **kwargs)
    (farm.directory / "stubborn.py").write_text(STUBBORN)
    return farm.start()


ENFORCE = pytest.mark.parametrize("flags", [(), ("--enforce", "none")], ids=["auto", "none"])


# --- a farmd that lives ---


def test_stops_a_living_farmd(farms):  # noqa: F811
    farm = farms(servers=3).start()
    pid = farm.process.pid
    assert_down(farm, f"stopping farmd (pid {pid}) and its servers\nstopped in ")
    assert farm.process.wait(DEADLINE) == 0
    assert_nothing_to_stop(farm)


def test_waits_for_servers_that_take_their_time(farms):  # noqa: F811
    farm = with_stubborn(farms, "1s")
    began = time.monotonic()
    assert_down(farm, "stopped in ")
    assert time.monotonic() - began >= 1
    assert farm.process.wait(DEADLINE) == 0


def test_second_one_forces(farms):  # noqa: F811
    farm = with_stubborn(farms, "10m")
    first = start_down(farm)
    wait_for(lambda: "stopping" in farm.errors(), what="the first one's signal taken")
    assert_down(farm, "stopped in ")
    assert first.wait(DEADLINE) == 0
    first.communicate()


def test_while_a_farmd_starts(farms):  # noqa: F811
    for delay in (0, 0.005, 0.01, 0.02, 0.05):
        farm = farms(servers=10).start(wait=False)
        time.sleep(delay)  # whatever the moment is
        result = down(farm)
        assert result.returncode == 0, result
        if "nothing to stop" in result.stdout:  # it had not got as far as to its lock
            farm.stop()
        farm.process.wait(DEADLINE)
        assert farm.leftovers() == []


# --- one that is gone ---


@ENFORCE
def test_stops_what_was_left_in_order(farms, flags):  # noqa: F811
    farm = farms(servers=3, flags=flags).start()
    pids = farm.pids()
    kill_farmd(farm)
    assert [pid for pid in pids.values() if not alive(pid)] == []
    assert_down(farm, "stopped 3 servers that a farmd that is gone had left, in ")
    for i in pids:
        log = (farm.state_dir / "logs" / f"server-{i}.log").read_text().splitlines()
        assert "stopped" in log[-1], log
    assert not (farm.state_dir / "state").exists()
    assert not (farm.state_dir / "lock").exists()
    assert_nothing_to_stop(farm)


@ENFORCE
def test_kills_what_does_not_end(farms, flags):  # noqa: F811
    farm = with_stubborn(farms, "500ms", flags=flags)
    family = farm.processes()
    assert len(family) == 5  # farmd, three servers, a child that has left its group
    kill_farmd(farm)
    began = time.monotonic()
    assert_down(farm, "stopped 3 servers that a farmd that is gone had left, in ")
    assert time.monotonic() - began >= 0.5
    assert [pid for pid in family if alive(pid)] == []


def test_paused_server_is_stopped(farms):  # noqa: F811
    farm = farms(servers=2).start()
    farm.act(1, "pause")
    kill_farmd(farm)
    assert_down(farm, "stopped 2 servers")


def test_requests_under_way_are_finished(farms):  # noqa: F811
    farm = farms(servers=1).start()
    answers = []
    slow = threading.Thread(target=lambda: answers.append(farm.worker(1, path="/slow-endpoint")))
    slow.start()
    wait_for(lambda: farm.worker(1).json()["total_requests"] >= 2, what="the slow request under way")
    kill_farmd(farm)
    assert_down(farm, "stopped 1 server that")
    slow.join()
    assert answers[0].status == 200


def test_no_farmd_starts_meanwhile(farms):  # noqa: F811
    farm = with_stubborn(farms, "2s")
    kill_farmd(farm)
    process = start_down(farm)
    wait_for(lambda: (farm.state_dir / "lock").read_text() == f"{process.pid}\n", what="its lock")
    farm.start(wait=False)
    assert farm.process.wait(DEADLINE) == 2
    assert f"another farmd (pid {process.pid}) holds" in farm.errors()
    assert process.wait(DEADLINE) == 0, process.communicate()
    process.communicate()
    assert farm.leftovers() == []
    farm.start()
    assert farm.stop() == 0


def test_second_one_forces_the_first(farms):  # noqa: F811
    farm = with_stubborn(farms, "10m")
    kill_farmd(farm)
    first = start_down(farm)
    wait_for(lambda: len(farm.processes()) == 3, what="only the first one and the stubborn server with its child left")
    result = down(farm)
    assert result.returncode == 0 and f"stopping farmd (pid {first.pid})" in result.stdout, result
    assert "stopped 3 servers" in first.communicate(timeout=DEADLINE)[0]
    assert first.returncode == 0
    assert farm.leftovers() == []


def test_settings_that_do_not_know_a_server(farms):  # noqa: F811
    farm = with_stubborn(farms, "10m")
    kill_farmd(farm)
    farm.write_config("groups: [{name: web, count: 2}]\n")
    assert_down(farm, "stopped 2 servers")


def test_state_file_that_is_broken(farms):  # noqa: F811
    farm = farms(servers=2).start()
    kill_farmd(farm)
    (farm.state_dir / "state").write_text("nonsense")
    assert_down(farm, "removed what a farmd that is gone had left")


# --- nothing else ---


def test_nothing_to_stop(farms):  # noqa: F811
    farm = farms(servers=1)
    assert_nothing_to_stop(farm)
    assert not farm.state_dir.exists() and not farm.runtime_dir.exists()


def test_another_farm_is_left_alone(farms):  # noqa: F811
    other, farm = farms(servers=2).start(), farms(servers=2).start()
    kill_farmd(farm)
    assert_down(farm, "stopped 2 servers")
    assert other.process.poll() is None
    assert other.worker(1).status == other.worker(2).status == 200


def test_foreign_process_is_left_alone(farms):  # noqa: F811
    farm = farms(servers=1).start()
    pid = farm.pids()[1]
    foreign = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        kill_farmd(farm)
        state = farm.state_dir / "state"
        text = state.read_text()
        started = pathlib.Path(f"/proc/{foreign.pid}/stat").read_text().rpartition(")")[2].split()[19]
        for number in (started, "1"):
            state.write_text(edited(text, pid, foreign.pid, number))
            result = down(farm)
            assert result.returncode == 0, result
            assert foreign.poll() is None
        assert farm.leftovers() == []
    finally:
        foreign.kill()
        foreign.wait()


def edited(text, pid, other, started):
    """The state file with another process in the place of a server's."""
    words = text.split(" ")
    for i, word in enumerate(words):
        if word == f"pid={pid}":
            words[i] = f"pid={other}"
            assert words[i + 1].startswith("start="), words
            words[i + 1] = f"start={started}"
    return " ".join(words)


@needs_root
def test_another_user_may_not(farms):  # noqa: F811
    farm = farms(servers=1).start()
    result = down(farm, user=NOBODY, group=NOBODY, extra_groups=[])
    assert result.returncode == 1 and "Permission denied" in result.stderr, result
    assert farm.worker(1).status == 200
    kill_farmd(farm)
    result = down(farm, user=NOBODY, group=NOBODY, extra_groups=[])
    assert result.returncode == 1 and "Permission denied" in result.stderr, result
    assert farm.worker(1).status == 200


# --- --purge ---


def test_purge(farms):  # noqa: F811
    farm = farms(servers=3).start()
    for name in ("history.db.broken", "state.broken.2"):
        (farm.state_dir / name).write_text("old")
    (farm.state_dir / "logs" / "mine.txt").write_text("not farmd's")
    result = down(farm, *farm.arguments(), "--purge")
    assert result.returncode == 0 and result.stderr == "", result
    # three logs and the history, in one file when it was closed in order
    assert f"removed logs and history of {farm.state_dir}: 6 files, " in result.stdout
    left = [str(path.relative_to(farm.state_dir)) for path in farm.state_dir.rglob("*")]
    assert sorted(left) == ["logs", "logs/mine.txt"], "what is not farmd's stays, nothing else"
    (farm.state_dir / "logs" / "mine.txt").unlink()
    result = down(farm, *farm.arguments(), "--purge")
    assert result.returncode == 0 and "no logs or history" in result.stdout
    assert not farm.state_dir.exists()
    farm.start()  # and a farm begins there anew
    farm.stop()


def test_purge_of_what_was_left(farms):  # noqa: F811
    farm = farms(servers=2).start()
    kill_farmd(farm)
    result = down(farm, *farm.arguments(), "--purge")
    assert result.returncode == 0 and "stopped 2 servers" in result.stdout and "removed logs" in result.stdout
    assert not farm.state_dir.exists() and farm.leftovers() == []


def test_logs_stay_without_purge(farms):  # noqa: F811
    farm = farms(servers=2).start()
    assert_down(farm, "stopped in ")
    assert (farm.state_dir / "logs" / "server-2.log").exists() and (farm.state_dir / "history.db").exists()


@needs_root
def test_nothing_is_purged_of_a_farm_that_may_not_be_stopped(farms):  # noqa: F811
    farm = farms(servers=2).start()
    result = down(farm, *farm.arguments(), "--purge", user=NOBODY, group=NOBODY)
    assert result.returncode != 0 and "removed" not in result.stdout, result
    assert (farm.state_dir / "logs" / "server-2.log").exists() and alive(farm.process.pid)


def test_wrong_flag(farms):  # noqa: F811
    result = down(farms(servers=1), "--porrt", "1")
    assert result.returncode == 2 and "--porrt" in result.stderr, result
