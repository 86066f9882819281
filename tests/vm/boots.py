"""The hosts that the test machine is booted as, and what runs on each: one table for both sides of the console.

A boot is a kernel command line and rounds; a round is one run of the suite, with farmd as it is or behind a wrapper of
tests/vm/wrap that takes a system call or a file from it, as an older kernel or a sandbox would.
"""

import dataclasses

MARK = "farmd-vm: "  # begins each line on the console that is meant for the host


def units(*names):
    return [f"build/tests/unit/test_{name}" for name in names]


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
    seconds: int = 600  # the machine is ended after these, on the host's clock
    weight: int = 1  # about how long it takes: the longest begin first
    enforcement: str = "cgroup2"  # what farmd must say there as root
    by_default: bool = True


# What the process runtime and the cgroups below it are made of.
RUNTIME = units("slice_v2", "runtime_adopt", "runtime_limits", "runtime_process", "runtime_spawn", "seccomp")
ENFORCEMENT = integration("birth", "enforcement", "enforcement_cpu", "delegation") + cases("hosts")
# That the next farmd takes over is shown on every host; all of adoption's cases are v2's.
TAKES_OVER = integration("adoption"), "servers_go_on"

BOOTS = {
    "v2": Boot(
        rounds=[
            Round(RUNTIME),
            Round(integration("birth", "enforcement", "enforcement_cpu", "isolation", "delegation", "worker_cgroup")
                  + cases("charges", "hosts", "limits")),
            Round(integration("lifecycle"), "pause or paused or kill or restart_profiles"),
            Round(integration("shutdown"), "after_a_kill or leftovers or leaves_nothing or forced or while_starting"),
        ],
        weight=10,
    ),
    # One farmd after another.
    "v2-successors": Boot(
        rounds=[
            Round(integration("adoption", "adoption_users", "adoption_kills")),
            Round(integration("adoption_changes"), "limits or enforcement or foreign or taken_for or kept"),
            Round(integration("upgrade"), "no_request or nothing_of or latest or how_a_server or ordinary_user"),
            Round(integration("down"), "in_order or does_not_end or paused"),
        ],
        weight=9,
    ),
    # Older kernels and sandboxes.
    "v2-lacking": Boot(
        rounds=[
            Round(ENFORCEMENT, "first_instruction or limits_are or memory_past or grandchildren or hosts", "no-clone3"),
            Round(ENFORCEMENT, "grandchildren or fork_bomb or hosts", "no-cgroup-kill"),
            *(Round(*TAKES_OVER, wrapper) for wrapper in ("no-clone3", "no-cgroup-kill")),
        ],
        weight=5,
    ),
    "hybrid": Boot(
        words=("farmd.cgroup=hybrid",), enforcement="cgroup1", weight=4,
        rounds=[
            Round(ENFORCEMENT, "first_instruction or limits_are or memory_past or burner or delegat or hosts"),
            Round(*TAKES_OVER),
        ],
    ),
    "v1": Boot(
        words=("farmd.cgroup=v1",), enforcement="cgroup1", weight=3,
        rounds=[
            Round(ENFORCEMENT, "limits_are or memory_past or fork_bomb or burner or hosts"),
            Round(integration("adoption"), "go_on or actions"),
        ],
    ),
    "readonly": Boot(
        words=("farmd.cgroup=readonly",), enforcement="none",
        rounds=[Round(cases("hosts")), Round(*TAKES_OVER)],
    ),
    "none": Boot(words=("farmd.cgroup=none",), enforcement="none", rounds=[Round(cases("hosts")), Round(*TAKES_OVER)]),
    "hidepid": Boot(
        words=("farmd.hidepid=2",), weight=3,
        rounds=[
            Round(cases("hosts") + integration("delegation", "adoption_users")),
            Round(*TAKES_OVER),
        ],
    ),
    # The whole suite on v2; what it adds knows nothing of cgroups.
    "suite": Boot(
        rounds=[Round(["tests/integration"])], seconds=1800, by_default=False,
    ),
}
