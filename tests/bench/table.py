"""A benchmark as a table: rows with a target each, measured one after the other, printed, kept as JSON."""

import argparse
import dataclasses
import json
import os
import platform
import subprocess
from typing import Callable, Optional

from machine import BUILD, NotMeasured, private_mounts


@dataclasses.dataclass
class Row:
    """`how` gives the figure and a word on it; or a third value, whether the target is met where that is not the
    figure's to say."""

    name: str
    what: str
    how: Callable
    unit: str
    most: Optional[float] = None
    least: Optional[float] = None

    def limit(self):
        return f"{'≤' if self.least is None else '≥'} {self.most if self.least is None else self.least:g} {self.unit}"

    def measure(self):
        result = {"name": self.name, "what": self.what, "unit": self.unit, "limit": self.limit()}
        try:
            value, detail, *met = self.how()
            holds = value <= self.most if self.least is None else value >= self.least
            return {**result, "value": round(value, 3), "met": met[0] if met else holds, "detail": detail}
        except (NotMeasured, OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
            return {**result, "value": None, "met": None, "detail": f"not measured: {error}"}


def show(result):
    value = "-" if result["value"] is None else f"{result['value']:.2f} {result['unit']}"
    verdict = {True: "met", False: "MISSED", None: "-"}[result["met"]]
    print(f"{result['what']:54} {value:>11}  {result['limit']:>10}  {verdict:6}  {result['detail']}", flush=True)


def run(rows, description, file):
    """Measures the rows named on the command line, or all; the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[[], *[row.name for row in rows]], help="only these rows")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a target is missed")
    arguments = parser.parse_args()

    private_mounts()
    print(f"{'what':54} {'measured':>11}  {'target':>10}")
    results = []
    for row in rows:
        if not arguments.rows or row.name in arguments.rows:
            results.append(row.measure())
            show(results[-1])

    machine = {"kernel": platform.release(), "cores": os.cpu_count(), "load_average": os.getloadavg()[0]}
    path = BUILD / file
    path.write_text(json.dumps({"machine": machine, "rows": results}, indent=2, ensure_ascii=False) + "\n")
    missed = [result for result in results if result["met"] is False]
    unmeasured = [result for result in results if result["met"] is None]
    print(f"{len(results) - len(missed) - len(unmeasured)} met, {len(missed)} missed, {len(unmeasured)} not measured"
          f" · {path}")
    return 1 if unmeasured or (missed and arguments.strict) else 0
