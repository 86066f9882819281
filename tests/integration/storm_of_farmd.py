"""A storm in which farmd is killed as well, now and then, and started again. A fault that was under way then may be told
in more than one way, by either farmd or by none; but its server is back, and each of its endings is counted once."""

import contextlib
import dataclasses
import os
import random
import signal
import time

import adoptlib
import farmlib
import storm
from farmlib import wait_for

REASONS = {"kill": "Crashed", "segv": "Crashed", "freeze": "LivenessFailed", "oom": "OOMKilled", "exit_0": "Completed",
           "exit_1": "Crashed", "steal_port": "Crashed"}
DIE_UNSEEN = 3  # servers that end while there is no farmd, each time


@dataclasses.dataclass
class Interruption:
    """What must have become of a server whose end or new start the killed farmd may not have written down."""

    restarts: set
    oom_kills: set
    reasons: set  # of the last exit
    since: float = dataclasses.field(default_factory=time.monotonic)

    def is_over(self, entry):
        assert entry["restarts"] <= max(self.restarts), f"{self.restarts} restarts were to come"
        return entry["status"] == "running" and entry["restarts"] in self.restarts


class StormOfFarmd(storm.Storm):
    def __init__(self, farm, seed, count, kinds, kills):
        super().__init__(farm, seed, count, kinds)
        self.chance = random.Random(f"farmd {seed}")
        self.kill_at = sorted(self.chance.sample(range(count), kills))  # when so many faults have begun, but
        self.not_before = 0
        self.interrupted = {}
        self.adopted = 0
        wait_for(lambda: adoptlib.is_recorded(farm), what="the state being written down")

    def _busy(self):
        return bool(self.interrupted or self.kill_at) or super()._busy()

    def _may_begin(self, victim):
        """One ending at a time is all that a killed farmd may keep to itself."""
        return victim.id not in self.interrupted and self._is_written(victim)

    def _is_written(self, victim):
        record = (adoptlib.records(self.farm) or {}).get(victim.id, {})
        return (record.get("wanted"), record.get("pid")) == ("running", str(victim.pid))

    def _turn(self):
        begun, now = self.total("begun").total(), time.monotonic()
        if self.kill_at and now >= self.not_before and (begun >= self.kill_at[0] or not super()._busy()):
            self.kill_at.pop(0)
            self._kill_farmd()
            self.not_before = now + self.chance.choice((0, self.chance.uniform(0, 3)))
        entries = self.farm.servers() if self.interrupted else {}  # before the events, so that these are not older
        self._take_events()
        for server_id, interruption in list(self.interrupted.items()):
            with self._blame(self.victims[server_id], (interruption, entries[server_id])):
                self._look_after(self.victims[server_id], interruption, entries[server_id])
        self._begin_faults()

    def _take(self, victim, event):
        reason, interruption = event["reason"], self.interrupted.get(victim.id)
        if reason in ("Adopted", "Started"):
            victim.is_adopted = reason == "Adopted"
        if interruption is None:
            super()._take(victim, event)
        elif reason in storm.TOLD:
            assert reason in interruption.reasons | storm.STEPS

    def _look_after(self, victim, interruption, entry):
        if not interruption.is_over(entry):
            assert time.monotonic() - interruption.since < farmlib.DEADLINE, "it is not back"
            return
        del self.interrupted[victim.id]
        if victim.step is not None:
            victim.step.close()
            victim.step = None
        last_exit = entry["last_exit"] or {"reason": None}
        reason = last_exit["reason"]
        assert reason in interruption.reasons and entry["oom_kills"] in interruption.oom_kills
        if reason == "OOMKilled":
            assert last_exit["oom_killed"] and entry["oom_kills"] == max(interruption.oom_kills)
        if reason == "ExitUnknown":
            assert (last_exit["exit_code"], last_exit["signal"], last_exit["oom_killed"]) == (None, None, False)
        victim.last_exit, victim.is_checked = {"reason": reason} if reason else {}, False
        victim.pid = entry["pid"]
        victim.restarts = victim.restarts_before = entry["restarts"]
        victim.oom_kills = victim.oom_kills_before = entry["oom_kills"]

    # --- farmd's own fault ---

    def _kill_farmd(self):
        self.farm.kill()
        untouched = []
        for victim in self.victims.values():
            if victim.id in self.interrupted:
                continue
            if victim.step is None and victim.is_checked and self._is_written(victim):
                untouched.append(victim)
            else:
                self._interrupt(victim)
        for victim in self.chance.sample(untouched, min(DIE_UNSEEN, len(untouched))):
            untouched.remove(victim)
            os.kill(victim.pid, signal.SIGKILL)
            self.interrupted[victim.id] = Interruption({victim.restarts + 1}, {victim.oom_kills}, {"ExitUnknown"})
        self.farm.start(wait=False)
        self._expect_adopted(untouched)

    def _interrupt(self, victim):
        oom_kills = {victim.oom_kills_before, victim.oom_kills}
        if victim.step is None:  # it has just come back, and that may not be written down
            restarts, reasons = {victim.restarts}, {victim.last_exit["reason"]}
        else:
            kind = victim.fault.kind
            restarts, reasons = {victim.restarts_before + 1}, {REASONS[kind]}
            if kind == "oom":
                oom_kills.add(victim.oom_kills_before + 1)
            elif kind == "steal_port":
                victim.step.close()
                victim.step = None
                restarts.add(victim.restarts_before + 2)  # it may have been started in vain
                reasons.add("PortTaken")
        if victim.fault and victim.fault.kind == "freeze":  # what was just being killed for it is swept away as no ending
            reasons.add(victim.reason_before)
        self.interrupted[victim.id] = Interruption(restarts, oom_kills, reasons | {"ExitUnknown"})

    def _expect_adopted(self, untouched):
        entries = wait_for(self._entries, what="an answer of the next farmd")
        self.first = self.seen = self.farm.events()[0]["id"] - 1  # what the killed one has told is over
        for victim in untouched:
            with self._blame(victim, entries[victim.id]):
                victim.check(entries[victim.id])
        self.adopted += len(untouched)

    def _entries(self):
        # a child that the old one had just begun holds its listener until it is another program
        with contextlib.suppress(OSError):
            return self.farm.servers()
        return None
