"""Runs a boot's rounds inside the test machine and tells the console of each case in a line that the host reads.

The arguments are the name of a boot (boots.py) and maybe words that pick cases, as pytest's -k has them.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

import boots

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT_TIMEOUT = 120
MARK = "farmd-vm: "
NAME_MAX = 110


def tell(word, name, seconds=0.0):
    # A line of its own, whatever pytest has begun to write. A parameter may be a whole file.
    short = name if len(name) < NAME_MAX else name[:NAME_MAX] + "…"
    print(f"\n{MARK}{word} {seconds:.1f} {short}", flush=True)


class Report:
    """A plugin of pytest."""

    def __init__(self):
        self.suffix = f" [{os.environ['FARMD_VM_WRAPPER']}]" if os.environ.get("FARMD_VM_WRAPPER") else ""

    def pytest_runtest_logreport(self, report):
        name = report.nodeid.partition("/test_")[2].splitlines()[0].replace(".py::", ": ") + self.suffix
        if report.when == "call" and report.passed:
            tell("passed", name, report.duration)
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            tell("skipped", f"{name} ({reason.removeprefix('Skipped: ')})", report.duration)
        elif report.failed:
            tell("failed", name if report.when == "call" else f"{name} ({report.when})", report.duration)

    def pytest_collectreport(self, report):
        if report.failed:
            tell("failed", f"{report.nodeid} (collecting)")


def unit(program):
    began = time.monotonic()
    try:
        done = subprocess.run([program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=UNIT_TIMEOUT, stdin=subprocess.DEVNULL)
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        code, output = -1, (error.stdout or b"").decode(errors="replace") + "timed out\n"
    name = pathlib.Path(program).name.removeprefix("test_")
    for passed in re.findall(r"^\[ +OK +\] (\S+)", output, re.M):
        tell("passed", f"{name}: {passed}")
    failed = set(re.findall(r"^\[  FAILED  \] (?!\d+ test)(\S+)", output, re.M))
    for one in sorted(failed):
        tell("failed", f"{name}: {one}")
    if code != 0:
        if not failed:
            tell("failed", f"{name} (exit code {code})", time.monotonic() - began)
        print(output, flush=True)


def pytest_round(arguments):
    """In a process of its own, as the suite reads its environment when it is imported."""
    import pytest
    sys.path[:0] = [str(ROOT / "tests/integration"), str(ROOT / "tests/vm/cases")]
    options = ["-q", "-p", "no:cacheprovider", "--tb=short", "--no-header", "--color=no", "-rN"]
    return pytest.main([*options, *arguments], plugins=[Report()])


def run_round(name, one, words):
    environment = dict(
        os.environ, FARMD=str(ROOT / "build/farmd"), FARM_WORKER=str(ROOT / "build/farm-worker"), SLOW_MACHINE="1",
        PYTHONDONTWRITEBYTECODE="1", FARMD_VM_BOOT=name, FARMD_VM_WRAPPER=one.wrapper,
    )
    if one.wrapper:
        environment["FARMD"] = str(ROOT / "tests/vm/wrap" / one.wrapper)
    programs = [what for what in one.what if what.startswith("build/")]
    if not words:
        for program in programs:
            unit(str(ROOT / program))
    files = [what for what in one.what if what not in programs]
    if files:
        only = " and ".join(f"({part})" for part in (one.only, words) if part)
        arguments = [*files, *(["-k", only] if only else [])]
        code = subprocess.run([sys.executable, __file__, "--pytest", json.dumps(arguments)], cwd=ROOT, env=environment,
                              stdin=subprocess.DEVNULL, check=False).returncode
        if code not in (0, 1) and not (code == 5 and words):  # 5: no case was picked
            tell("failed", f"{name}: pytest ended with {code}")


def main(arguments):
    if arguments[0] == "--pytest":
        return pytest_round(json.loads(arguments[1]))
    name, words = arguments[0], " ".join(arguments[1:])
    for one in boots.BOOTS[name].rounds:
        run_round(name, one, words)
    tell("end", "of the cases")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
