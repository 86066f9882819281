"""What a runtime does differently on purpose: what the suite expects of each, and what the table in docs/docker.md says of it.
Everything else that the suite asks for is the same everywhere."""

import dataclasses

RUNTIMES = ("process", "docker", "swarm")  # the order of the table's columns
PROFILES = ("farm", "kubernetes", "docker", "systemd", "nomad", "supervisord", "s6", "swarm")


@dataclasses.dataclass(frozen=True)
class Difference:
    row: str  # its title in the table
    expected: tuple  # by runtime, for the suite
    said: tuple  # by runtime: words that the cell has


DIFFERENCES = {
    # the beginning of what a 409 says, or None: it is done
    "kill_refused": Difference("Kill", (None, None, "Swarm cannot send a signal to a task"), ("yes", "yes", "409")),
    "pause_refused": Difference("Pause, resume", (None, None, "Swarm cannot freeze a task"), ("yes", "yes", "409")),
    "limits_replace": Difference("A change of limits", (False, False, True), ("live", "live", "another task")),
    "first_restart_waits": Difference("The first restart after a failure", (False, False, True), ("at once", "at once", "5 s")),
    "profiles": Difference(
        "Restart profiles",
        (frozenset(PROFILES), frozenset(PROFILES), frozenset(("swarm", "systemd", "nomad"))),
        ("all", "all", "`swarm`, `systemd`, `nomad`")),
    # a profile, how long it waits after each failure (s), and whether some of that is over when farmd hears of the failure
    "gives_up": Difference(
        "Restart profiles",
        (("supervisord", (1, 2, 3), False), ("supervisord", (1, 2, 3), False), ("nomad", (15, 15), True)),
        ("all", "all", "`nomad`")),
    # of one on another node than farmd
    "oom_kill_elsewhere": Difference("An OOM kill", ("OOMKilled", "OOMKilled", "Crashed"), ("known", "known", "`Crashed`")),
    "start_by_its_word": Difference("When a server was started, as the next farmd tells it", (False, False, True),
                                    ("as before", "as before", "Swarm's word")),
    "counts_requests": Difference("Requests, requests/s, errors/s", (True, True, False), ("every second", "every 2 s", "unknown")),
    "measures_latency": Difference("Latencies", (True, False, False), ("every second", "unknown", "unknown")),
}


def difference(name, runtime):
    return DIFFERENCES[name].expected[RUNTIMES.index(runtime)]
