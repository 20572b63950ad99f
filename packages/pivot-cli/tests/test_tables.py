"""Numbers and tables, for people and in Markdown."""

import math
from typing import Any

import pytest

from pivot_cli.comparing import tables
from pivot_runtime.comparing.values import MISSING, UNKNOWN, HiddenValue


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (123456.78, "123457"),
        (1e300, "1e+300"),
        (1.23456e-7, "1.2346e-07"),
        (12345678901234567890, "12345678901234567890"),
        (True, "true"),
        (None, "null"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        ("text", "text"),
        ([0.1 + 0.2, {"a": math.inf}], '[0.3, {"a": "inf"}]'),
        (HiddenValue("d"), "***"),
        (MISSING, "-"),
        (UNKNOWN, "?"),
    ],
)
def test_values(value: Any, text: str) -> None:
    assert tables.shown(value) == text


def test_a_difference_is_seen_however_small() -> None:
    assert tables.shown_apart(0.9, 0.91) == ("0.9", "0.91")
    assert tables.shown_apart(0.9, 0.9000001) == ("0.9", "0.9000001")
    assert tables.shown_apart(HiddenValue("a"), HiddenValue("b")) == ("***", "***")
    assert [tables.signed(each) for each in (0.5, -2, 0, None)] == ["+0.5", "-2", "+0", ""]


def test_json_has_only_what_json_allows() -> None:
    assert tables.plain([math.nan, {"a": math.inf}, HiddenValue("d"), True, 1]) == [
        "NaN",
        {"a": "Infinity"},
        "***",
        True,
        1,
    ]


def test_tables() -> None:
    rows = [("a\nb", "1.5"), ("c|_d", "-20")]
    assert tables.text_table(("NAME", "VALUE"), rows, {1}) == "NAME  VALUE\na\\nb    1.5\nc|_d    -20\n"
    assert tables.markdown_table(("name", "value"), rows, {1}) == (
        "| name | value |\n| --- | ---: |\n| a b | 1.5 |\n| c\\|\\_d | -20 |\n"
    )
