"""The hosts that the test machine is booted as, and what runs on each: one table for both sides of the console.

A boot is a kernel command line and rounds; a round is one run of the suite, with farmd as it is or behind a wrapper of
tests/vm/wrap that takes a system call or a file from it, as an older kernel or a sandbox would.
"""

import dataclasses

RUNTIME_UNITS = [f"build/tests/unit/{name}" for name in (
    "test_slice_v2", "test_runtime_limits", "test_runtime_process", "test_seccomp")]


def integration(*names):
    return [f"tests/integration/test_{name}.py" for name in names]


def cases(*names):
    return [f"tests/vm/cases/test_{name}.py" for name in names]


@dataclasses.dataclass
class Round:
    what: list  # unit programs, files of pytest
    only: str = ""  # pytest's -k
    wrapper: str = ""  # a program of tests/vm/wrap in front of farmd


@dataclasses.dataclass
class Boot:
    rounds: list
    words: tuple = ()  # of the kernel command line
    seconds: int = 120  # the machine is ended after these
    enforcement: str = "cgroup2"  # what farmd must say there as root


ENDINGS = "grandchildren or fork_bomb"
LIMITS = "limits_are or memory_past or cpu_is or required"

BOOTS = {
    "v2": Boot(
        rounds=[
            Round(RUNTIME_UNITS),
            Round(integration("enforcement", "lifecycle", "worker_cgroup", "scale_reload", "shutdown") + cases("hosts", "limits", "users")),
            Round(integration("enforcement") + cases("hosts"), "limits_are or memory_past or grandchildren or hosts", "no-clone3"),
            Round(integration("enforcement") + cases("hosts"), f"{ENDINGS} or hosts", "no-cgroup-kill"),
        ],
        seconds=480,
    ),
    "hybrid": Boot(
        words=("farmd.cgroup=hybrid",), enforcement="cgroup1",
        rounds=[Round(integration("enforcement") + cases("hosts"), f"{LIMITS} or hosts or delegated")],
    ),
    "v1": Boot(
        words=("farmd.cgroup=v1",), enforcement="cgroup1",
        rounds=[Round(integration("enforcement") + cases("hosts"), "limits_are or memory_past or fork_bomb or hosts")],
    ),
    "readonly": Boot(words=("farmd.cgroup=readonly",), enforcement="none", rounds=[Round(cases("hosts"))]),
    "none": Boot(words=("farmd.cgroup=none",), enforcement="none", rounds=[Round(cases("hosts"))]),
    "hidepid": Boot(
        words=("farmd.hidepid=2",), rounds=[Round(cases("hosts", "users"))],
    ),
}
