"""The page of `farmd load --html`: one file, whole, without scripts, and safe whatever the names in it are."""

import copy
import html.parser
import json
import os

import pytest

import farmlib
from clilib import DONE, FAILED, error, run

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(html.parser.HTMLParser):
    """Parses a page and checks that each element that is opened is closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.text, self.open, self.elements, self.words = text, [], [], []
        self.feed(text)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def tags(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]

    @property
    def content(self):
        return " ".join(self.words)


def assert_self_contained(page):
    names = {tag for tag, _ in page.elements}
    assert names <= {"html", "meta", "title", "style", "main", "header", "h1", "h2", "p", "section", "strong", "span", "ul", "li",
                     "b", "code", "div", "figure", "figcaption", "svg", "line", "text", "polyline", "polygon", "circle", "title",
                     "rect", "table", "thead", "tbody", "tr", "th", "td", "footer"}, names
    for tag, attributes in page.elements:
        assert not {name for name in attributes if name.startswith("on") or name in ("style", "href", "src")}, (tag, attributes)
    assert any("default-src 'none'" in meta.get("content", "") for meta in page.tags("meta"))
    style = page.text[page.text.index("<style>"):page.text.index("</style>")]
    assert "@import" not in style and "url(" not in style and "prefers-color-scheme: dark" in style


@pytest.fixture
def load(worker, tmp_path):
    """Loads the worker and returns the page and the report."""

    def run_load(*flags, code=DONE):
        path = tmp_path / "page.html"
        done = run(None, "load", f"http://localhost:{worker.port}/", *flags, "--html", str(path), "-o", "json", code=code)
        return Page(path.read_text()), json.loads(done.stdout)

    return run_load


def test_an_open_run(load, worker):
    page, report = load("-r", "500", "-d", "1.2s", "--threshold", "p99<9s", "--threshold", "rate>100000", code=FAILED)
    assert_self_contained(page)
    for words in (f"localhost:{worker.port} · open, 500/s constant", "FAIL: 1 of 2 thresholds missed", "p99<9s", "rate>100000",
                  "Latency by percentile", "service time, from the actual send", "Requests per second", "Latency per second",
                  "send delay", "600 × 200", "GET / · 10 connections"):
        assert words in page.content, words
    assert len([svg for svg in page.tags("svg") if svg.get("role") == "img"]) == 3
    assert all(svg["aria-label"] for svg in page.tags("svg") if svg.get("role") == "img")
    assert report["result"]["answered"] == 600


def test_a_closed_run_has_no_schedule(load):
    page, _ = load("-n", "200", "--name", "two hundred")
    assert_self_contained(page)
    assert "two hundred" in page.content and "All 200 requests answered" in page.content
    assert "service" not in page.content and "dropped" not in page.content


def test_nothing_answered(tmp_path):
    run(None, "load", f"http://127.0.0.1:{farmlib.free_port()}/", "-n", "3", "--html", str(tmp_path / "x.html"), code=FAILED)
    page = Page((tmp_path / "x.html").read_text())
    assert_self_contained(page)
    assert "Nothing answered" in page.content and "30 × refused" not in page.content and "refused" in page.content


EVIL = "<script>alert(1)</script>\"'&</title></style><img src=x onerror=alert(1)>\x01\u202e" + "n" * 200


def evil(value):
    """The same report with a hostile text for each of its strings."""
    if isinstance(value, str):
        return EVIL
    if isinstance(value, list):
        return [evil(entry) for entry in value]
    if isinstance(value, dict):
        return {EVIL if key.isdigit() else key: evil(entry) for key, entry in value.items()}
    return value


def test_hostile_names_stay_text(load, tmp_path):
    _, report = load("-r", "500", "-n", "50", "--threshold", "target.p99<9s")
    report["result"]["targets"][0]["stands_out"] = report["result"]["engine"]["saturated_why"] = "x"
    report["result"]["engine"]["saturated"] = True
    report["name"] = "x"
    (tmp_path / "evil.json").write_text(json.dumps(evil(report)))
    run(None, "load", "show", str(tmp_path / "evil.json"), "--html", str(tmp_path / "evil.html"))
    page = Page((tmp_path / "evil.html").read_text())
    assert_self_contained(page)
    assert page.content.count("<script>alert(1)</script>") >= 8 and "\x01" not in page.text


@pytest.mark.parametrize("strip", ["plan", "result", "series", "latency", "targets", "engine", "verdicts"])
def test_a_report_that_lacks_something_is_no_crash(load, tmp_path, strip):
    _, report = load("-r", "500", "-n", "50")
    broken = copy.deepcopy(report)
    for place in (broken, broken["result"]):
        if strip in place:
            place[strip] = {} if strip in ("plan", "result") else None
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    run(None, "load", "show", str(tmp_path / "broken.json"), "--html", str(tmp_path / "broken.html"),
        code=FAILED if strip == "result" else DONE)
    assert_self_contained(Page((tmp_path / "broken.html").read_text()))


def test_absurd_figures_are_no_crash(load, tmp_path):
    _, report = load("-r", "500", "-n", "50")

    def absurd(value, figure):
        if isinstance(value, bool) or value is None or isinstance(value, str):
            return value
        if isinstance(value, list):
            return [absurd(entry, figure) for entry in value]
        return {key: absurd(entry, figure) for key, entry in value.items()} if isinstance(value, dict) else figure

    for figure in (-1, 0, 1e300, 1e-300, 2**63):
        (tmp_path / "absurd.json").write_text(json.dumps(absurd(report, figure)))
        run(None, "load", "show", str(tmp_path / "absurd.json"), "--html", str(tmp_path / "absurd.html"),
            code=DONE if figure > 0 else FAILED)
        page = Page((tmp_path / "absurd.html").read_text())
        assert_self_contained(page)
        assert "nan" not in page.text.replace("nano", "") and len(page.text) < 200000
        run(None, "load", "compare", str(tmp_path / "absurd.json"), str(tmp_path / "absurd.json"))


def test_a_day_and_a_thousand_targets_stay_small(load, tmp_path):
    _, report = load("-r", "500", "-n", "50")
    result = report["result"]
    point, target = result["series"][0], result["targets"][0]
    result["seconds"] = 86400
    result["series"] = [{**point, "second": second} for second in range(86400)]
    result["targets"] = [{**target, "id": i, "name": f"server-{i}"} for i in range(1, 2001)]
    result["targets"][1999]["stands_out"] = "p99 9.00 ms (peers 1.00)"
    (tmp_path / "large.json").write_text(json.dumps(report))
    run(None, "load", "show", str(tmp_path / "large.json"), "--html", str(tmp_path / "large.html"))
    page = Page((tmp_path / "large.html").read_text())
    assert len(page.text) < 500000
    assert "mean of every 144 seconds" in page.content and "500 of 2,000 targets" in page.content
    assert page.content.index("server-2000") < page.content.index("server-1 ")


def test_the_file_is_tried_before_the_run(worker, tmp_path):
    before = worker.get("/metrics").json()["requests"]["total"]
    url = f"http://localhost:{worker.port}/"
    assert "--html: cannot write" in error(None, "load", url, "-d", "10m", "--html", str(tmp_path / "no" / "x.html"))
    assert "Is a directory" in error(None, "load", url, "-d", "10m", "--html", str(tmp_path))
    assert worker.get("/metrics").json()["requests"]["total"] == before


def test_a_run_that_does_not_begin_leaves_the_file_as_it_was(tmp_path):
    (tmp_path / "old.html").write_text("old")
    for name in ("old.html", "new.html"):
        error(None, "load", "1", "--api", ":1", "--html", str(tmp_path / name), code=3)
    assert (tmp_path / "old.html").read_text() == "old" and not (tmp_path / "new.html").exists()


def test_a_disk_without_room_is_exit_1(worker):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    done = run(None, "load", f"http://localhost:{worker.port}/", "-n", "5", "--html", "/dev/full", code=FAILED)
    assert "5 answered" in done.stdout and "--html: cannot write /dev/full: No space left" in done.stderr
