"""Settings and verbs through the real farmd: what is refused and where, what check and doctor say, and help."""

import os
import re

import pytest

import farmd_process
import farmlib
from farmd_process import farms, run_farmd  # noqa: F401

# name: (farm.yaml or None, flags, environment, where it is, words of the message)
BAD = {
    "unknown key": ("servers:\n  colour: red\n", [], {}, "farm.yaml:2", ["colour"]),
    "mistyped key": ("servers:\n  memroy: 1G\n", [], {}, "farm.yaml:2", ["memroy", "memory"]),
    "no size": ("servers:\n  cpu: 0.5\n  memory: 256X\n", [], {}, "farm.yaml:3", ["256X", "256M"]),
    "wrong type": ("servers:\n  count: many\n", [], {}, "farm.yaml:2", ["count", "many", "1 to 10000"]),
    "a list for a number": ("servers:\n  count: [1, 2]\n", [], {}, "farm.yaml:2", ["count"]),
    "negative count": ("servers: {count: -1}\n", [], {}, "farm.yaml:1", ["count", "1 to 10000"]),
    "zero CPU": ("servers:\n\n  cpu: 0\n", [], {}, "farm.yaml:3", ["cpu"]),
    "CPU that is no number": ("servers: {cpu: .nan}\n", [], {}, "farm.yaml:1", ["cpu"]),
    "too little memory": ("servers: {memory: 1K}\n", [], {}, "farm.yaml:1", ["memory", "4M"]),
    "reservation above the limit": (
        "servers:\n  memory: 64M\n  memory_reservation: 65M\n", [], {}, "farm.yaml:3", ["memory_reservation", "64M"]),
    "unknown profile": ("servers: {restart_profile: fast}\n", [], {}, "farm.yaml:1", ["fast", "kubernetes", "s6"]),
    "unknown policy": ("servers:\n  restart: sometimes\n", [], {}, "farm.yaml:2", ["sometimes", "on-failure"]),
    "no duration": ("servers:\n  stop_grace: 3 parsecs\n", [], {}, "farm.yaml:2", ["stop_grace", "parsecs"]),
    "probe": ("servers:\n  probes:\n    liveness: {retries: 0}\n", [], {}, "farm.yaml:3", ["retries"]),
    "no YAML": ("servers: [\n", [], {}, "farm.yaml:", []),
    "a tab": ("servers:\n\tcount: 1\n", [], {}, "farm.yaml:2", []),
    "two groups of one name": (
        "groups:\n  - {name: a, count: 1}\n  - {name: a, count: 1}\n", [], {}, "farm.yaml:3", ["two groups"]),
    "group without a name": ("groups:\n  - {count: 1}\n", [], {}, "farm.yaml:2", ["name"]),
    "ports of two groups": (
        "groups:\n  - {name: a, count: 10, base_port: 9000}\n  - {name: b, count: 1, base_port: 9009}\n", [], {},
        "farm.yaml:3", ["9009", "overlap"]),
    "port of the API among the servers'": ("api: {port: 8010}\n", [], {}, "", ["8010", "API"]),
    "ports past the last": ("servers:\n  base_port: 65530\n", [], {}, "farm.yaml:2", ["65535"]),
    "command that is no list": ("servers:\n  command: {a: b}\n", [], {}, "farm.yaml:2", ["command"]),
    "PORT in the environment": (
        "servers:\n  environment:\n    PORT: 1\n", [], {}, "farm.yaml:", ["PORT", "set by farmd"]),
    "open to everybody": ("api:\n  host: 0.0.0.0\n", [], {}, "farm.yaml:2", ["token", "--allow-unauthenticated"]),
    "bad flag value": (None, ["--servers", "0"], {}, "--servers", ["1 to 10000"]),
    "unknown flag": (None, ["--server", "3"], {}, "--server", ["--servers"]),
    "flag without a value": (None, ["--servers"], {}, "--servers", []),
    "bad variable": (None, [], {"SERVER_MEMORY_LIMIT": "lots"}, "SERVER_MEMORY_LIMIT", ["lots"]),
    "huge number": (None, ["--servers", "9" * 40], {}, "--servers", []),
    "missing file": (None, ["--config", "nowhere.yaml"], {}, "nowhere.yaml", []),
    "bad .env": (None, [], {}, ".env:2", ["SERVER_COUNT", "abc"]),
}


@pytest.mark.parametrize("verb", ["up", "check"])
@pytest.mark.parametrize("name", BAD)
def test_bad_settings(tmp_path, name, verb):
    text, flags, env, where, words = BAD[name]
    if text is not None:
        (tmp_path / "farm.yaml").write_text(text)
    if name == "bad .env":
        (tmp_path / ".env").write_text("# mine\nSERVER_COUNT=abc\n")
    flags = [*flags, *([] if "--config" in flags else ["--state-dir", "state", "--runtime-dir", "run"])]
    done = run_farmd(verb, *flags, directory=tmp_path, env=env)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert re.fullmatch(r"farmd: [^\n]+\n", done.stderr), done.stderr
    assert done.stderr.startswith(f"farmd: {where}"), done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert not (tmp_path / "state").exists() and not (tmp_path / "run").exists(), "nothing was started"


def test_secrets_are_not_repeated(tmp_path):
    done = run_farmd("check", "--token", "geheim", directory=tmp_path)
    assert done.returncode == 2 and "geheim" not in done.stderr
    done = run_farmd("check", directory=tmp_path, env={"FARMD_TOKEN": "geheim-und-lang"})
    assert done.returncode == 0 and "geheim" not in done.stdout + done.stderr


def test_layers_win_in_their_order(tmp_path):
    (tmp_path / "farm.yaml").write_text("servers: {count: 3, cpu: 0.3, memory: 64M, memory_reservation: 8M, base_port: 9100}\n")
    (tmp_path / ".env").write_text("SERVER_COUNT=4\nSERVER_CPU_LIMIT=0.4\nSERVER_MEMORY_LIMIT=96M\n")
    done = run_farmd("check", "--servers", "6", directory=tmp_path, env={"SERVER_COUNT": "5", "SERVER_CPU_LIMIT": "0.6"})
    assert done.returncode == 0, done.stderr
    for line in ("count: 6", "cpu: 0.6", "memory: 96M", "base_port: 9100", "pids: 128"):
        assert re.search(rf"^ *(- )?{line}$", done.stdout, re.M), (line, done.stdout)
    assert "6 servers" in done.stdout.splitlines()[0]


def test_check_prints_what_farmd_reads_back(tmp_path):
    (tmp_path / "farm.yaml").write_text(
        "groups:\n  - name: web\n    count: 2\n    labels: {zone: a}\n    environment: {A: '1 # 2', B: \"x: \\\"y\\\"\"}\n"
        "  - name: app\n    count: 3\n    command: [sh, -c, 'exec prog \"$PORT\"']\n    restart_profile: nomad\n")
    first = run_farmd("check", directory=tmp_path)
    assert first.returncode == 0, first.stderr
    (tmp_path / "farm.yaml").write_text(first.stdout)
    second = run_farmd("check", directory=tmp_path)
    assert second.returncode == 0, second.stderr
    assert second.stdout == first.stdout
    assert 'exec prog "$PORT"' in first.stdout.replace('\\"', '"')


def test_example_says_the_defaults(tmp_path):
    plain = run_farmd("check", directory=tmp_path)
    (tmp_path / "farm.yaml").write_text((farmlib.ROOT / "docs" / "farm.yaml").read_text())
    example = run_farmd("check", directory=tmp_path)
    assert example.returncode == 0, example.stderr
    assert example.stdout.splitlines()[1:] == plain.stdout.splitlines()[1:]


def test_env_example_is_read(tmp_path):
    text = (farmlib.ROOT / ".env.example").read_text()
    (tmp_path / ".env").write_text(text)
    done = run_farmd("check", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("CONTROL_PLANE_PORT", "LOG_LEVEL", "SERVER_BASE_PORT", "SERVER_COUNT", "SERVER_CPU_LIMIT",
                 "SERVER_MEMORY_LIMIT", "SERVER_CPU_RESERVATION", "SERVER_MEMORY_RESERVATION",
                 "AUTO_REFRESH_INTERVAL", "DEFAULT_REQUESTS", "DEFAULT_CONCURRENCY"):
        assert name in text


def test_environment_of_the_old_farm_holds(farms):  # noqa: F811
    farm = farms(servers=4)
    farm.env.update(
        CONTROL_PLANE_PORT=str(farm.port), SERVER_BASE_PORT=str(farm.base_port), SERVER_COUNT="4", SERVER_CPU_LIMIT="0.3",
        SERVER_MEMORY_LIMIT="64M", SERVER_CPU_RESERVATION="0.2", SERVER_MEMORY_RESERVATION="32M", LOG_LEVEL="WARNING",
        AUTO_REFRESH_INTERVAL="7000", DEFAULT_REQUESTS="50", DEFAULT_CONCURRENCY="2",
        DASHBOARD_PORT=str(farm.dashboard_port), FARMD_STATE_DIR=str(farm.state_dir), FARMD_RUNTIME_DIR=str(farm.runtime_dir),
    )
    farm.arguments = lambda: []
    farm.start()
    listing = farm.get("/api/servers")
    assert listing["refresh_interval_ms"] == 7000
    limits = listing["servers"][3]["limits_configured"]
    assert (limits["cpu"], limits["memory_mb"]) == (0.3, 64)
    assert (limits["cpu_reservation"], limits["memory_reservation_mb"]) == (0.2, 32)
    answer = farm.post("/api/load-test", {"target_servers": [1]})
    assert answer["total_requests"] == 50
    assert farm.stop() == 0
    assert farm.leftovers() == []


# --- doctor ---


def test_doctor(tmp_path):
    first = farmlib.free_port_range(6)
    flags = ["--port", str(first), "--dashboard-port", str(first + 1), "--base-port", str(first + 2), "--servers", "4"]
    done = run_farmd("doctor", *flags, directory=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    for word in ("cgroup", "descriptors", "ports"):
        assert word in done.stdout.lower()
    assert "\x1b" not in done.stdout
    bad = [line for line in done.stdout.splitlines() if line.startswith("  BAD")]
    assert done.stdout.count("fix: ") >= len(bad)
    assert (done.returncode == 0) == (not bad)


def test_doctor_names_who_holds_a_port(tmp_path):
    first = farmlib.free_port_range(6)
    flags = ["--port", str(first), "--dashboard-port", str(first + 1), "--base-port", str(first + 2), "--servers", "4"]
    with farmlib.listening(first + 3):
        done = run_farmd("doctor", *flags, directory=tmp_path)
    assert done.returncode == 1
    [line] = [line for line in done.stdout.splitlines() if str(first + 3) in line]
    assert "BAD" in line and f"pid {os.getpid()}" in line


def ports_found(farm, *flags):
    done = run_farmd("doctor", *farm.arguments(), *flags, directory=farm.directory)
    [line] = [line for line in done.stdout.splitlines() if " ports " in line]
    return line


def test_doctor_beside_a_running_farm(farms):  # noqa: F811
    farm = farms(servers=3).start()
    held = f"5 of 5 are held by this farm, which runs (farmd's pid {farm.process.pid})"
    farmlib.wait_for(lambda: held in ports_found(farm), what="what it runs is written down")
    assert ports_found(farm).startswith("  ok  ports ")
    line = ports_found(farm, "--servers", "4")
    assert "5 of 6 are held by this farm" in line and "the others are free" in line
    with farmlib.listening(farm.base_port + 3):
        line = ports_found(farm, "--servers", "4")
    assert "BAD" in line and f"pid {os.getpid()}" in line and "(1 of 6)" in line, "a stranger is in the way still"
    line = ports_found(farm, "--state-dir", str(farm.directory / "other"))
    assert "BAD" in line, "to another farm it is a stranger itself"


# --- help ---


@pytest.mark.parametrize("arguments", [["help"], ["--help"], ["-h"]])
def test_help(tmp_path, arguments):
    done = run_farmd(*arguments, directory=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    for word in ("check", "doctor", "ps", "farmd help COMMAND", "farmd help up", "farmd help selectors"):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_help_of_up_has_the_flags_of_the_settings(tmp_path):
    done = run_farmd("help", "up", directory=tmp_path)
    for word in ("--servers", "--base-port", "--config", "--state-dir"):
        assert word in done.stdout


@pytest.mark.parametrize("verb", ["up", "down", "upgrade", "check", "doctor", "help", "version"])
def test_help_of_a_verb(tmp_path, verb):
    asked, flagged = run_farmd("help", verb, directory=tmp_path), run_farmd(verb, "--help", directory=tmp_path)
    assert asked.returncode == flagged.returncode == 0
    assert asked.stdout.startswith(f"farmd {verb}")
    assert flagged.stdout == asked.stdout


def test_version(tmp_path):
    for arguments in (["version"], ["--version"]):
        assert re.fullmatch(r"farmd \d+\.\d+\.\d+\S*\n", run_farmd(*arguments, directory=tmp_path).stdout)


@pytest.mark.parametrize("word, meant", [("chekc", "check"), ("docter", "doctor"), ("hlep", "help"), ("frobnicate", None)])
def test_unknown_verb(tmp_path, word, meant):
    done = run_farmd(word, directory=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert re.fullmatch(r"farmd: [^\n]+\n", done.stderr)
    assert word in done.stderr
    if meant:
        assert f"did you mean {meant}?" in done.stderr
    assert farmd_process.run_farmd("help", word, directory=tmp_path).returncode == 2
