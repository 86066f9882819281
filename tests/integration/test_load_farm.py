"""`farmd load` of a farm's servers: by selector, through the API, with its reports, and what goes wrong on the way."""

import json
import re
import signal

import pytest

import clilib
import farmlib
from clilib import DONE, FAILED, INTERRUPTED, UNREACHABLE, Terminal, error, run
from farmd_process import farms, running  # noqa: F401 (a fixture)
from farmlib import DEADLINE, wait_for

SERVERS = 4


@pytest.fixture(scope="module")
def farm():
    with running(servers=SERVERS) as one:
        yield one


def counted(farm, server_id):
    return farm.worker(server_id, path="/metrics").json()["requests"]["total"]


def report(farm, *arguments, code=DONE):
    return json.loads(run(farm, "load", *arguments, "-o", "json", code=code).stdout)


def load_tests_of(farm):
    return farm.get("/api/load-tests")["load_tests"]


def under_way(farm):
    return [test for test in load_tests_of(farm) if test["status"] == "running"]


class Loading:
    """A `farmd load` that is under way, and gone after the test."""

    def __init__(self, farm, *arguments, wait=True):
        self.farm = farm
        self.before = {test["id"] for test in load_tests_of(farm)}
        self.process = clilib.start(farm, "load", *arguments)
        if wait:
            wait_for(lambda: self.test() and self.test()["answered"] > 0, what="the load")

    def test(self):
        return next((test for test in load_tests_of(self.farm) if test["id"] not in self.before), None)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self, code):
        out, err = self.process.communicate(timeout=DEADLINE)
        assert self.process.returncode == code, (self.process.returncode, out, err)
        return out, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=DEADLINE)


# --- what was asked is what is done ---


def test_a_selection_is_loaded_and_no_other(farm):
    before = {i: counted(farm, i) for i in range(1, SERVERS + 1)}
    result = report(farm, "1-2,server-4", "-n", "150", "-c", "3")["result"]
    after = {i: counted(farm, i) for i in before}
    assert {i: after[i] - before[i] for i in before} == {1: 150, 2: 150, 3: 0, 4: 150}
    assert (result["requests"], result["answered"], result["failed"]) == (450, 450, 0)
    assert [target["name"] for target in result["targets"]] == ["server-1", "server-2", "server-4"]


def test_every_flag_arrives(farm):
    run_ = report(farm, "all", "--stages", "200ms@100,100ms@300", "--poisson", "--warmup", "100ms", "-c", "2", "--path",
                  "/?id={server_id}", "-X", "PUT", "-H", "X-One: 1", "-H", "x-one: 2", "-H", "X-Two:3", "--body", "some",
                  "--no-keep-alive", "--timeout", "2s", "--threshold", "p99<9s", "-t", "1", "--name", "all of it")
    plan, result = run_["plan"], run_["result"]
    assert (run_["name"], run_["status"]) == ("all of it", "completed")
    assert (plan["model"], plan["connections"], plan["duration_seconds"], plan["warmup_seconds"]) == ("poisson", 2, 0.3, 0.1)
    assert [(stage["rate"], stage["duration_seconds"]) for stage in plan["stages"]] == [(100, 0.2), (300, 0.1)]
    assert (plan["method"], plan["path"], plan["keep_alive"], plan["timeout_seconds"]) == ("PUT", "/?id={server_id}", False, 2)
    assert plan["thresholds"] == ["p99<9s"] and result["engine"]["threads"] == 1
    assert result["status_codes"].keys() == {"405"} and result["failed"] == result["answered"] and result["connects"] >= result["answered"] > 0


@pytest.mark.parametrize("flags,expected", [
    (["-r", "200", "-d", "500ms"], ("constant", None, 0.5)), (["-n", "7"], ("closed", 7, None)),
    (["-n", "7", "-d", "1m"], ("closed", 7, 60)), (["-n", "50", "-r", "1000"], ("constant", 50, None)),
])
def test_how_much_and_when(farm, flags, expected):
    plan = report(farm, "1", *flags)["plan"]
    assert (plan["model"], plan["requests"], plan["duration_seconds"]) == expected


def test_headers_and_a_body_arrive_as_they_are(farm):
    bare = report(farm, "1", "-n", "1", "--path", "/echo", "-X", "POST")["result"]
    body = "é\"\\\n"
    full = report(farm, "1", "-n", "1", "--path", "/echo", "-X", "POST", "--body", body, "-H", "X-One: 1", "-H", "x-one:2",
                  "-H", "Content-Type: text/plain")["result"]
    assert full["status_codes"] == {"200": 1}
    # headers of one name are one list
    assert full["bytes_sent"] - bare["bytes_sent"] == len(body.encode()) + len("X-One: 1, 2\r\nContent-Type: text/plain\r\n")


# --- the report ---


def test_text_says_what_is_done_and_what_came_of_it(farm):
    done = run(farm, "load", "1-2", "-r", "500", "-d", "500ms", "--threshold", "p99<9s", "--threshold", "rate>1")
    lines = done.stdout.splitlines()
    assert lines[0] == "2 servers · open, 500/s constant · 500 ms"
    assert any(line.startswith("250 asked, 250 answered, 0 dropped, 0 failed") for line in lines)
    assert [line[:4] for line in lines if line[:4] in ("PASS", "FAIL")] == ["PASS", "PASS"]
    assert done.stderr == ""
    assert run(farm, "load", "1", "-n", "9", "-o", "csv").stdout.splitlines()[1].startswith('"server-1",9,9,')


def test_a_small_rate_is_told_as_it_is(farm):
    lines = run(farm, "load", "1", "-r", "0.5", "-d", "2s").stdout.splitlines()
    assert lines[0] == "server-1 · open, 0.5/s constant · 2 s"
    assert any(line.endswith("0.5/s of 0.5/s") for line in lines)


def test_a_very_short_run_says_so(farm, tmp_path):
    made = report(farm, "1", "-n", "1", "-c", "1")
    made["result"]["seconds"] = 0
    (tmp_path / "run.json").write_text(json.dumps(made))
    assert "0 failed · under 5 ms · " in run(farm, "load", "show", str(tmp_path / "run.json")).stdout


def test_ending_what_has_ended_says_so(farm):
    test = report(farm, "1", "-n", "5")
    assert run(farm, "load", "cancel", test["id"]).stderr == f"farmd: load test {test['id']} had ended by itself\n"


def test_a_handful_of_requests_does_not_accuse_the_engine(farm):
    engine = report(farm, "1", "-n", "5")["result"]["engine"]
    assert (engine["saturated"], engine["saturated_why"]) == (False, None)


def test_plans_that_differ_in_what_is_sent_are_told_apart(farm, tmp_path):
    files = []
    for letter, flags in (("a", ["-H", "X-A: 1", "--body", "one"]), ("b", ["-H", "X-A: 2", "--body", "two", "-H", "Cookie: key"])):
        files.append(str(tmp_path / f"{letter}.json"))
        made = run(farm, "load", "1", "-n", "20", "-X", "POST", "--path", "/echo", *flags, "-o", "json").stdout
        assert "key" not in json.loads(made)["plan"]["headers"][-1]  # what lets its bearer in is not kept
        (tmp_path / f"{letter}.json").write_text(made)
    out = run(farm, "load", "compare", *files).stdout
    assert "headers X-A: 1 → X-A: 2, Cookie: (not kept)" in out
    assert "body of 3 bytes (7a6c86f1) → of 3 bytes" in out


def test_the_farm_tells_of_load_tests_among_its_events(farm):
    last = farm.get("/api/events")["last_id"]
    test = report(farm, "1-2", "-n", "10", "--name", "short")
    events = farm.get(f"/api/events?since={last}")["events"]
    assert [(event["reason"], event["message"]) for event in events] == [
        ("LoadTestStarted", f"load test {test['id']} (short) of 2 servers is started (closed, 20 connections)"),
        ("LoadTestEnded", f"load test {test['id']} (short) is completed: 20 answered, 0 failed, "
                          f"p99 {test['result']['latency']['p99_us'] / 1000:.2f} ms"),
    ]


def test_a_threshold_that_does_not_hold_is_exit_1(farm):
    assert "FAIL  p50<1us" in run(farm, "load", "1", "-n", "20", "--threshold", "p50<1us", code=FAILED).stdout


def test_a_terminal_sees_how_far_it_is(farm):
    with Terminal(farm, "load", "1", "-d", "2.2s", "-c", "1", columns=100) as terminal:
        assert terminal.read_to_end() == DONE
        assert re.search(r"1 s █+░+  [\d,]+/s  p50 \S+  p99 \S+ ms  failed 0", terminal.screen)
        assert "\r\033[K" in terminal.screen


def test_servers_that_do_not_run_are_named(farm):
    run(farm, "stop", "3")
    try:
        done = run(farm, "load", "3-4", "-n", "5")
        assert done.stderr == "farmd: not loaded, for it does not run: server-3\n" and "5 answered" in done.stdout
        assert "start them first" in error(farm, "load", "3", code=FAILED)
    finally:
        run(farm, "start", "3")


# --- what cannot be ---


@pytest.mark.parametrize("arguments,words", [
    (["1-99"], "no such server: 5-99; there are 1-4"), (["server-9"], "there are 1-4"), (["x"], "is not a server"),
    ([], "say what to load"), (["1", "-c", "0"], "from 1 to 100000"), (["1", "-c", "1000000000000"], "from 1 to 100000"),
    (["1", "-c", "99999"], "connections must be at most"), (["1", "--rate", "nan"], "from 0.01 to"), (["1", "-n", "-1"], "--requests"),
    (["1", "-r", "0"], "--rate"), (["1", "-d", "25h"], "--duration"), (["1", "-X", "A B"], "method must be"),
    (["1", "--path", "x"], "path must begin with /"), (["1", "-H", "no colon"], "write Name: value"),
    (["1", "--threshold", "p99"], "is not a threshold"), (["1", "--threshold", "dropped<=0"], "needs an open model"),
    (["1", "--allow-remote"], "is for URLs"), (["http://localhost:1/", "-l", "zone=a"], "is for servers of a farm"),
    (["http://localhost:1/", "--api", ":1"], "is for servers of a farm"), (["1", "http://localhost:1/"], "cannot be loaded together"),
    (["1", "--html", "/nonexistent/page.html"], "cannot write /nonexistent/page.html"), (["1", "--name", "x" * 101], "name"),
    (["1", "--stages", "1s@"], "write DURATION@RATE"), (["compare"], "say which two"), (["show"], "say which"),
    (["lst"], "did you mean farmd load list?"), (["localhost:8001"], "is loaded as http://localhost:8001"),
    (["list", "-n", "0"], "--limit"), (["1", "compare", "a"], "is not a server"),
])
def test_usage_errors_say_what_is_right(farm, arguments, words):
    before = len(load_tests_of(farm))
    assert words in error(farm, "load", *arguments)
    assert len(load_tests_of(farm)) == before


def test_a_body_that_is_no_text(farm, tmp_path):
    (tmp_path / "body").write_bytes(b"a\0b")
    assert "NUL byte" in error(farm, "load", "1", "-X", "POST", "--body", f"@{tmp_path / 'body'}")


def test_a_filter_that_matches_nothing_is_no_error(farm):
    before = len(load_tests_of(farm))
    done = run(farm, "load", "state:failed", "-d", "1s", "-o", "json")
    assert (done.stdout, done.stderr) == ("", "farmd: no server is state:failed; nothing was loaded\n")
    assert len(load_tests_of(farm)) == before


def test_no_farm(tmp_path):
    nowhere = {"FARMD_API": f"http://localhost:{farmlib.free_port()}"}
    for arguments in (["1"], ["list"], ["show", "abc"], ["cancel", "abc"], ["compare", "abc", "def"]):
        assert "no farm answers at" in error(None, "load", *arguments, code=UNREACHABLE, env=nowhere)


def test_one_at_a_time(farm):
    with Loading(farm, "1-2", "-d", "10m", "-c", "1") as loading:
        assert "loads server-2 already" in error(farm, "load", "2-3", "-n", "1", code=FAILED)
        run(farm, "load", "3", "-n", "1")
        loading.interrupt()
        loading.end(INTERRUPTED)


# --- Ctrl-C, and the farm's end ---


def test_ctrl_c_ends_the_test_and_reports_what_was_done(farm):
    before = counted(farm, 1)
    with Loading(farm, "1", "-d", "10m", "-c", "2", "-o", "json") as loading:
        test = loading.test()
        loading.interrupt()
        out, err = loading.end(INTERRUPTED)
    result = json.loads(out)["result"]
    assert err == "" and result["ended_by"] == "stopped"
    assert result["answered"] == result["requests"] == counted(farm, 1) - before > 0
    assert farm.get(f"/api/load-tests/{test['id']}")["status"] == "cancelled"


def test_a_second_ctrl_c_waits_for_nothing(farm):
    with Loading(farm, "1", "--path", "/slow-endpoint", "-d", "10m", "-c", "1", wait=False) as loading:
        wait_for(lambda: under_way(farm), what="the load")
        loading.interrupt()
        loading.interrupt()
        wait_for(lambda: not under_way(farm) or loading.process.poll() is not None, what="an end")
        if loading.process.poll() is None:
            loading.interrupt()
        loading.end(INTERRUPTED)
    for test in under_way(farm):
        run(farm, "load", "cancel", test["id"])


def test_the_farm_is_killed(farms):
    farm = farms(servers=1).start()
    with Loading(farm, "1", "-d", "10m", "-c", "1") as loading:
        farm.kill()
        out, err = loading.end(UNREACHABLE)
    assert out.startswith("server-1 · closed") and re.fullmatch(r"farmd: load test \S+: [^\n]+\n", err), err


def test_the_farm_is_stopped_in_order(farms):
    farm = farms(servers=1).start()
    with Loading(farm, "1", "-d", "10m", "-c", "1", "-o", "json") as loading:
        assert farm.stop() == 0
        out, err = loading.process.communicate(timeout=DEADLINE)
        # What was done by then is told, if the farm had the time to; else that it is gone.
        if out:
            assert json.loads(out)["result"]["ended_by"] == "stopped" and loading.process.returncode == FAILED
        else:
            assert "the farm has stopped" in err and loading.process.returncode == UNREACHABLE


def test_servers_that_die_and_freeze_are_told_of(farm):
    with Loading(farm, "1-3", "-d", "2s", "-c", "2", "--timeout", "300ms", "-o", "json") as loading:
        run(farm, "kill", "1")
        run(farm, "pause", "2")
        try:
            out, _ = loading.end(DONE)
        finally:
            run(farm, "resume", "2")
    one, two, three = json.loads(out)["result"]["targets"]
    assert one["errors"]["reset"] + one["errors"]["refused"] + one["errors"]["short_body"] > 0 and one["restarts"] >= 1
    assert two["errors"]["timeout"] > 0 and three["failed"] == 0
    run(farm, "wait", "--healthy")


# --- what the farm keeps ---


def test_list_and_show(farm):
    done = report(farm, "1", "-n", "30", "--name", "thirty")
    table = run(farm, "load", "list").stdout.splitlines()
    assert table[0].split()[:3] == ["ID", "STARTED", "STATUS"]
    assert table[1].split()[0] == done["id"] and table[1].split()[-1] == "thirty" and "completed" in table[1]
    assert json.loads(run(farm, "load", "list", "-n", "1", "-o", "json").stdout)["load_tests"][0]["id"] == done["id"]
    assert json.loads(run(farm, "load", "show", done["id"], "-o", "json").stdout)["result"] == done["result"]
    assert "30 answered" in run(farm, "load", "show", done["id"]).stdout
    failed = report(farm, "1", "-n", "3", "--threshold", "p50<1us", code=FAILED)
    assert "missed" in run(farm, "load", "list", "-n", "1").stdout
    assert "FAIL" in run(farm, "load", "show", failed["id"], code=FAILED).stdout
    for bad in ("nosuch", "a%00b", "a b", "x" * 300):
        assert "there is none" in error(farm, "load", "show", bad)
    assert "there is none" in error(farm, "load", "cancel", "nosuch")


def test_the_list_as_names_is_ids(farm):
    ids = [test["id"] for test in load_tests_of(farm)]
    assert run(farm, "load", "list", "-o", "name").stdout.split() == ids


def test_show_waits_for_one_that_runs_and_leaves_it_alone(farm):
    with Loading(farm, "1", "-d", "10m", "-c", "1", "-o", "json") as loading:
        id_ = loading.test()["id"]
        process = clilib.start(farm, "load", "show", id_)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE)
        assert under_way(farm)
        watching = clilib.start(farm, "load", "show", id_, "-o", "json")
        cancelled = json.loads(run(farm, "load", "cancel", id_, "-o", "json").stdout)
        seen = json.loads(watching.communicate(timeout=DEADLINE)[0])
        out, err = loading.end(FAILED)
    assert "was ended before its time" in err and cancelled["status"] == "cancelled" and seen["result"] == cancelled["result"] == json.loads(out)["result"]


# --- two compared ---


@pytest.fixture(scope="module")
def two_runs(farm, tmp_path_factory):
    """A file of a quick server's run and one of a server that answers late."""
    directory = tmp_path_factory.mktemp("runs")
    paths = []
    for name, path in (("quick", "/"), ("large", "/data/2000")):
        paths.append(directory / f"{name}.json")
        made = report(farm, "1", "-d", "8.2s", "-c", "1", "--path", path, "--name", name)
        made["result"]["engine"].update(saturated=False, saturated_why=None)  # whatever else this machine does now
        paths[-1].write_text(json.dumps(made))
    return paths


def test_compare_says_what_became_worse(farm, two_runs):
    quick, large = map(str, two_runs)
    done = run(None, "load", "compare", quick, large, code=FAILED)
    assert f"a  {quick}  quick  server-1 · closed" in done.stdout and "asked       path / → /data/2000" in done.stdout
    rate = next(line for line in done.stdout.splitlines() if line.startswith("answers/s"))
    assert rate.split()[-1] == "worse" and "the plans differ (path)" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("b is worse than a · worse: answers/s, latency p50")
    assert "b is better than a" in run(None, "load", "compare", large, quick).stdout


def test_compare_takes_ids_and_files(farm, two_runs):
    id_ = json.loads(two_runs[0].read_text())["id"]
    same = json.loads(run(farm, "load", "compare", id_, str(two_runs[0]), "-o", "json").stdout)
    assert same["verdict"] == "noise" and same["plan_changes"] == []
    assert "no more than noise" in run(farm, "load", "compare", id_, id_).stdout
    other = json.loads(two_runs[1].read_text())["id"]
    by_api = farm.get(f"/api/load-tests/compare?a={other}&b={id_}")["comparison"]
    assert json.loads(run(farm, "load", "compare", other, id_, "-o", "json").stdout) == by_api
    with open(two_runs[0]) as text:
        assert "no more than noise" in run(farm, "load", "compare", id_, "-", stdin=text).stdout


def test_what_cannot_be_compared(farm, two_runs, tmp_path):
    good = str(two_runs[0])
    for name, text in (("empty", ""), ("text", "hello"), ("list", "[]"), ("half", '{"plan": {}}'),
                       ("null", '{"plan": {}, "result": null}'), ("binary", "\0\1")):
        bad = tmp_path / f"{name}.json"
        bad.write_text(text)
        assert f"{bad}: is no load run" in error(None, "load", "compare", good, str(bad))
    bad.write_text('{"plan": {}, "result": {"series": []}}')
    assert "b has no seconds and series" in error(None, "load", "compare", good, str(bad))
    assert "No such file" in error(None, "load", "compare", "./nosuch", good)
    assert "Is a directory" in error(None, "load", "compare", f"{tmp_path}/", good)
    assert "there is none" in error(farm, "load", "compare", "nosuch", good)
