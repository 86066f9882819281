"""The token traded for a cookie: what it admits, from where, and how it ends."""

import json

import pytest

from api_client import Api
from farmd_process import farms, running  # noqa: F401 (a fixture)
from farmlib import request, wait_for
from livelib import Live

TOKEN = "a-token-of-the-tests"
ACTION = '{"action": "start"}'


@pytest.fixture
def farm(farms):  # noqa: F811
    one = farms(servers=1, flags=["--token", TOKEN]).start(wait=False)

    def answers():
        try:
            return request(one.port, "GET", "/api/servers", headers={"Authorization": f"Bearer {TOKEN}"}).status == 200
        except OSError:
            return False

    wait_for(answers, what="an answer with the token")
    yield one
    assert one.stop() == 0


def begin(farm, token=TOKEN, **headers):
    return request(farm.dashboard_port, "POST", "/api/session", json.dumps({"token": token}),
                   {"Content-Type": "application/json", **headers})


def cookie_of(farm):
    answer = begin(farm)
    assert (answer.status, answer.body) == (204, b"")
    cookie, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    assert cookie.startswith("farmd_session=") and TOKEN not in cookie and len(cookie) > 40
    return cookie


def status(farm, method="GET", path="/api/servers", body=None, **headers):
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    return request(farm.dashboard_port, method, path, body, headers).status


def test_a_cookie_admits_what_the_token_does(farm):
    cookie = cookie_of(farm)
    assert status(farm) == 401
    assert status(farm, Cookie=cookie) == 200
    assert status(farm, Cookie=f"theme=dark; {cookie}; other=1") == 200
    assert status(farm, "POST", "/api/servers/1/action", ACTION, Cookie=cookie) == 200
    with Live(farm.dashboard_port, headers={"Cookie": cookie}) as live:
        assert live.next()[0] == "snapshot"
    for wrong in (cookie[:-1], cookie + "0", "farmd_session=", "farmd_session=" + "0" * 64, f"x{cookie}",
                  f"farmd_session={TOKEN}", cookie.replace("=", " = ")):
        assert status(farm, Cookie=wrong) == 401, wrong


def test_a_wrong_token_gets_none(farm):
    for token in ("wrong", TOKEN[:-1], TOKEN + "x", ""):
        answer = begin(farm, token)
        assert answer.status == 401 and "Set-Cookie" not in answer.headers
        assert "token" in answer.json()["detail"].lower()
    api = Api(farm.port)
    assert "token" in api.post("/api/session", {}, status=422)["detail"]
    assert "token" in api.post("/api/session", {"token": 5}, status=422)["detail"]


def test_a_cookie_counts_for_farmds_own_page_only(farm):
    cookie = cookie_of(farm)
    own = f"http://127.0.0.1:{farm.dashboard_port}"
    for origin, expected in ((own, 200), ("http://localhost:1", 401), ("https://evil.example", 403), ("null", 403)):
        assert status(farm, "POST", "/api/servers/1/action", ACTION, Cookie=cookie, Origin=origin) == expected, origin
    assert status(farm, Cookie=cookie, Origin="http://localhost:1") == 401
    assert begin(farm, Origin="https://evil.example").status == 403
    # with the token itself a page of this machine may, as before
    assert status(farm, Origin="http://localhost:1", Authorization=f"Bearer {TOKEN}") == 200


def test_a_session_ends(farm):
    cookie, other = cookie_of(farm), cookie_of(farm)
    assert cookie != other
    answer = request(farm.dashboard_port, "DELETE", "/api/session", headers={"Cookie": cookie})
    assert answer.status == 204 and "Max-Age=0" in answer.headers["Set-Cookie"]
    assert status(farm, Cookie=cookie) == 401 and status(farm, Cookie=other) == 200
    assert status(farm, "DELETE", "/api/session", Cookie=other, Origin="http://localhost:1") == 204
    assert status(farm, Cookie=other) == 200, "another page cannot end it"


def test_sessions_are_bounded(farm):
    first, second = cookie_of(farm), cookie_of(farm)
    assert status(farm, Cookie=first) == 200  # so that the second is the one that was not used for the longest time
    for _ in range(63):
        cookie_of(farm)
    assert status(farm, Cookie=first) == 200 and status(farm, Cookie=second) == 401


def test_without_a_token_nothing_is_needed():
    with running(servers=1) as farm:
        answer = begin(farm, "anything")
        assert answer.status == 204 and "Set-Cookie" not in answer.headers
