"""`farmd load` of URLs: the engine in the command's own process, no farm needed."""

import csv
import io
import json
import signal
import socket
import subprocess

import pytest

import farmlib
from farmd_process import FARMD, run_farmd
from farmlib import DEADLINE, wait_for

TIMES = ["mean_us", "p50_us", "p75_us", "p90_us", "p95_us", "p99_us", "p99_9_us", "p99_99_us", "max_us"]


@pytest.fixture
def load(worker, tmp_path):
    """Runs `farmd load` of the worker with these flags."""

    def run(*flags, url=None):
        return run_farmd("load", url or f"http://localhost:{worker.port}/", *flags, directory=tmp_path)

    return run


def total(worker):
    return farmlib.request(worker.port, "GET", "/metrics").json()["requests"]["total"]


def report(result, code=0):
    assert result.returncode == code, (result.returncode, result.stderr)
    assert result.stderr == ""
    return json.loads(result.stdout)


# --- what was asked is what is done ---


@pytest.mark.parametrize("flags,expected", [
    (["-n", "500"], 500), (["-n", "501", "-c", "7", "--threads", "3"], 501),
    (["-n", "100", "--rate", "2000"], 100), (["-n", "100", "--rate", "2000", "--poisson"], 100),
    (["-n", "60", "--no-keep-alive"], 60), (["-n", "5", "-c", "50"], 5),
])
def test_counts_are_the_servers_own(load, worker, flags, expected):
    before = total(worker)
    result = report(load(*flags, "-o", "json"))["result"]
    assert total(worker) - before == expected
    assert (result["requests"], result["answered"], result["failed"]) == (expected, expected, 0)
    assert result["ended_by"] == "count" and result["status_codes"] == {"200": expected}


def test_stages_make_up_the_run(load, worker):
    before = total(worker)
    run = report(load("--stages", "200ms@100,100ms@500", "-o", "json"))
    assert run["plan"]["duration_seconds"] == 0.3 and len(run["plan"]["stages"]) == 2
    assert run["result"]["asked"] == 70
    assert total(worker) - before == run["result"]["requests"] == 70 - run["result"]["dropped"]


def test_the_request_is_as_asked(load):
    run = report(load("-n", "3", "-X", "POST", "--path", "/simulate-load?cpu_duration=0&memory_mb=0", "--body", "{}",
                      "-H", "Content-Type: application/json", "-o", "json"))
    assert run["plan"]["method"] == "POST" and run["result"]["status_codes"] == {"200": 3}
    assert report(load("-n", "2", "-o", "json", "--path", "/error/404"))["result"]["status_codes"] == {"404": 2}


def test_a_path_in_the_url(load, worker):
    run = report(load("-n", "2", "-o", "json", url=f"http://127.0.0.1:{worker.port}/error/503"))
    assert run["plan"]["path"] == "/error/503" and run["result"]["failed"] == 2


def test_a_body_from_a_file(load, tmp_path):
    (tmp_path / "body").write_text("x" * 5000)
    run = report(load("-n", "2", "-X", "POST", "--body", f"@{tmp_path / 'body'}", "--path", "/simulate-load?cpu_duration=0"
                      "&memory_mb=0", "-o", "json"))
    assert run["result"]["bytes_sent"] > 10000


# --- the report ---


def test_json_has_all_figures(load, worker):
    run = report(load("-n", "200", "--rate", "1000", "-o", "json", "--threshold", "p50<9s"))
    result = run["result"]
    for times in (result["latency"], result["service_time"], result["send_delay"], result["targets"][0]["latency"]):
        values = [times[key] for key in TIMES if key != "mean_us"]
        assert times["count"] == 200 and values == sorted(values)
    assert result["latency"]["mean_us"] == pytest.approx(
        result["service_time"]["mean_us"] + result["send_delay"]["mean_us"], abs=0.05)
    assert sum(point["answered"] for point in result["series"]) == 200
    assert result["targets"][0]["name"] == f"localhost:{worker.port}"
    assert result["verdicts"] == [{
        "threshold": "p50<9s", "passed": True, "actual": result["verdicts"][0]["actual"],
        "actual_text": result["verdicts"][0]["actual_text"], "worst_target": None}]


def test_csv_has_a_row_per_target_and_one_for_all(load, worker):
    result = load("-n", "50", "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["target"] for row in rows] == [f"localhost:{worker.port}", "all"]
    assert [row["answered"] for row in rows] == ["50", "50"] and float(rows[0]["latency_p99_us"]) > 0


def test_text_fits_80_columns_and_says_what_was_done(load):
    result = load("-n", "100", "--rate", "5000", "-o", "wide", "--threshold", "p99<1us", "--threshold", "rate>1")
    lines = result.stdout.splitlines()
    assert "open, 5,000/s constant · 100 requests each" in lines[0]
    assert any(line.startswith("100 asked, 100 answered, 0 dropped, 0 failed") for line in lines)
    assert [line[:4] for line in lines if line[:4] in ("PASS", "FAIL")] == ["FAIL", "PASS"]
    times = [line for line in lines if line.startswith(("ms  ", "latency  ", "service  ", "send delay "))]
    assert len(times) == 4 and all(len(line) <= 80 for line in times)
    assert any(line.startswith("TARGET") for line in lines)


def test_a_pipe_gets_no_progress_and_no_colour(load):
    result = load("-d", "1.2s")
    assert result.stderr == "" and "\033" not in result.stdout


# --- exit codes ---


def test_a_threshold_that_does_not_hold_is_exit_1(load):
    assert load("-n", "10", "--threshold", "rate>1000000000").returncode == 1
    assert load("-n", "10", "--threshold", "errors<=0").returncode == 0


def test_no_answer_at_all_is_exit_1(load):
    result = load("-n", "4", url=f"http://127.0.0.1:{farmlib.free_port()}")
    assert result.returncode == 1 and "4 × refused" in result.stdout


@pytest.mark.parametrize("flags,words", [
    (["-c", "0"], "--connections"), (["-c", "1000000000000"], "from 1 to 100000"), (["-n", "-1"], "--requests"),
    (["--rate", "nan"], "--rate"), (["--rate", "0"], "from 0.01 to"), (["-d", "0"], "--duration"), (["-d", "25h"], "--duration"),
    (["--timeout", "2h"], "--timeout"), (["--stages", "10s"], "write DURATION@RATE"), (["--poisson"], "needs --rate"),
    (["--stages", "1s@1", "--rate", "5"], "leave --rate and --duration out"), (["--threshold", "p99"], "is not a threshold"),
    (["--threshold", "dropped<=0"], "needs an open model"), (["-H", "no colon"], "write Name: value"),
    (["-H", "Connection: close"], "set by the engine itself"), (["--path", "x"], "must begin with /"),
    (["--body", "@/nonexistent"], "cannot open /nonexistent"), (["-o", "xml"], "--output"),
])
def test_what_cannot_be_is_a_usage_error(load, worker, flags, words):
    before = total(worker)
    result = load(*flags)
    assert result.stdout == ""
    assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1, result.stderr
    assert total(worker) == before


@pytest.mark.parametrize("url,words", [
    ("https://localhost:1/", "plain HTTP"), ("http://localhost:99999/", "port"), ("http://localhost:1/#x", "fragment"),
    ("http://192.0.2.1/", "--allow-remote"), ("ftp://localhost/", "is not an address"),
])
def test_urls_that_cannot_be_loaded(load, url, words):
    result = load("-n", "1", url=url)
    assert result.returncode == 2 and words in result.stderr, result.stderr


def test_urls_must_have_one_path(worker, tmp_path):
    base = f"http://localhost:{worker.port}"
    result = run_farmd("load", f"{base}/", f"{base}/health", directory=tmp_path)
    assert result.returncode == 2 and "all URLs must have one path" in result.stderr


def test_too_few_descriptors_are_said_before_the_run(worker, tmp_path):
    before = total(worker)
    limited = f"ulimit -n 100; exec '{FARMD}' load http://localhost:{worker.port}/ -c 200 -d 10m"
    result = subprocess.run(["sh", "-c", limited], capture_output=True, text=True, cwd=tmp_path, timeout=DEADLINE)
    assert result.returncode == 2 and result.stdout == ""
    assert "200 connections need" in result.stderr and "raise the limit with ulimit -n" in result.stderr
    assert total(worker) == before


# --- targets that fail on the way ---


def test_a_target_that_freezes_and_one_that_dies(start, tmp_path):
    frozen, dead = start(), start()
    urls = [f"http://localhost:{one.port}/" for one in (frozen, dead)]
    process = subprocess.Popen([FARMD, "load", *urls, "-d", "1.5s", "-c", "2", "--timeout", "300ms", "-o", "json"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        wait_for(lambda: total(frozen) > 100 and total(dead) > 100, what="the load")
        frozen.process.send_signal(signal.SIGSTOP)
        dead.process.kill()
        out, err = process.communicate(timeout=DEADLINE)
    finally:
        frozen.process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
    one, two = json.loads(out)["result"]["targets"]
    assert (process.returncode, err) == (0, "")
    assert one["errors"]["timeout"] > 0 and two["errors"]["refused"] > 0
    for target in (one, two):
        assert target["requests"] == target["answered"] + sum(target["errors"].values()) + target["unfinished"]


# --- Ctrl-C ---


def test_an_interrupted_run_reports_what_was_done(worker, tmp_path):
    before = total(worker)
    process = subprocess.Popen(
        [FARMD, "load", f"http://localhost:{worker.port}/", "-d", "10m", "-c", "4", "-o", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )
    try:
        wait_for(lambda: total(worker) > before + 100, what="the load")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
        process.wait()
    result = json.loads(out)["result"]
    assert process.returncode == 130 and result["ended_by"] == "stopped"
    assert result["answered"] == result["requests"] == total(worker) - before


def test_a_second_ctrl_c_waits_for_no_answer(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        process = subprocess.Popen([FARMD, "load", url, "-d", "10m", "-c", "1", "--timeout", "10m"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        try:
            peer, _ = silent.accept()
            with peer:
                peer.recv(1000)
                process.send_signal(signal.SIGINT)
                wait_for(lambda: process.poll() is not None or process.send_signal(signal.SIGINT), what="its end")
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 130
