"""The page on events names each event and each field that a line has."""

import pathlib
import re
from typing import Any

import attrs

from pivot_core.decide import Decision
from pivot_runtime import eventforms, events
from pivot_runtime.seen import Usage

PAGE = (pathlib.Path(__file__).parent.parent / "docs/reference/events.md").read_text()
ROWS = {row[0]: row[-1] for row in re.findall(r"^\| `(\w+)` \|(.*?)\|(.*)\|$", PAGE, re.MULTILINE)}
KINDS: tuple[type[Any], ...] = events.Event.__value__.__args__


def fields(kind: type[Any]) -> set[str]:
    names: set[str] = set()
    for field in attrs.fields(kind):
        if field.type is Decision:
            names |= {"reasons", "changes"}
        elif field.type == Usage | None:
            names |= {"cpu", "memory"}
        else:
            names.add(field.name)
    return names


def test_each_event_has_a_row_and_no_other() -> None:
    assert {"began", *map(eventforms.name, KINDS)} == ROWS.keys()


def test_each_row_names_each_field_of_its_event() -> None:
    for kind in KINDS:
        told = set(re.findall(r"`(\w+)`", ROWS[eventforms.name(kind)]))
        assert fields(kind) <= told, kind


def test_the_version_is_that_of_the_code() -> None:
    assert f"now **{eventforms.FORMAT}**" in PAGE
