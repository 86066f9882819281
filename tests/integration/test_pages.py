"""The pages that farmd serves: from within itself, packed or not, and with --web-dir from a folder."""

import gzip
import os
import re

import pytest

from farmd_process import farms, running  # noqa: F401 (a fixture)
from farmlib import ROOT, raw_http, request

IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def farm():
    with running(servers=1) as one:
        yield one


def get(farm, path, method="GET", **headers):
    return request(farm.dashboard_port, method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})


def assets_of(page):
    """What a page loads."""
    return sorted(set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)))


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/", "/openapi.json"])
def test_packed_and_plain_are_the_same(farm, path):
    plain, packed = get(farm, path), get(farm, path, Accept_Encoding="gzip, deflate")
    assert (plain.status, packed.status) == (200, 200)
    assert "Content-Encoding" not in plain.headers and packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body and len(packed.body) < len(plain.body)
    assert plain.headers["ETag"] != packed.headers["ETag"]
    for answer in (plain, packed):
        assert answer.headers["Vary"] == "Accept-Encoding" and answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for refusal in ("gzip;q=0", "br", "identity"):
        assert "Content-Encoding" not in get(farm, path, Accept_Encoding=refusal).headers
    assert get(farm, path, Accept_Encoding="*").headers["Content-Encoding"] == "gzip"


def test_the_policy_lets_nothing_in(farm):
    for path in ("/", "/docs"):
        policy = dict(part.split(" ", 1) for part in get(farm, path).headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        for what in ("script-src", "style-src", "connect-src", "worker-src"):
            assert policy[what] == "'self'"
        page = get(farm, path).body.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page), "nothing that the policy refuses"
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page), "nothing from elsewhere"


def test_what_the_page_loads(farm):
    page = get(farm, "/").body.decode()
    assets = assets_of(page)
    assert any(asset.endswith(".js") for asset in assets) and any(asset.endswith(".css") for asset in assets)
    for asset in assets:
        answer = get(farm, asset, Accept_Encoding="gzip")
        kind = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[asset.rpartition(".")[2]]
        assert answer.status == 200 and answer.headers["Content-Type"].startswith(kind)
        hashed = re.search(r"-[A-Za-z0-9_-]{8}\.\w+$", asset)
        assert answer.headers["Cache-Control"] == (IMMUTABLE if hashed else "no-cache")


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_known_contents_are_not_sent_again(farm, encoding):
    for path in ("/", *assets_of(get(farm, "/").body.decode())):
        tag = get(farm, path, Accept_Encoding=encoding).headers["ETag"]
        for seen in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            answer = get(farm, path, Accept_Encoding=encoding, If_None_Match=seen)
            assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
            assert "Content-Encoding" not in answer.headers
        assert get(farm, path, Accept_Encoding=encoding, If_None_Match='"other"').status == 200


def test_head_says_what_get_sends(farm):
    for path in ("/", "/docs", *assets_of(get(farm, "/").body.decode())):
        for encoding in ("gzip", "identity"):
            whole, head = (get(farm, path, method, Accept_Encoding=encoding) for method in ("GET", "HEAD"))
            assert head.body == b"" and head.headers["Content-Length"] == str(len(whole.body))
            assert head.headers["ETag"] == whole.headers["ETag"]


def test_the_small_page_says_how_to_get_the_dashboard():
    """What is in farmd when web/dist was not built."""
    page = (ROOT / "web/fallback/index.html").read_text()
    assert "make web" in page and "npm" in page


def test_what_is_not_there(farm):
    for path in ("/assets/nothing.js", "/docs/nothing", "/assets/", "/assets/%2e%2e/openapi.json", "/assets/%00",
                 "/assets/..%2fopenapi.json", "/assets/app.js%", "/assets/" + "x" * 300):
        assert get(farm, path).status == 404, path
    assert get(farm, "/", "POST").status == 405 and get(farm, "/assets/app.js", "DELETE").status == 405


def test_the_api_port_serves_the_same_but_for_the_first_page(farm):
    assert request(farm.port, "GET", "/").json()["name"] == "farmd"
    for path in ("/docs", "/openapi.json", *assets_of(get(farm, "/").body.decode())):
        assert request(farm.port, "GET", path).body == get(farm, path).body


# --- from a folder ---


@pytest.fixture
def folder(tmp_path):
    web = tmp_path / "web"
    (web / "assets").mkdir(parents=True)
    (web / "docs").mkdir()
    (web / "index.html").write_text("<!doctype html>first")
    (web / "assets" / "app-12345678.js").write_text("let a")
    (web / "docs" / "index.html").write_text("the docs")
    (web / "assets" / ".hidden.js").write_text("hidden")
    (tmp_path / "secret.js").write_text("secret")
    (web / "assets" / "link.js").symlink_to(tmp_path / "secret.js")
    os.mkfifo(web / "assets" / "pipe.js")
    with open(web / "assets" / "large.js", "wb") as large:
        large.truncate((16 << 20) + 1)
    return web


def test_pages_from_a_folder(farms, folder):  # noqa: F811
    farm = farms(servers=1, flags=["--web-dir", str(folder)]).start()
    first = get(farm, "/", Accept_Encoding="gzip")
    assert (first.body, first.headers["Content-Type"]) == (b"<!doctype html>first", "text/html; charset=utf-8")
    assert "Content-Encoding" not in first.headers and first.headers["Cache-Control"] == "no-cache"
    assert get(farm, "/", If_None_Match=first.headers["ETag"]).status == 304
    (folder / "index.html").write_text("second")
    second = get(farm, "/", If_None_Match=first.headers["ETag"])
    assert (second.status, second.body) == (200, b"second")
    script = get(farm, "/assets/app-12345678.js")
    assert script.headers["Content-Type"].startswith("text/javascript") and script.body == b"let a"
    assert get(farm, "/docs").body == get(farm, "/docs/").body == b"the docs"
    assert get(farm, "/assets/app-12345678.js", "HEAD").headers["Content-Length"] == "5"
    assert get(farm, "/openapi.json").json()["openapi"].startswith("3.1")
    assert farm.stop() == 0


def test_nothing_outside_the_folder_is_served(farms, folder):  # noqa: F811
    farm = farms(servers=1, flags=["--web-dir", str(folder)]).start()
    for path in ("/assets/../../secret.js", "/assets/..%2f..%2fsecret.js", "/assets/%2e%2e%2f%2e%2e%2fsecret.js",
                 "/docs/..%2f..%2fsecret.js", "/assets/link.js", "/assets/.hidden.js", "/assets/pipe.js", "/assets",
                 "/assets/", "/assets//app-12345678.js", "/assets/%2fetc%2fpasswd", "/assets/nothing.js"):
        raw = raw_http(farm.dashboard_port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert raw.split()[1] == b"404" and b"secret" not in raw.partition(b"\r\n\r\n")[2].replace(b"secret.js", b""), path
    large = get(farm, "/assets/large.js")
    assert large.status == 503 and "16 MB" in large.json()["detail"]
    assert farm.stop() == 0


def test_a_folder_that_is_not_there(farms, tmp_path):  # noqa: F811
    farm = farms(servers=1, flags=["--web-dir", str(tmp_path / "none")]).start()
    assert get(farm, "/").status == 404
    assert request(farm.port, "GET", "/api/servers").status == 200
    assert farm.stop() == 0
