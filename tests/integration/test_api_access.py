"""Who may speak to the control plane: hosts, origins, tokens, listeners."""

import re

import pytest

from api_client import Api
from farmd_process import farms, running  # noqa: F401 (a fixture)
from farmlib import DEADLINE, free_port, listening, raw_http, refuses, request, split_responses, wait_for


@pytest.fixture(scope="module")
def farm():
    with running(servers=2) as one:
        yield one


def with_host(farm, host, path=b"/api/servers"):
    data = b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (path, host)
    return split_responses(raw_http(farm.port, data))[0]


@pytest.mark.parametrize("host", [b"localhost", b"LOCALHOST:8000", b"127.0.0.1", b"127.0.0.1:1", b"[::1]:8000"])
def test_hosts_that_are_served(farm, host):
    assert with_host(farm, host)[0] == 200


@pytest.mark.parametrize("host", [b"evil.example", b"localhost.evil.example", b"10.0.0.1", b"evil.example:8000"])
def test_hosts_that_are_not(farm, host):
    status, headers, body = with_host(farm, host)
    assert status == 421 and b"allowed_hosts" in body
    assert headers["content-type"] == "application/problem+json"


def test_no_host_and_an_empty_one(farm):
    for data, status in ((b"GET /api/health HTTP/1.0\r\n\r\n", 200),
                         (b"GET /api/health HTTP/1.0\r\nOrigin: http://localhost\r\n\r\n", 200),
                         (b"GET /api/health HTTP/1.0\r\nHost:\r\n\r\n", 421),
                         (b"GET /api/health HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 421),
                         (b"GET /api/health HTTP/1.1\r\nHost: :80\r\nConnection: close\r\n\r\n", 421)):
        assert split_responses(raw_http(farm.port, data))[0][0] == status, data


def test_the_host_of_an_absolute_target_counts(farm):
    data = b"GET http://evil.example/api/servers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert split_responses(raw_http(farm.port, data))[0][0] == 421


ORIGINS = ["http://localhost:3000", "http://localhost", "http://127.0.0.1:5173", "http://[::1]:3000"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_origins_of_this_machine(farm, origin):
    answer = request(farm.port, "GET", "/api/servers", headers={"Origin": origin})
    assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == origin
    preflight = request(farm.port, "OPTIONS", "/api/servers/1/action", headers={
        "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"})
    assert preflight.status in (200, 204) and preflight.headers["Access-Control-Allow-Origin"] == origin
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "content-type" in preflight.headers["Access-Control-Allow-Headers"].lower()
    done = request(farm.port, "POST", "/api/servers/1/action", '{"action": "start"}', {"Origin": origin})
    assert done.status == 200 and done.headers["Access-Control-Allow-Origin"] == origin


@pytest.mark.parametrize("origin", ["http://evil.example", "https://localhost:3000", "null", "http://localhost.evil"])
def test_other_origins(farm, origin):
    api = Api(farm.port)
    pid = api.servers()[1]["pid"]
    answer = request(farm.port, "GET", "/api/servers", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    for path, body in (("/api/servers/1/action", '{"action": "restart"}'), ("/api/scale", '{"servers": 1}')):
        api.post(path, body, 403, headers={"Origin": origin, "Content-Type": "text/plain"})
    preflight = request(farm.port, "OPTIONS", "/api/servers/1/action", headers={
        "Origin": origin, "Access-Control-Request-Method": "POST"})
    assert "Access-Control-Allow-Origin" not in preflight.headers
    assert api.servers()[1]["pid"] == pid and len(api.servers()) == 2


TOKEN = "a-long-enough-secret-0123456789"


def answers(port, token=None):
    """Whether the API is there; also for farms that farmd_process cannot speak to without a token."""
    try:
        return request(port, "GET", "/api/servers", headers={"Authorization": f"Bearer {token}"}).status == 200
    except OSError:
        return False


def test_a_token_is_asked_for(farms):
    farm = farms(servers=1, env={"FARMD_TOKEN": TOKEN}).start(wait=False)
    wait_for(lambda: answers(farm.port, TOKEN), what="an answer with the token")
    api = Api(farm.port, token=TOKEN)
    assert api.get("/api/servers")["total_servers"] == 1
    wait_for(lambda: api.servers()[1]["status"] == "running", what="the server running")
    for authorization in (None, "Bearer wrong", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer"):
        headers = {} if authorization is None else {"Authorization": authorization}
        for method, path in (("GET", "/api/servers"), ("POST", "/api/scale"), ("GET", "/api/nothing")):
            answer = request(farm.port, method, path, headers=headers)
            assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert "token" in answer.json()["detail"].lower()
    assert request(farm.port, "GET", "/api/servers", headers={"Authorization": f"bearer {TOKEN}"}).status == 200
    # what a browser loads by itself, and its preflights, carry no token
    page = request(farm.dashboard_port, "GET", "/")
    script = re.search(r'src="(/assets/[^"]+\.js)"', page.body.decode()).group(1)
    for port, path in ((farm.dashboard_port, "/"), (farm.port, "/docs"), (farm.port, "/openapi.json"),
                       (farm.dashboard_port, script)):
        assert request(port, "GET", path).status == 200
    preflight = request(farm.port, "OPTIONS", "/api/scale", headers={
        "Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization"})
    assert preflight.status in (200, 204)
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
    assert farm.stop() == 0


def test_what_is_configured_is_allowed(farms):
    env = {"FARMD_ALLOWED_HOSTS": "farm.example", "FARMD_ALLOWED_ORIGINS": "https://page.example"}
    farm = farms(servers=1, env=env).start()
    assert with_host(farm, b"farm.example:8000")[0] == 200
    assert with_host(farm, b"other.example")[0] == 421
    origin = {"Origin": "https://page.example"}
    assert request(farm.port, "POST", "/api/servers/1/action", '{"action": "start"}', origin).status == 200
    # a page of farmd's own, under a name that is served, is no other origin
    same = {"Origin": f"http://farm.example:{farm.port}", "Host": f"farm.example:{farm.port}"}
    assert request(farm.port, "POST", "/api/servers/1/action", '{"action": "start"}', same).status == 200
    other = {"Origin": "http://farm.example:1", "Host": f"farm.example:{farm.port}"}
    assert request(farm.port, "POST", "/api/servers/1/action", '{"action": "start"}', other).status == 403
    assert farm.stop() == 0


def test_no_dashboard(farms):
    farm = farms(servers=1, flags=["--dashboard-port", "0"]).start()
    assert refuses(farm.dashboard_port)
    assert farm.stop() == 0


def test_a_taken_api_port_ends_farmd_with_its_holder(farms):
    with listening() as port:
        farm = farms(servers=1, flags=["--port", str(port)]).start(wait=False)
        assert farm.process.wait(DEADLINE) != 0
        assert f"port {port} is taken by" in farm.errors() and "fix:" in farm.errors()
        assert farm.processes() == []


def test_a_taken_dashboard_port_is_a_warning(farms):
    with listening() as port:
        farm = farms(servers=1, flags=["--dashboard-port", str(port)])
        farm.dashboard_port = free_port()
        farm.start()
        assert farm.get("/api/servers")["total_servers"] == 1
        assert f"port {port} is taken" in farm.errors() and "--dashboard-port" in farm.errors()
        assert farm.stop() == 0
