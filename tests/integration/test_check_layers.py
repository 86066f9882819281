"""tests/check-layers accepts the tree as it is and names each include that breaks a floor."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECK = ROOT / "tests" / "check-layers"


def check(tree):
    return subprocess.run([CHECK, str(tree)], capture_output=True, text=True, timeout=60)


def test_this_tree_keeps_its_floors():
    result = check(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "file, include",
    [
        ("src/core/clock.c", '"http/http.h"'),
        ("src/core/clock.c", '"supervisor/farm/farm.h"'),
        ("src/http/http.c", '"worker/worker.h"'),
        ("worker/main.c", '"supervisor/farm/farm.h"'),
        ("supervisor/config/settings.c", '"supervisor/runtime/runtime.h"'),
        ("supervisor/runtime/runtime.c", '"supervisor/farm/farm.h"'),
        ("supervisor/farm/farm.c", '"supervisor/api/api.h"'),
        ("supervisor/farm/farm.c", '"supervisor/runtime/process/cgroup.h"'),
        ("supervisor/farm/farm.c", '"http/server.h"'),
        ("supervisor/farm/farm.c", "<cjson/cJSON.h>"),
        ("supervisor/farm/lifecycle.c", '"core/clock.h"'),
        ("supervisor/load/load.c", '"supervisor/history/history.h"'),
        ("supervisor/history/history.c", '"supervisor/load/load.h"'),
        ("supervisor/api/api.c", '"supervisor/cli/cli.h"'),
        ("supervisor/api/api.c", '"worker/worker.h"'),
        ("supervisor/api/api.c", "<libcgroup.h>"),
        ("supervisor/api/api.c", "<llhttp.h>"),
        ("supervisor/runtime/process/spawn.c", "<libcgroup.h>"),
        ("supervisor/extra/extra.c", '"core/clock.h"'),
        ("src/core/clock.c", '"nowhere.h"'),
    ],
)
def test_a_broken_floor_is_named(tmp_path, file, include):
    for header in (
        "src/core/clock.h",
        "src/http/http.h",
        "src/http/server.h",
        "supervisor/runtime/runtime.h",
        "supervisor/runtime/process/cgroup.h",
        "supervisor/farm/farm.h",
        "supervisor/load/load.h",
        "supervisor/history/history.h",
        "supervisor/api/api.h",
        "supervisor/cli/cli.h",
        "worker/worker.h",
    ):
        path = tmp_path / header
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert check(tmp_path).returncode == 0
    source = tmp_path / file
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(f"\n#include {include}\n")
    result = check(tmp_path)
    assert result.returncode != 0
    assert f"{file}:2: includes" in result.stdout


@pytest.mark.parametrize(
    "file, include",
    [
        ("supervisor/api/api.c", '"supervisor/load/load.h"'),
        ("supervisor/api/api.c", '"supervisor/history/history.h"'),
        ("supervisor/cli/cli.c", '"supervisor/farm/farm.h"'),
        ("supervisor/main.c", '"supervisor/runtime/process/cgroup.h"'),
        ("supervisor/runtime/process/cgroup.c", "<libcgroup.h>"),
        ("supervisor/farm/farm.c", '"core/clock.h"'),
        ("worker/main.c", '"core/clock.h"'),
    ],
)
def test_what_the_design_allows_passes(tmp_path, file, include):
    header = include.strip('"<>')
    for path in (tmp_path / header, tmp_path / "src" / header):
        if header.startswith("core/") == (tmp_path / "src" in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
    source = tmp_path / file
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(f"#include {include}\n")
    assert check(tmp_path).returncode == 0
