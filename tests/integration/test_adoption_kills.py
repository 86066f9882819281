"""farmd is killed again and again: under load, and at any moment of what it does.

ADOPTION_ROUNDS is how often it is killed under load, ADOPTION_KILLS at how many random moments, ADOPTION_SEED which ones.
"""

import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from adoptlib import goes_on, kill, slices
from farmd_process import FARMD, alive, environment_of, farms  # noqa: F401
from farmlib import DEADLINE, SLOW, wait_for

ROUNDS = int(os.environ.get("ADOPTION_ROUNDS", "2" if SLOW else "4"))
KILLS = int(os.environ.get("ADOPTION_KILLS", "8" if SLOW else "40"))
SEED = int(os.environ.get("ADOPTION_SEED", str(int.from_bytes(os.urandom(4), "little"))))


@contextlib.contextmanager
def hammering(farm):
    """Drives all servers meanwhile; yields what becomes the client's account."""
    account = {}
    script = pathlib.Path(__file__).with_name("hammer.py")
    client = subprocess.Popen(
        [sys.executable, script, str(farm.base_port), str(farm.servers_wanted)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert client.stdout.readline() == "running\n"
        yield account
        out, _ = client.communicate("", DEADLINE)
        account.update(json.loads(out))
    finally:
        client.kill()
        client.wait()


@pytest.mark.parametrize("flags", [[], ["--enforce", "none"]], ids=["enforced", "none"])
def test_no_request_fails(farms, flags):  # noqa: F811
    farm = farms(servers=50, flags=flags).start()
    with hammering(farm) as account:
        before = kill(farm)
        for _ in range(ROUNDS):
            farm.start()
            again = kill(farm)
            for server_id, entry in again.items():
                goes_on(before[server_id], entry)
            before = again
        farm.start()
    assert account["failures"] == []
    assert min(account["answered"]) > 0
    assert farm.output().count("  adopted     50 servers in ") == ROUNDS + 1
    assert [entry["restarts"] for entry in farm.servers().values()] == [0] * 50
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []


# --- at any moment ---


class Chaos:
    """A farm that is killed while it does something; after the next start all must be as it was wanted."""

    def __init__(self, farm, chance):
        self.farm, self.chance = farm, chance
        self.counts = {farm.servers_wanted}  # either may be wanted while a scale was not answered

    def wait(self, most):
        time.sleep(self.chance.uniform(0, most))

    def ask(self, path, body):
        """In the background; the answer may never come."""
        def run():
            with contextlib.suppress(OSError):
                self.farm.request("POST", path, body)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def starting(self):
        self.farm.kill()
        self.farm.start(wait=False)
        self.wait(0.1)

    def scaling(self):
        count = self.chance.randint(4, 16)
        self.counts.add(count)
        thread = self.ask("/api/scale", {"servers": count})
        self.wait(0.06)
        return thread

    def rolling(self):
        thread = self.ask("/api/rolling-restart", {"max_unavailable": 3})
        self.wait(0.15)
        return thread

    def upgrading(self):
        def run():
            subprocess.run([FARMD, "upgrade", *self.farm.arguments()], cwd=self.farm.directory, env=self.farm.env,
                           capture_output=True, timeout=DEADLINE)

        thread = threading.Thread(target=run)
        thread.start()
        self.wait(0.15)
        return thread

    def stopping(self):
        self.farm.process.send_signal(signal.SIGTERM)
        self.wait(0.02)
        self.counts.add(10)  # as it was set: a stop forgets a scale

    def round(self):
        what = self.chance.choice([self.starting, self.scaling, self.rolling, self.upgrading, self.stopping])
        thread = what()
        self.farm.kill()
        if thread:
            thread.join()
        self.farm.start(wait=False)
        wait_for(self.is_as_wanted, what=f"the wanted state after {what.__name__}")
        return what.__name__

    def is_as_wanted(self):
        if self.farm.process.poll() is not None:
            raise AssertionError(f"farmd ended with {self.farm.process.returncode}\n{self.farm.errors()}")
        try:
            entries = self.farm.servers()
        except OSError:
            return False
        if len(entries) not in self.counts or any(entry["status"] != "running" for entry in entries.values()):
            return False
        # No orphan and no double, and no cgroup but theirs.
        pids = {entry["pid"] for entry in entries.values()}
        if set(self.farm.processes()) != pids | {self.farm.process.pid}:
            return False
        self.farm.note_slices()
        names = {entry["name"] for entry in entries.values()}
        if any(set(leaves) - {"supervisor"} != names for leaves in slices(self.farm).values()):
            return False
        for server_id, entry in entries.items():
            assert self.farm.worker(server_id).json()["server_id"] == entry["name"]
            assert environment_of(entry["pid"])["SERVER_ID"] == str(server_id)
        self.counts = {len(entries)}
        return True


@pytest.mark.parametrize("flags", [[], ["--enforce", "none"]], ids=["enforced", "none"])
def test_killed_at_any_moment(farms, flags):  # noqa: F811
    print(f"ADOPTION_SEED={SEED}")
    farm = farms(servers=10, spare=6, flags=flags).start()
    chaos = Chaos(farm, random.Random(SEED))
    done = [chaos.round() for _ in range(KILLS if not flags else KILLS // 2)]
    print(done)
    assert list(farm.state_dir.glob("state.broken*")) == []
    assert "warning: " not in farm.errors().replace("warning: limits are not in force", "")
    family = farm.processes()
    assert farm.stop() == 0, farm.errors()
    assert farm.leftovers() == []
    assert not [pid for pid in family if alive(pid)]
