"""The verbs that need no farm (export, completion, help), the documents made of them, and `up -d` with `down`."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

import farmlib
from clilib import DONE, FAILED, PARTLY, USAGE, environment, error, run
from farmd_process import FARMD, Farmd, alive, farms, run_farmd, running  # noqa: F401 (a fixture)
from farmlib import DEADLINE, ROOT, wait_for

GROUPS = """\
groups:
  - {name: web, count: 2, base_port: 9001, labels: {zone: a}}
  - {name: app, count: 1, base_port: 9101, memory: 64M, memory_reservation: 16M, cpu: 0.25, restart: on-failure}
"""


# --- export ---


def export(tmp_path, *arguments):
    done = run_farmd("export", *arguments, directory=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nginx(tmp_path):
    text = export(tmp_path, "nginx", "--servers", "3", "--base-port", "9001", "--listen", "9999")
    assert re.findall(r"server 127\.0\.0\.1:(\d+); # server-(\d)", text) == [("9001", "1"), ("9002", "2"), ("9003", "3")]
    assert "upstream farm {" in text and "listen 127.0.0.1:9999;" in text and text.count("\nupstream ") == 1
    (tmp_path / "farm.yaml").write_text(GROUPS)
    text = export(tmp_path, "nginx")
    assert [name for name in re.findall(r"upstream (\w+) \{", text)] == ["farm", "farm_web", "farm_app"]
    upstream = text.partition("upstream farm_app {")[2].partition("}")[0]
    assert re.findall(r":(\d+);", upstream) == ["9101"]


@pytest.mark.skipif(not shutil.which("nginx"), reason="no nginx here")
def test_nginx_takes_it(tmp_path):
    (tmp_path / "farm.yaml").write_text(GROUPS)
    (tmp_path / "farm.conf").write_text(export(tmp_path, "nginx", "--listen", str(farmlib.free_port())))
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; include {tmp_path}/farm.conf; }}")
    done = subprocess.run(["nginx", "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"], capture_output=True, text=True,
                          timeout=DEADLINE)
    assert done.returncode == 0, done.stderr


def test_haproxy(tmp_path):
    (tmp_path / "farm.yaml").write_text(GROUPS + "servers: {probes: {liveness: {path: /alive, interval: 5s, retries: 2}}}\n")
    text = export(tmp_path, "haproxy")
    assert re.findall(r"^backend (\w+)$", text, re.M) == ["farm", "farm_web", "farm_app"]
    assert text.count("    server server-1 127.0.0.1:9001 check inter 5s fall 2\n") == 2
    assert "option httpchk GET /alive" in text and "bind 127.0.0.1:8080" in text


@pytest.mark.skipif(not shutil.which("haproxy"), reason="no haproxy here")
def test_haproxy_takes_it(tmp_path):
    (tmp_path / "farm.cfg").write_text(export(tmp_path, "haproxy"))
    done = subprocess.run(["haproxy", "-c", "-f", tmp_path / "farm.cfg"], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stdout + done.stderr


def services(text):
    """The services of a compose file as its indented blocks, by name."""
    parts = re.split(r"^  (server-\d+):$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def test_compose(tmp_path):
    (tmp_path / "farm.yaml").write_text(GROUPS + "servers: {environment: {PRICE: '5 $'}}\n")
    found = services(export(tmp_path, "compose"))
    assert list(found) == ["server-1", "server-2", "server-3"]
    web, app = found["server-1"], found["server-3"]
    assert '"127.0.0.1:9001:8000"' in web and 'PORT: "8000"' in web and 'PUBLIC_PORT: "9001"' in web and "hostname: server-1" in web
    assert 'cpus: "0.5"' in web and "memory: 256M" in web and "memswap_limit: 256M" in web and "zone: a" in web
    assert "\n    pids_limit: 128\n" in web
    assert 'cpus: "0.25"' in app and "memory: 64M" in app and "restart: on-failure" in app
    assert "restart: unless-stopped" in web and "http://127.0.0.1:8000/health" in web
    assert 'PRICE: "5 $$"' in web, "compose would take a single $ for a variable"
    mounted = re.search(r"- (\S+):/farm-worker:ro", web).group(1).strip('"')
    assert os.access(mounted, os.X_OK)
    assert "mounted" not in export(tmp_path, "compose", "--image", "mine:1")
    assert "image: \"mine:1\"" in export(tmp_path, "compose", "--image", "mine:1")


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="no docker-compose here")
def test_compose_takes_it(tmp_path):
    (tmp_path / "farm.yaml").write_text(GROUPS + "servers: {environment: {PRICE: '5 $'}}\n")
    (tmp_path / "docker-compose.yml").write_text(export(tmp_path, "compose"))
    done = subprocess.run(["docker-compose", "-f", tmp_path / "docker-compose.yml", "config"], capture_output=True,
                          text=True, timeout=DEADLINE)
    assert done.returncode == 0 and "PRICE: 5 $$" in done.stdout, done


def test_compose_of_a_users_program(tmp_path):
    (tmp_path / "farm.yaml").write_text("groups:\n  - {name: app, count: 1, command: [serve, '--price=$1']}\n")
    done = run_farmd("export", "compose", directory=tmp_path)
    assert done.returncode == USAGE and "group app" in done.stderr and "--image" in done.stderr
    assert 'command: [serve, "--price=$$1"]' in export(tmp_path, "compose", "--image", "mine")


def test_compose_is_yaml(tmp_path):
    """farmd's own parser of YAML reads it, and complains about the first key that it doesn't know, no sooner."""
    (tmp_path / "farm.yaml").write_text(export(tmp_path, "compose"))
    done = run_farmd("check", directory=tmp_path)
    assert re.search(r"farm.yaml:\d+: networks", done.stderr)


def test_env_is_what_farmd_reads_back(tmp_path):
    flags = ["--servers", "7", "--cpu", "0.3", "--memory", "96M", "--memory-reservation", "32M", "--base-port", "9001",
             "--restart-profile", "nomad", "--access-log"]
    text = export(tmp_path, "env", *flags)
    assert "SERVER_COUNT=7\n" in text and "SERVER_CPU_LIMIT=0.3\n" in text and "AUTO_REFRESH_INTERVAL=5000\n" in text
    wanted = run_farmd("check", *flags, directory=tmp_path).stdout
    (tmp_path / ".env").write_text(text)
    assert run_farmd("check", directory=tmp_path).stdout == wanted


def test_a_token_is_not_exported(tmp_path):
    done = run_farmd("export", "env", directory=tmp_path, env={"FARMD_TOKEN": "geheim-und-lang"})
    assert "geheim" not in done.stdout and "# FARMD_TOKEN is set" in done.stdout


def test_what_cannot_be_exported(tmp_path):
    assert "none of compose, k8s, nginx, haproxy, env" in error(None, "export", "json")
    assert "say what to export" in error(None, "export")
    assert "--servers" in error(None, "export", "nginx", "--servers", "0")
    assert "--listen" in error(None, "export", "nginx", "--listen", "0")


# --- completion ---


def offered(line, farm=None, env=None):
    text = run(farm, "__complete", "--", line, env=env or ({} if farm else {"FARMD_API": "127.0.0.1:1"})).stdout
    return [word.partition("\t")[0] for word in text.splitlines()]


@pytest.fixture(scope="module")
def farm():
    with running(servers=3) as one:
        yield one


@pytest.mark.parametrize("line,words", [
    ("farmd res", ["restart", "resume"]), ("farmd ps --wa", ["--watch"]), ("farmd ps -o j", ["json", "jsonl"]),
    ("farmd ps --output=y", ["--output=yaml"]), ("farmd --servers 3 --base", ["--base-port"]),
    ("farmd --serv", ["--servers"]), ("farmd help sel", ["selectors"]), ("farmd export ", ["compose", "k8s", "nginx", "haproxy", "env"]),
    ("farmd export nginx ", []), ("farmd completion f", ["fish"]), ("farmd ps state:un", ["state:unhealthy", "state:unknown"]),
    ("farmd ps 1-3,state:fa", ["1-3,state:failed"]), ("farmd logs --tail ", []), ("farmd up --cpu ", []), ("farmd nonsense ", []),
    ("farmd wait -q --he", ["--healthy", "--help"]), ("far", []), ("", []),
    ("farmd load c", ["cancel", "compare"]), ("farmd load list --l", ["--limit"]), ("farmd load compare -o y", ["yaml"]),
    ("farmd load 1 --ht", ["--html"]), ("farmd help load sh", ["show"]), ("farmd load show x -o c", ["csv"]),
    ("farmd load state:fail", ["state:failed"]),
])
def test_what_is_offered(line, words):
    assert offered(line) == words


def test_servers_are_offered(farm):
    assert offered("farmd restart server-", farm) == ["server-1", "server-2", "server-3"]
    assert offered("farmd restart server-1,server-2,a", farm) == ["server-1,server-2,all"]


def test_every_verb_and_flag_is_offered(tmp_path):
    """The same as help lists: both come from the one table."""
    listed = re.findall(r"^  ([a-z-]+)  +\S", run_farmd("help", directory=tmp_path).stdout.partition("farmd help COMMAND")[0],
                        re.M)
    assert offered("farmd ") == listed

    def flags_of(verb):
        page = run_farmd("help", verb, directory=tmp_path).stdout
        return re.findall(r"^  (?:-\w, )?(--[a-z-]+)", page, re.M), "flags of the settings" in page

    settings = flags_of("up")[0][1:]  # but for --detach
    for verb in listed:
        flags, takes_settings = flags_of(verb)
        flags += settings if takes_settings else []
        assert offered(f"farmd {verb} --") == [*flags, "--help"], verb


def script(shell):
    return run(None, "completion", shell).stdout


BASH = """\
source <("$FARMD" completion bash)
COMP_LINE="$FARMD $1" COMP_POINT=${#COMP_LINE}
COMP_POINT=${#COMP_LINE}
COMP_WORDS=("$FARMD")
compopt() { echo "compopt $*"; }
_farmd
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("line,words", [
    ("rest", ["restart"]), ("ps server-", ["server-1", "server-2", "server-3"]), ("ps state:unh", ["unhealthy"]),
    ("ps --output=ya", ["yaml"]), ("ps group", ["compopt -o nospace", "group:"]),
])
def test_bash(farm, line, words):
    env = {**environment(farm), "FARMD": FARMD}
    done = subprocess.run(["bash", "-c", BASH, "bash", line], env=env, capture_output=True, text=True, timeout=DEADLINE)
    assert done.stdout.splitlines() == words, done


ZSH = """\
compdef() { :; }
compadd() { shift 4; print -rl -- "$@"; }
words=("$FARMD" "${(@s: :)1}") CURRENT=$#words
if [[ $2 == installed ]]; then
    fpath=($PWD) && "$FARMD" completion zsh >_farmd && autoload -U _farmd
else
    source <("$FARMD" completion zsh)
fi
_farmd
"""


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh here")
@pytest.mark.parametrize("way", ["sourced", "installed"])
@pytest.mark.parametrize("line,words", [
    ("rest", ["restart"]), ("ps server-", ["server-1", "server-2", "server-3"]), ("ps -o ya", ["yaml"]),
])
def test_zsh(farm, tmp_path, line, words, way):
    env = {**environment(farm), "FARMD": FARMD}
    done = subprocess.run(["zsh", "-f", "-c", ZSH, "zsh", line, way], env=env, capture_output=True, text=True,
                          timeout=DEADLINE, cwd=tmp_path)
    assert (done.stdout.splitlines(), done.stderr) == (words, ""), done


@pytest.mark.parametrize("shell,check", [("zsh", ["-n"]), ("fish", ["--no-execute"])])
def test_scripts_of_other_shells(tmp_path, shell, check):
    (tmp_path / "script").write_text(script(shell))
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    done = subprocess.run([shell, *check, tmp_path / "script"], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish here")
def test_fish(farm, tmp_path):
    env = {**environment(farm), "FARMD": FARMD, "HOME": str(tmp_path), "PATH": f"{pathlib.Path(FARMD).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["fish", "-c", "farmd completion fish | source; complete -C 'farmd ps server-'"], env=env,
                          capture_output=True, text=True, timeout=DEADLINE)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["server-1", "server-2", "server-3"], done


# --- documents ---


def test_cli_md_is_what_help_says():
    assert (ROOT / "docs" / "cli.md").read_text() == run(None, "help", "--format", "markdown").stdout, "run make docs"


def test_the_man_page_is_what_help_says():
    page = (ROOT / "docs" / "farmd.1").read_text()
    generated = page.partition('.\\" begin:')[2].partition("\n")[2].partition('.\\" end')[0]
    assert generated == run(None, "help", "--format", "man").stdout, "run make docs"


COMMAND = re.compile(r"(?:^|[\s`(])(?:\./)?farmd ([a-z][a-z-]*)((?: [^`|#·\n&;)]*)?)")


@pytest.mark.parametrize("name", ["README.md", "docs/migrating.md"])
def test_commands_of_the_documents_are_there(tmp_path, name):
    """What stands between backquotes or in a block and begins with farmd: its verb and its flags."""
    text = (ROOT / name).read_text()
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.S)
    pieces = blocks + re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    listed = set(offered("farmd "))
    seen = 0
    for verb, rest in (match for piece in pieces for match in COMMAND.findall(piece)):
        assert verb in listed, f"farmd {verb}{rest}"
        flags = set(offered(f"farmd {verb} --"))
        page = run_farmd("help", verb, directory=tmp_path).stdout
        letters = set(re.findall(r"^  -(\w), --", page, re.M)) | {"h"}
        for word in re.findall(r"(?<=\s)--?[a-zA-Z][\w-]*", rest):
            assert word in flags if word.startswith("--") else word[1] in letters, f"farmd {verb}{rest}: {word}"
        seen += 1
    assert seen > 5


@pytest.mark.skipif(not shutil.which("groff"), reason="no groff here")
def test_the_man_page_can_be_read():
    done = subprocess.run(["groff", "-mdoc", "-Tutf8", "-k", "-ww", ROOT / "docs" / "farmd.1"], capture_output=True, text=True,
                          timeout=DEADLINE)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    text = re.sub(r"\x1b\[[\d;]*m|.\x08", "", done.stdout)
    for word in ("rolling-restart", "--max-unavailable", "state:unhealthy", "FARMD_API", "124"):
        assert word in text


# --- up -d and down ---


def background(farm, *flags, code=DONE):
    done = subprocess.run([FARMD, "up", "-d", *farm.arguments(), *flags], env=farm.env, cwd=farm.directory, text=True,
                          capture_output=True, timeout=DEADLINE)
    assert done.returncode == code, done
    return done


def down(farm, *flags):
    done = subprocess.run([FARMD, "down", *farm.arguments(), *flags], env=farm.env, cwd=farm.directory, text=True,
                          capture_output=True, timeout=DEADLINE)
    assert done.returncode == 0, done
    return done


def test_in_the_background(farms):  # noqa: F811
    farm = farms(servers=3)
    done = background(farm)
    pid = int(re.search(r"runs in the background \(pid (\d+)\): 3 of 3 servers ready", done.stdout).group(1))
    assert done.stderr == "" and f"http://localhost:{farm.port}" in done.stdout
    assert f"farmd down --state-dir {farm.state_dir} stops it" in done.stdout  # no other setting names it
    assert [entry["status"] for entry in farm.servers().values()] == ["running"] * 3, "ready when it returns"
    assert os.getsid(pid) == pid and os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    assert pathlib.Path(f"/proc/{pid}/comm").read_text() == "farmd\n"
    log = farm.state_dir / "logs" / "farmd.log"
    assert str(log) in done.stdout and "3/3" in log.read_text()

    again = background(farm, code=USAGE)
    assert f"another farmd (pid {pid})" in again.stderr
    os.kill(pid, signal.SIGHUP)  # reloads, for it has no terminal to lose
    farm.wait_event("Reloaded")
    down(farm)
    assert not alive(pid) and farm.leftovers() == []


def test_background_of_settings_that_are_wrong(farms):  # noqa: F811
    farm = farms(servers=1)
    done = background(farm, "--cpu", "fast", code=USAGE)
    assert re.fullmatch(r"farmd: --cpu: [^\n]+\n", done.stderr)
    assert not farm.state_dir.exists()


def test_background_of_a_farm_that_cannot_start(farms):  # noqa: F811
    farm = farms(servers=1)
    with farmlib.listening(farm.port):
        done = background(farm, code=FAILED)
    assert f"port {farm.port} is taken" in done.stderr and done.stdout == ""
    assert farm.leftovers() == []


def test_background_when_some_cannot_start(farms):  # noqa: F811
    farm = farms(servers=3)
    with farmlib.listening(farm.base_port + 1):
        done = background(farm, code=PARTLY)
        assert "2 of 3 servers ready" in done.stdout
        assert "1 of 3 servers could not start yet" in done.stderr
        down(farm)
    assert farm.leftovers() == []
