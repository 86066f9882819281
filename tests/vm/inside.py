"""Runs a boot's rounds inside the test machine and tells the console of each case in a line that the host reads.

The arguments are the name of a boot (boots.py) and maybe words that pick cases, as pytest's -k has them. Each round is a
fork of this process: pytest is imported once, and the suite reads its environment when it is imported.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

import boots
from boots import MARK

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT_SECONDS = 120
CASE_SECONDS = 240
NAME_MAX = 110
OPTIONS = ["-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:faulthandler", "--rootdir", str(ROOT)]


def tell(word, name, seconds=0.0):
    # A line of its own. A parameter may be a whole file.
    short = name if len(name) < NAME_MAX else name[:NAME_MAX] + "…"
    print(f"\n{MARK}{word} {seconds:.1f} {short}", flush=True)


class Report:
    """A plugin of pytest: a line per case, and what failed before it; a case that hangs is failed."""

    def __init__(self, wrapper):
        self.suffix = f" [{wrapper}]" if wrapper else ""
        signal.signal(signal.SIGALRM, self.too_long)

    @staticmethod
    def pytest_addoption(parser):
        parser.addoption("--verbose", type=int, default=0)  # the terminal's, which explaining a comparison asks for

    @staticmethod
    def too_long(*_):
        pytest.fail(f"not done after {CASE_SECONDS} s")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self):
        signal.alarm(CASE_SECONDS)
        yield
        signal.alarm(0)

    def pytest_runtest_logreport(self, report):
        name = report.nodeid.partition("/test_")[2].splitlines()[0].replace(".py::", ": ") + self.suffix
        if report.when == "call" and report.passed:
            tell("passed", name, report.duration)
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            tell("skipped", f"{name} ({reason.removeprefix('Skipped: ')})", report.duration)
        elif report.failed:
            print(report.longreprtext, report.capstdout, report.capstderr, sep="\n")
            tell("failed", name if report.when == "call" else f"{name} ({report.when})", report.duration)

    def pytest_collectreport(self, report):
        if report.failed:
            print(report.longreprtext)
            tell("failed", f"{report.nodeid} (collecting)")


def unit(program):
    began = time.monotonic()
    try:
        done = subprocess.run([program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=UNIT_SECONDS, stdin=subprocess.DEVNULL)
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        code, output = -1, (error.stdout or b"").decode(errors="replace") + "timed out\n"
    name = pathlib.Path(program).name.removeprefix("test_")
    for passed in re.findall(r"^\[ +OK +\] (\S+)", output, re.M):
        tell("passed", f"{name}: {passed}")
    for skipped in sorted(set(re.findall(r"^\[  SKIPPED \] (?!\d+ test)(\S+)", output, re.M))):
        tell("skipped", f"{name}: {skipped}")
    failed = sorted(set(re.findall(r"^\[  FAILED  \] (?!\d+ test)(\S+)", output, re.M)))
    if code != 0:
        print(output, flush=True)
    for one in failed:
        tell("failed", f"{name}: {one}")
    if code != 0 and not failed:
        tell("failed", f"{name} (exit code {code})", time.monotonic() - began)


def pytest_round(name, one, only):
    """In a fork; its exit code is pytest's."""
    os.environ.update(
        FARMD=str(ROOT / "tests/vm/wrap" / one.wrapper if one.wrapper else ROOT / "build/farmd"),
        FARM_WORKER=str(ROOT / "build/farm-worker"), SLOW_MACHINE="1", PYTHONDONTWRITEBYTECODE="1",
        FARMD_VM_BOOT=name, FARMD_VM_WRAPPER=one.wrapper,
    )
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT / "tests/integration"), str(ROOT / "tests/vm/cases")]
    files = [what for what in one.what if what.endswith(".py")]
    return pytest.main([*OPTIONS, *files, *(["-k", only] if only else [])], plugins=[Report(one.wrapper)])


def run_round(name, one, words):
    for program in one.what if not words else ():
        if not program.endswith(".py"):
            unit(str(ROOT / program))
    if not any(what.endswith(".py") for what in one.what):
        return
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            code = pytest_round(name, one, " and ".join(f"({part})" for part in (one.only, words) if part))
        finally:
            sys.stdout.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code not in (0, 1) and not (code == 5 and words):  # 5: no case was picked
        tell("failed", f"{name}: pytest ended with {code}")


def main(arguments):
    name, words = arguments[0], " ".join(arguments[1:])
    for one in boots.BOOTS[name].rounds:
        run_round(name, one, words)
    tell("end", "of the cases")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
