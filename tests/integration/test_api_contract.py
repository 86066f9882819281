"""The control plane's contract with clients of the older farm: every path, field and type, over 50 servers."""

import concurrent.futures
import math
import os
import re
import signal
import time

import pytest

from api_client import Api
from farmd_process import running
from farmlib import ISO_TIMESTAMP, ROOT, quickest, raw_http, request, split_responses, wait_for

SERVERS = 50
WORDS = {"running", "starting", "stopping", "stopped", "backoff", "paused", "failed"}


@pytest.fixture(scope="module")
def farm():
    with running(servers=SERVERS) as one:
        yield one


@pytest.fixture(scope="module")
def api(farm):
    return Api(farm.port)


def types(value, **expected):
    """Every named field is there with exactly this type (bool is no int, int is no float)."""
    for key, kind in expected.items():
        assert key in value, f"{key} is missing of {sorted(value)}"
        wanted = kind if isinstance(kind, tuple) else (kind,)
        assert type(value[key]) in wanted, f"{key} is {value[key]!r}"


def stamped(value):
    assert ISO_TIMESTAMP.fullmatch(value["timestamp"]), value["timestamp"]


def two_decimals(number):
    assert isinstance(number, (int, float)) and math.isfinite(number)
    assert round(number, 2) == number


NUMBER = (int, float)


def test_root(api, farm):
    root = api.get("/")
    types(root, name=str, version=str, servers_managed=int, base_port=int, endpoints=dict)
    assert root["servers_managed"] == SERVERS and root["base_port"] == farm.base_port
    types(root["endpoints"], servers=str, health=str, metrics=str, docs=str)
    for path in root["endpoints"].values():
        assert api.raw("GET", path).status == 200


def test_servers(api, farm):
    listing = api.get("/api/servers")
    types(listing, total_servers=int, servers=list, timestamp=str, enforcement=str, runtime=str)
    stamped(listing)
    assert listing["total_servers"] == SERVERS
    assert [entry["id"] for entry in listing["servers"]] == list(range(1, SERVERS + 1))
    for entry in listing["servers"]:
        types(entry, id=int, name=str, status=str, url=str, port=int, cpu_percent=float, memory_mb=float,
              memory_percent=float, health=str, ready=bool, pid=int, uptime_seconds=float, restarts=int, limits=dict,
              oom_kills=int)
        assert entry["name"] == f"server-{entry['id']}" and entry["status"] == "running"
        assert entry["port"] == farm.base_port + entry["id"] - 1
        assert entry["url"] == f"http://localhost:{entry['port']}"
        for key in ("cpu_percent", "memory_mb", "memory_percent", "uptime_seconds"):
            two_decimals(entry[key])
        assert "error" not in entry
        assert {"last_exit", "next_restart_at", "throttled_percent"} <= set(entry)


def test_a_stopped_server_omits_its_figures(api):
    api.act(4, "stop")
    try:
        entry = api.servers()[4]
        assert entry["status"] == "stopped" and isinstance(entry["error"], str) and entry["error"]
        assert not {"cpu_percent", "memory_mb", "memory_percent"} & set(entry)
        types(entry["last_exit"], reason=str, oom_killed=bool, at=str)
        one = api.get("/api/servers/4")
        assert one["status"] == "stopped" and list(one["metrics"]) == ["error"]
        health = api.get("/api/health")
        assert health["unhealthy"] == 1 and health["healthy"] + health["degraded"] == SERVERS - 1
        assert health["servers"][3]["status"] == "error" and isinstance(health["servers"][3]["error"], str)
        metrics = api.get("/api/metrics")
        assert metrics["total_servers"] == SERVERS and metrics["responding_servers"] == SERVERS - 1
        result = api.post("/api/broadcast?endpoint=/")
        assert result["failed_responses"] == 1 and list(result["results"][3]) == ["error"]
        simulated = api.post("/api/simulate-load", {"server_ids": [4], "cpu_duration": 0, "memory_mb": 0})
        assert simulated["results"][0]["status"] == "error" and isinstance(simulated["results"][0]["message"], str)
        load = api.post("/api/load-test", {"target_servers": [4, 5], "requests": 20})
        assert [(r["requests"], r["successful"], r["failed"]) for r in load["load_test_results"]] == [
            (20, 0, 20), (20, 20, 0)]
    finally:
        api.act(4, "start")
    assert api.servers()[4]["status"] == "running"


def test_one_server(api, farm):
    one = api.get("/api/servers/7")
    types(one, server_id=int, container_name=str, status=str, url=str, port=int, metrics=dict, timestamp=str)
    stamped(one)
    assert one["server_id"] == 7 and one["container_name"] == "server-7" and one["status"] == "running"
    metrics = one["metrics"]
    types(metrics, server_id=str, hostname=str, port=int, timestamp=str, uptime_seconds=float, requests=dict, cpu=dict,
          memory=dict, disk=dict, network=dict)
    assert metrics["server_id"] == "server-7" and metrics["port"] == farm.base_port + 6
    types(metrics["requests"], total=int, rate_per_minute=float)
    types(metrics["cpu"], percent=float, count=int)
    types(metrics["memory"], total_mb=float, available_mb=float, used_mb=float, percent=float)


@pytest.mark.parametrize("server_id", ["0", "51", "-1", "99999999999999999999"])
def test_a_server_outside_the_farm(api, server_id):
    for method, path, body in (("GET", "", None), ("POST", "/action", {"action": "stop"}), ("GET", "/logs", None),
                               ("GET", "/history", None), ("PATCH", "", {"cpu": 1})):
        answer = api.call(method, f"/api/servers/{server_id}{path}", body, 404)
        assert "server_id" in answer["detail"]


@pytest.mark.parametrize("server_id", ["abc", "1.5", "1e3", "0x1", "%31%00", "7%20", "NaN", "a" * 3000])
def test_a_server_id_that_is_no_number(api, server_id):
    assert "server_id" in api.get(f"/api/servers/{server_id}", 422)["detail"]
    assert "server_id" in api.act(server_id, "stop", 422)["detail"]


def test_actions(api):
    for action, word in (("stop", "stopped"), ("start", "running"), ("restart", "running")):
        before = api.servers()[9]
        done = api.act(9, action)
        types(done, server_id=int, action=str, status=str, timestamp=str)
        stamped(done)
        assert (done["server_id"], done["action"], done["status"]) == (9, action, "success")
        after = api.servers()[9]
        assert after["status"] == word
        if action == "restart":
            assert after["pid"] != before["pid"]


def test_actions_are_idempotent(api):
    pid = api.servers()[10]["pid"]
    api.act(10, "start")
    assert api.servers()[10]["pid"] == pid
    api.act(10, "stop")
    api.act(10, "stop")
    assert api.servers()[10]["status"] == "stopped"
    api.act(10, "start")


def test_actions_refused(api):
    assert "explode" in api.act(9, "explode", 400)["detail"]
    assert "action" in api.post("/api/servers/9/action", {}, 422)["detail"]
    assert "action" in api.post("/api/servers/9/action", {"action": None}, 422)["detail"]
    assert "action" in api.post("/api/servers/9/action", {"action": 7}, 422)["detail"]
    # the server comes first, whatever the body is
    api.post("/api/servers/99/action", {"action": "explode"}, 404)


def test_health(api):
    health = api.get("/api/health")
    types(health, total_servers=int, healthy=int, degraded=int, unhealthy=int, servers=list, timestamp=str)
    stamped(health)
    assert health["total_servers"] == SERVERS == len(health["servers"])
    assert health["healthy"] + health["degraded"] + health["unhealthy"] == SERVERS
    assert health["unhealthy"] == 0
    for server_id, entry in enumerate(health["servers"], 1):
        types(entry, server_id=int, status=str)
        assert entry["server_id"] == server_id and entry["status"] in ("healthy", "degraded") and entry["error"] is None


def test_health_is_quick(api):
    """The benchmark has the figure; one after the other, or waiting for anything, would take longer than this."""
    assert quickest(lambda: api.raw("GET", "/api/health"), tries=20) < 0.25


def test_a_frozen_server_delays_nobody_else(api):
    pid = api.servers()[11]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            started = time.monotonic()
            slow = {path: pool.submit(api.get, path) for path in ("/api/health", "/api/metrics", "/api/servers/11")}
            others = quickest(lambda: (api.raw("GET", "/api/servers"), api.raw("GET", "/api/servers/12")))
            assert others < 1
            health, metrics, one = (answer.result() for answer in slow.values())
            assert 2.5 < time.monotonic() - started < 30
        assert health["servers"][10] == {**health["servers"][10], "status": "error", "error": "timeout"}
        assert health["unhealthy"] == 1
        assert metrics["responding_servers"] == SERVERS - 1
        assert one["metrics"] == {"error": "timeout"}
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_paused_server_is_not_asked(api):
    api.act(11, "pause")
    try:
        assert api.servers()[11]["status"] == "paused"
        started = time.monotonic()
        assert api.get("/api/health")["servers"][10]["status"] == "error"
        assert api.get("/api/metrics")["responding_servers"] == SERVERS - 1
        assert "paused" in api.get("/api/servers/11")["metrics"]["error"]
        assert time.monotonic() - started < 2.5
    finally:
        api.act(11, "resume")
    assert api.servers()[11]["status"] == "running"


def test_metrics(api):
    metrics = api.get("/api/metrics")
    types(metrics, total_servers=int, responding_servers=int, aggregated_metrics=dict, timestamp=str)
    stamped(metrics)
    assert metrics["total_servers"] == metrics["responding_servers"] == SERVERS
    aggregated = metrics["aggregated_metrics"]
    types(aggregated, total_requests=int, cpu=dict, memory=dict)
    for key in ("cpu", "memory"):
        types(aggregated[key], average=float, max=float, min=float)
        assert aggregated[key]["min"] <= aggregated[key]["average"] + 0.01 <= aggregated[key]["max"] + 0.02


def test_metrics_count_requests(api, farm):
    before = api.get("/api/metrics")["aggregated_metrics"]["total_requests"]
    for _ in range(10):
        assert farm.worker(12).status == 200
    assert api.get("/api/metrics")["aggregated_metrics"]["total_requests"] == before + 10


def test_metrics_for_a_scraper(api):
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    text = api.call("GET", "/api/metrics", headers={"Accept": accept})
    assert text.count("farmd_server_up{") == SERVERS
    assert 'farmd_server_up{server="server-1",group="default"} 1' in text
    assert f'farmd_servers{{state="running"}} {SERVERS}' in text
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            assert name and math.isfinite(float(value)), line
    browser = api.raw("GET", "/api/metrics", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert browser.headers["Content-Type"] == "application/json"


def test_load_test(api):
    result = api.post("/api/load-test", {"target_servers": [1, 2, 3], "requests": 200, "concurrency": 4})
    types(result, load_test_results=list, total_requests=int, total_successful=int, total_failed=int, timestamp=str)
    stamped(result)
    assert [entry["server_id"] for entry in result["load_test_results"]] == [1, 2, 3]
    for entry in result["load_test_results"]:
        types(entry, server_id=int, requests=int, successful=int, failed=int, duration_seconds=float,
              requests_per_second=float)
        assert (entry["requests"], entry["successful"], entry["failed"]) == (200, 200, 0)
    assert (result["total_requests"], result["total_successful"], result["total_failed"]) == (600, 600, 0)


@pytest.mark.parametrize("targets", [{}, {"target_servers": None}, {"target_servers": []}])
def test_load_test_of_all(api, targets):
    result = api.post("/api/load-test", {**targets, "requests": 3, "concurrency": 2})
    assert [entry["server_id"] for entry in result["load_test_results"]] == list(range(1, SERVERS + 1))
    assert result["total_successful"] == 3 * SERVERS


def test_load_test_defaults(api):
    result = api.post("/api/load-test", {"target_servers": [1]})
    assert result["total_requests"] == 1000
    assert api.post("/api/load-test")["total_requests"] == 1000 * SERVERS


def test_load_test_counts_what_servers_count(api, farm):
    before = farm.worker(13, path="/metrics").json()["requests"]["total"]
    result = api.post("/api/load-test", {"target_servers": [13], "requests": 777, "concurrency": 7})
    assert result["total_successful"] == 777
    assert farm.worker(13, path="/metrics").json()["requests"]["total"] == before + 777


def test_load_test_by_time_alone(api):
    result = api.post("/api/load-test", {"target_servers": [1], "duration": 0.5})
    entry = result["load_test_results"][0]
    assert 0.4 <= entry["duration_seconds"] <= 10 and entry["failed"] == 0 and entry["requests"] > 0


def test_load_test_ends_at_the_first_bound(api):
    few = api.post("/api/load-test", {"target_servers": [1], "requests": 10, "duration": 60})
    assert few["total_requests"] == 10 and few["load_test_results"][0]["duration_seconds"] < 30
    brief = api.post("/api/load-test", {"target_servers": [1], "requests": 10000000, "duration": 0.3})
    assert brief["total_requests"] < 10000000


def test_load_test_unknown_ids(api):
    detail = api.post("/api/load-test", {"target_servers": [1, 51, -3], "requests": 1}, 400)["detail"]
    assert "51" in detail and "-3" in detail


def test_simulate_load(api):
    result = api.post("/api/simulate-load", {"server_ids": [5, 99, 6], "cpu_duration": 0.2, "memory_mb": 5})
    types(result, results=list, timestamp=str)
    stamped(result)
    five, outside, six = result["results"]
    assert [entry["server_id"] for entry in result["results"]] == [5, 99, 6]
    for entry in (five, six):
        assert entry["status"] == "success"
        types(entry["data"], server_id=str, message=str, timestamp=str)
        assert entry["data"]["cpu_duration"] == 0.2 and entry["data"]["memory_allocated_mb"] == 5
    assert outside == {"server_id": 99, "status": "error", "message": "Invalid server ID"}


def test_simulate_load_is_parallel(api):
    started = time.monotonic()
    result = api.post("/api/simulate-load", {"server_ids": list(range(1, 41)), "cpu_duration": 0.5, "memory_mb": 0})
    assert all(entry["status"] == "success" for entry in result["results"])
    assert time.monotonic() - started < 15, "20 s one after the other"


def test_broadcast(api):
    result = api.post("/api/broadcast?endpoint=/health")
    types(result, endpoint=str, total_servers=int, successful_responses=int, failed_responses=int, results=list,
          timestamp=str)
    stamped(result)
    assert (result["endpoint"], result["total_servers"]) == ("/health", SERVERS)
    assert (result["successful_responses"], result["failed_responses"]) == (SERVERS, 0)
    assert [entry["server_id"] for entry in result["results"]] == [f"server-{i}" for i in range(1, SERVERS + 1)]
    assert api.post("/api/broadcast")["endpoint"] == "/"


def test_broadcast_tells_errors(api):
    result = api.post("/api/broadcast?endpoint=/error/500")
    assert (result["successful_responses"], result["failed_responses"]) == (0, SERVERS)
    assert result["results"][0] == {"error": "HTTP 500"}


def assets_of(page):
    """What a page loads of farmd's own: whether it is the built dashboard or the small page that stands in for it."""
    return sorted(set(re.findall(r'(?:src|href)="(/assets/[^"]+\.(?:js|css))"', page)))


def test_pages(api, farm):
    docs = api.call("GET", "/docs")
    texts = [docs, *(api.raw("GET", asset).body.decode() for asset in assets_of(docs))]
    assert any("openapi.json" in text for text in texts)
    assert api.get("/openapi.json")["openapi"].startswith("3.1")


def test_the_dashboards_port_is_the_same_but_for_its_page(farm):
    dashboard = Api(farm.dashboard_port)
    page = dashboard.raw("GET", "/")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assets = assets_of(page.body.decode())
    assert {asset.rsplit(".", 1)[1] for asset in assets} == {"js", "css"}
    for asset in assets:
        answer = dashboard.raw("GET", asset)
        assert answer.status == 200
        again = dashboard.raw("GET", asset, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status, again.body) == (304, b"")
    assert dashboard.get("/api/servers")["total_servers"] == SERVERS
    assert dashboard.act(1, "start")["status"] == "success"


def test_every_address_of_localhost(farm):
    for host in ("127.0.0.1", "::1"):
        for port in (farm.port, farm.dashboard_port):
            assert request(port, "GET", "/api/servers", host=host).status == 200


def test_head_options_and_wrong_methods(api):
    whole, head = api.raw("GET", "/docs"), api.raw("HEAD", "/docs")
    assert head.status == 200 and head.body == b""
    assert head.headers["Content-Length"] == str(len(whole.body))
    assert api.raw("HEAD", "/api/servers").status == 200
    wrong = api.raw("DELETE", "/api/health")
    assert wrong.status == 405 and wrong.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert wrong.headers["Content-Type"] == "application/problem+json" and wrong.json()["detail"]
    assert api.raw("GET", "/api/scale").status == 405
    for method in ("GET", "PATCH"):
        action = api.raw(method, "/api/servers/action")
        assert action.status == 405 and action.headers["Allow"] == "POST, OPTIONS"
    options = api.raw("OPTIONS", "/api/servers/1")
    assert options.status == 204 and "PATCH" in options.headers["Allow"]
    missing = api.raw("GET", "/api/nothing")
    assert missing.status == 404 and missing.json()["detail"]


def test_pipelined_requests_are_answered_in_order(farm):
    heads = b"".join(b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (path, extra) for path, extra in (
        (b"/api/health", b""), (b"/api/servers/3", b""), (b"/", b"Connection: close\r\n")))
    answers = split_responses(raw_http(farm.port, heads))
    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert b'"healthy"' in answers[0][2] and b'"container_name":"server-3"' in answers[1][2]
    assert b'"servers_managed"' in answers[2][2]


def test_everything_answers_in_every_state_of_the_farm(api):
    everyone = list(range(1, SERVERS + 1))
    assert api.post("/api/servers/action", {"ids": everyone, "action": "stop"})["successful"] == SERVERS
    try:
        health = api.get("/api/health")
        assert (health["healthy"], health["unhealthy"]) == (0, SERVERS)
        metrics = api.get("/api/metrics")
        assert metrics["error"] == "No servers responded"
        stamped(metrics)
        assert api.get("/api/servers")["total_servers"] == SERVERS
        assert api.post("/api/broadcast")["failed_responses"] == SERVERS
        load = api.post("/api/load-test", {"requests": 5})
        assert load["total_failed"] == load["total_requests"] == 5 * SERVERS
    finally:
        assert api.post("/api/servers/action", {"ids": "all", "action": "start"})["successful"] == SERVERS
    wait_for(lambda: api.get("/api/health")["unhealthy"] == 0, what="all healthy again")


def test_the_description_has_every_route_and_no_other(api):
    source = (ROOT / "supervisor/api/routes.c").read_text()
    routes = set(re.findall(r'\{HTTP_METHOD_(\w+), "([^"]+)"', source))
    described = {(method.upper(), path) for path, item in api.description["paths"].items()
                 for method in item if method != "parameters"}
    assert routes == described
