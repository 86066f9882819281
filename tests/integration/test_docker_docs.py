"""docs/docker.md names every endpoint of the Engine that farmd uses, and no other: who narrows the socket goes by it."""

import re

import farmlib
from fake_engine import ROUTES

ENGINE_FILES = farmlib.ROOT / "supervisor" / "runtime" / "docker"
# Literals that begin with a slash and are no path of the Engine.
OTHERS = {"/v%s%s", "/v", "/metrics", "/proc/self/fd/%d", "/.", "/networks/", "/containers/%s%s"}


def table():
    """{(method, path)}, with {id} for what varies."""
    text = (farmlib.ROOT / "docs" / "docker.md").read_text()
    return set(re.findall(r"^\| (GET|POST|DELETE) \| `(/[^`]*)` \|", text, re.M))


def paths_of_code():
    """Every path in the code, in the table's words; those that are put behind a container's are found by their beginning."""
    found = set()
    for source in ENGINE_FILES.glob("*.c"):
        code = re.sub(r"/\*.*?\*/", "", source.read_text(), flags=re.S)
        for literal in re.findall(r'"(/[^"\s]*)"', code):
            if literal in OTHERS or not re.match(r"/[a-z_]", literal):
                continue
            path = literal.split("?")[0].replace("%s", "{id}")
            is_suffix = not re.match(r"/(_ping|version|info|events|images|networks|containers)\b", path)
            found.add("/containers/{id}" + path if is_suffix else path)
    return found


def test_the_table_is_what_the_code_asks_for():
    documented = {path for _, path in table()}
    assert paths_of_code() - documented == set(), "used and not in the table"
    assert documented - paths_of_code() - {"/networks/{id}"} == set(), "in the table and not used"


def test_the_fake_serves_what_the_table_names_and_no_more():
    served = {(method, pattern) for method, pattern, _ in ROUTES}
    for method, path in table():
        concrete = path.replace("{id}", "x1")
        assert any(m == method and re.fullmatch(p, concrete) for m, p in served), (method, path)
    for method, pattern in served:
        assert any(m == method and re.fullmatch(pattern, p.replace("{id}", "x1")) for m, p in table()), (method, pattern)


def test_the_socket_is_called_root():
    text = (farmlib.ROOT / "docs" / "docker.md").read_text()
    assert "as good as root" in text
