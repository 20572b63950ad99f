"""The page on events names each event and each field that a line has."""

import json
import pathlib
import re

from pivot_runtime.history import event_json

ROOT = pathlib.Path(__file__).parent.parent
PAGE = (ROOT / "docs/reference/events.md").read_text()
ROWS = {row[0]: row[-1] for row in re.findall(r"^\| `(\w+)` \|(.*?)\|(.*)\|$", PAGE, re.MULTILINE)}
# The lines as a test of pivot-runtime pins them, one of each event.
LINES = [json.loads(line) for line in (ROOT / "packages/pivot-runtime/tests/events.jsonl").read_text().splitlines()]


def test_each_event_has_a_row_and_no_other() -> None:
    assert {line["event"] for line in LINES} == ROWS.keys()


def test_each_row_names_each_field_of_its_event() -> None:
    for line in LINES:
        told = set(re.findall(r"`(\w+)`", ROWS[line["event"]]))
        assert line.keys() - {"event", "at"} <= told, line


def test_the_version_is_that_of_the_code() -> None:
    assert f"now **{event_json.FORMAT}**" in PAGE
