"""docs/openapi.json names every reason that an event can have, so that a client can be written by it."""

import json
import re

import farmlib


def test_every_reason_is_described():
    source = (farmlib.ROOT / "supervisor" / "farm" / "events.c").read_text()
    rows = re.findall(r'^\s+\[REASON_\w+\] = \{"(\w+)", (?:true|false)\},$', source, re.M)
    numbered = re.search(r"enum event_reason \{(.*?)REASON_COUNT", (farmlib.ROOT / "supervisor" / "farm" / "events.h")
                         .read_text(), re.S)[1]
    assert len(rows) == len(re.findall(r"\bREASON_[A-Z_]+\b", re.sub(r"/\*.*?\*/", "", numbered, flags=re.S)))
    event = json.loads((farmlib.ROOT / "docs" / "openapi.json").read_text())["components"]["schemas"]["Event"]
    words = re.search(r"One of: (.*?)\.", event["properties"]["reason"]["description"])[1].split(", ")
    assert words == rows
