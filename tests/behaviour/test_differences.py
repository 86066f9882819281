"""docs/docker.md says where the runtimes differ; what the suite expects of each of them is what it says."""

import re

import pytest

import farmlib
from differences import DIFFERENCES, RUNTIMES

TITLES = ["Processes", "Containers", "Services"]


def table():
    """{row: [cell of each runtime]}"""
    text = (farmlib.ROOT / "docs" / "docker.md").read_text()
    head = f"| | {' | '.join(TITLES)} | Why |\n"
    assert text.count(head) == 1
    rows = re.match(r"\|[-|]+\n((?:\|.*\n)+)", text.partition(head)[2])[1]
    found = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows.splitlines()]
    return {row[0]: row[1:1 + len(RUNTIMES)] for row in found}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_the_docs_say_what_the_suite_expects(name):
    difference = DIFFERENCES[name]
    cells = table()[difference.row]
    for cell, words, runtime in zip(cells, difference.said, RUNTIMES):
        assert words in cell, runtime
    for a in range(len(RUNTIMES)):
        for b in range(a):
            if difference.expected[a] != difference.expected[b]:
                assert cells[a] != cells[b], "they differ, and the docs say that they don't"


def test_the_suite_knows_of_every_difference_in_the_docs():
    assert set(table()) == {difference.row for difference in DIFFERENCES.values()}
