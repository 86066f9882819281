"""A storm of faults over a farm: drawn from a seed, many servers at once, each server's next fault when it is back from
the one before, so that every ending has the one fault that it must tell of."""

import collections
import dataclasses
import os
import pathlib
import random
import re
import signal
import time

import farmlib

# A shell in front of farm-worker: it can end with any code, and leaves a process behind when it is killed.
WRAPPER = """#!/bin/sh
trap 'exit 0' USR1
trap 'exit 1' USR2
"$DIR/farm-worker" &
wait $!
exit $?
"""
MEMORY_MB = 96
# Retries at once, at most one start a second. So many probes must fail in a row that no server fails them which is only
# slow, or has not come to its end yet.
CONFIG = """
servers:
  memory: %dM
  memory_reservation: 16M
  restart_profile: s6
  probes:
    startup: {interval: 100ms}
    liveness: {interval: 200ms, timeout: 300ms, start_period: 0s, retries: %d}
    readiness: {interval: 200ms, timeout: 300ms, start_period: 0s, retries: 1}
groups:
  - {name: plain, count: %d}
  - {name: wrapped, count: %d, command: [$DIR/wrapper]}
"""
PORT_TAKEN_EVERY = 1  # seconds at least from one try to the next while the port is taken

ENDINGS = {"Crashed", "Completed", "OOMKilled", "LivenessFailed", "PortTaken", "Killed", "Stopped", "ExitUnknown",
           "StartFailed", "StartTimeout", "StopForced", "GaveUp"}
STEPS = {"BackOff", "Started", "Ready"}
TOLD = ENDINGS | STEPS


def config(servers, retries):
    return CONFIG % (MEMORY_MB, retries, servers // 2, servers - servers // 2)


@dataclasses.dataclass
class Fault:
    number: int
    kind: str
    pause: float  # seconds after the server is back from the fault before


class Victim:
    """One server: what has been done to it and what farmd must say of it by now. A fault is a generator that is sent
    each event of its server from its beginning until the server is back."""

    def __init__(self, server_id, entry, is_wrapped):
        self.id, self.port, self.pid = server_id, entry["port"], entry["pid"]
        self.is_wrapped = is_wrapped
        self.is_adopted = False  # no child of this farmd, which cannot know its exit code then
        self.restarts = self.restarts_before = entry["restarts"]
        self.oom_kills = self.oom_kills_before = entry["oom_kills"]
        self.expected = collections.Counter()  # events by reason
        self.begun = collections.Counter()  # faults by kind; a port that could not be stolen yet is tried again
        self.last_exit = {}
        self.faults = collections.deque()
        self.fault = None  # the one under way
        self.step = None  # its generator
        self.since = self.free_at = time.monotonic()
        self.is_checked = True

    # --- what a fault waits for ---

    def ended(self, reason, **last_exit):
        """The end of its run, as it must be told."""
        last_exit = {"oom_killed": False, **last_exit}
        if self.is_adopted:
            reason = "ExitUnknown" if reason in ("Crashed", "Completed") else reason
            last_exit |= {"exit_code": None, "signal": None}
        yield from self.next(reason)
        self.last_exit = {"reason": reason, **last_exit}

    def back(self):
        """Ready again in a new process, maybe after a wait."""
        while (yield from self.next(*STEPS)) != "Ready":
            pass

    def next(self, *reasons):
        """The reason of the next event, which must be one of these."""
        event = yield
        reason = event["reason"]
        assert reason in reasons, f"one of {reasons} was to come"
        self.expected[reason] += 1
        if reason == "Started":
            self.restarts += 1
            self.is_adopted = False
            self.pid = int(re.search(r"\(pid (\d+)\)", event["message"]).group(1))
        return reason

    def worker_pid(self):
        if not self.is_wrapped:
            return self.pid
        return int(pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()[0])

    # --- the faults ---

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        yield from self.ended("Crashed", signal=signal.SIGKILL)
        yield from self.back()

    def segv(self):
        os.kill(self.pid, signal.SIGSEGV)
        # AddressSanitizer's handler turns it into an exit code
        told = {} if farmlib.SANITIZED and not self.is_wrapped else {"signal": signal.SIGSEGV}
        yield from self.ended("Crashed", **told)
        yield from self.back()

    def freeze(self):
        os.kill(self.worker_pid(), signal.SIGSTOP)
        yield from self.ended("LivenessFailed", signal=signal.SIGKILL)
        yield from self.back()

    def oom(self):
        with farmlib.connect(self.port) as load:
            load.sendall(b"POST /simulate-load?cpu_duration=600&memory_mb=%d HTTP/1.1\r\nHost: x\r\n\r\n" % (2 * MEMORY_MB))
            yield from self.ended("OOMKilled", oom_killed=True)
        self.oom_kills += 1
        yield from self.back()

    def exit_0(self):
        os.kill(self.pid, signal.SIGUSR1 if self.is_wrapped else signal.SIGTERM)
        yield from self.ended("Completed", exit_code=0)
        yield from self.back()

    def exit_1(self):
        os.kill(self.pid, signal.SIGUSR2)
        yield from self.ended("Crashed", exit_code=1)
        yield from self.back()

    def steal_port(self):
        """One that ends soon after its start waits for the rest of its second, and so long its port is free."""
        os.kill(self.pid, signal.SIGKILL)
        yield from self.ended("Crashed", signal=signal.SIGKILL)
        if (yield from self.next("BackOff", "Started")) == "BackOff":
            try:
                yield from self.with_port_taken()
                return
            except OSError:  # it was quicker
                pass
        self.faults.appendleft(dataclasses.replace(self.fault, pause=0))
        yield from self.back()

    def with_port_taken(self):
        began, tries = time.monotonic(), 1
        with farmlib.listening(self.port):
            # it may have been started the moment before, and finds the port taken by itself
            while (yield from self.next("Started", "PortTaken")) != "PortTaken":
                pass
        most = 2 + (time.monotonic() - began) / PORT_TAKEN_EVERY
        self.last_exit = {"reason": "PortTaken", "oom_killed": False}
        while (reason := (yield from self.next(*STEPS, "PortTaken"))) != "Ready":
            tries += reason == "PortTaken"
        assert tries <= most, f"{tries} tries in {most - 2} s"

    # --- from the storm ---

    def begin(self):
        self.restarts_before, self.oom_kills_before = self.restarts, self.oom_kills
        self.reason_before = self.last_exit.get("reason")
        self.fault = self.faults.popleft()
        self.begun[self.fault.kind] += 1
        self.step = getattr(self, self.fault.kind)()
        self.since = time.monotonic()
        next(self.step)

    def take(self, event):
        assert self.step is not None, "nothing was done to it"
        try:
            self.step.send(event)
        except StopIteration:
            self.step, self.is_checked = None, False

    def check(self, entry):
        """Its entry in the list says what it must, now that it is back."""
        is_so = {key: entry[key] for key in ("status", "pid", "restarts", "oom_kills")}
        is_so |= {key: entry["last_exit"][key] for key in self.last_exit}
        must_be = {"status": "running", "pid": self.pid, "restarts": self.restarts, "oom_kills": self.oom_kills, **self.last_exit}
        assert is_so == must_be, f"{is_so} instead of {must_be}"
        self.is_checked = True
        self.free_at = time.monotonic() + (self.faults[0].pause if self.faults else 0)


KINDS = ("kill", "segv", "freeze", "oom", "exit_0", "exit_1", "steal_port")


class Storm:
    """`count` faults over all servers of a farm. run() returns when every server is back from its last one."""

    def __init__(self, farm, seed, count, kinds=KINDS):
        self.farm, self.seed = farm, seed
        entries = farm.servers()
        self.victims = {i: Victim(i, entry, entry["group"] == "wrapped") for i, entry in entries.items()}
        self.first = self.seen = farm.last_event()
        self.kinds = collections.Counter()
        self.reasons = collections.Counter()  # of the events that came
        chance = random.Random(seed)
        order = chance.sample(sorted(self.victims), len(self.victims))
        for number in range(1, count + 1):
            victim = self.victims[order[number % len(order)]]
            kind = chance.choice([kind for kind in kinds if kind != "exit_1" or victim.is_wrapped])
            victim.faults.append(Fault(number, kind, chance.choice((0, 0, chance.uniform(0, 1.5)))))
            self.kinds[kind] += 1
        for victim in self.victims.values():
            victim.free_at += chance.uniform(0, 2)

    def run(self):
        while self._busy():
            self._turn()
            time.sleep(0.01)

    def _turn(self):
        self._take_events()
        self._begin_faults()

    def _take(self, victim, event):
        if event["reason"] in TOLD:
            victim.take(event)

    def _may_begin(self, _victim):
        return True

    def total(self, what):
        """A count of each victim, summed up over all of them."""
        return sum((getattr(victim, what) for victim in self.victims.values()), collections.Counter())

    def _busy(self):
        return any(victim.step or victim.faults or not victim.is_checked for victim in self.victims.values())

    def _take_events(self):
        answer = self.farm.get(f"/api/events?since={self.seen}&limit=4096")
        assert not answer["lost"]
        for event in answer["events"]:
            self.seen = event["id"]
            self.reasons[event["reason"]] += 1
            if event["server_id"] is not None:
                victim = self.victims[event["server_id"]]
                with self._blame(victim, event):
                    self._take(victim, event)

    def _begin_faults(self):
        idle = [victim for victim in self.victims.values() if victim.step is None]
        now = time.monotonic()
        entries = None if all(victim.is_checked for victim in idle) else self.farm.servers()
        for victim in idle:
            if not victim.is_checked:
                with self._blame(victim, entries[victim.id]):
                    victim.check(entries[victim.id])
            if victim.faults and victim.free_at <= now and self._may_begin(victim):
                with self._blame(victim):
                    victim.begin()
        for victim in self.victims.values():
            if victim.step and now - victim.since > farmlib.DEADLINE:
                with self._blame(victim, self.farm.server(victim.id)):
                    raise AssertionError(f"it is not back after {farmlib.DEADLINE} s")

    def _blame(self, victim, seen=None):
        return _Blame(self, victim, seen)


class _Blame:
    """Says which fault of which storm went wrong."""

    def __init__(self, storm, victim, seen):
        self.storm, self.victim, self.seen = storm, victim, seen

    def __enter__(self):
        pass

    def __exit__(self, kind, error, trace):
        if isinstance(error, (AssertionError, OSError)):
            victim = self.victim
            events = "\n".join(f"  {event['at']} {event['reason']}: {event['message']}"
                               for event in self.storm.farm.events(self.storm.first, server_id=victim.id)[-12:])
            raise AssertionError(f"server {victim.id}, {victim.fault}: {error!r}\nwith {self.seen}\n"
                                 f"FARMD_STORM_SEED={self.storm.seed} repeats it\n{events}") from error
