"""Rows of plots in their formats, and the columns that are drawn."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.spec import PlotOptions
from pivot_runtime.comparing.series import Axes, axes, drawn, parse_rows, suffix
from pivot_runtime.errors import ContentError

ROWS: list[dict[str, Any]] = [{"step": 1, "loss": 0.5, "note": "a"}, {"step": 2, "loss": None, "note": "b"}]
CELLS = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("ab ", max_size=3)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "step,loss,note\n1,0.5,a\n2,,b\n"),
        ("a.csv", "\ufeffstep;loss;note\r\n1;0.5;a\r\n2;;b\r\n"),
        ("A.TSV", "step\tloss\tnote\n1\t0.5\ta\n2\t\tb\n"),
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps({"points": ROWS})),
        ("a.json", json.dumps({"step": [1, 2], "loss": [0.5, None], "note": ["a", "b"]})),
        ("a.jsonl", "\n".join(map(json.dumps, ROWS)) + "\n\n"),
    ],
)
def test_one_table_in_each_format(name: str, text: str) -> None:
    assert list(parse_rows(text.encode(), name)) == ROWS


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("a.txt", b"1", "a.txt cannot be drawn"),
        ("a", b"1", "a cannot be drawn"),
        ("a.json", b"{", "a.json is not JSON"),
        ("a.jsonl", b"{}\n{", "a.jsonl is not JSONL"),
        ("a.json", b"3", "a.json has no rows"),
        ("a.json", b'{"a": [1], "b": [1, 2]}', "a.json has no rows"),
        ("a.json", b'[["a", 1]]', "a.json has no rows"),
        ("a.csv", b"\xff", "a.csv is not UTF-8"),
        ("a.csv", b'a,b\n"1,2\n', "a.csv is not CSV"),
        ("a.json", b"[" * 100_000, "a.json is not JSON"),
    ],
)
def test_what_has_no_rows(name: str, data: bytes, problem: str) -> None:
    with pytest.raises(ContentError, match=problem):
        parse_rows(data, name)


def test_numbers_alone_are_a_series_and_a_column_without_a_name_is_the_index() -> None:
    assert list(parse_rows(b"[1, 2.5]", "a.json")) == [{"value": 1}, {"value": 2.5}]
    assert list(parse_rows(b",a\n0,5\n", "a.csv")) == [{"index": 0, "a": 5}]
    assert list(parse_rows(b"a,b\n1\n1,2,3\n", "a.csv")) == [{"a": 1, "b": None}, {"a": 1, "b": 2}]
    assert parse_rows(b"", "a.csv") == ()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (PlotOptions(), Axes("line", "", ("step", "loss"))),
        (PlotOptions(x="step"), Axes("line", "step", ("loss",))),
        (PlotOptions(x="step", y=("loss",), group="note"), Axes("line", "step", ("loss",), "note")),
        (PlotOptions(kind="scatter"), Axes("scatter", "step", ("loss",))),
        (PlotOptions(kind="bar"), Axes("bar", "note", ("step", "loss"))),
        (PlotOptions(kind="bar", x="step"), Axes("bar", "step", ("loss",))),
        (PlotOptions(kind="confusion"), Axes("confusion", "loss", ("step",))),
        (PlotOptions(kind="confusion", x="note", y=("step",)), Axes("confusion", "note", ("step",))),
    ],
)
def test_columns_are_chosen_by_the_options_and_else_by_the_values(options: PlotOptions, expected: Axes) -> None:
    assert axes(options, ROWS, "a.csv") == expected


def test_classes_are_found_by_their_usual_names() -> None:
    rows = [{"id": 1, "Predicted": "a", "actual": "b"}]
    assert axes(PlotOptions(kind="confusion"), rows, "a.csv") == Axes("confusion", "Predicted", ("actual",))


@pytest.mark.parametrize(
    ("options", "rows", "problem", "hint"),
    [
        (PlotOptions(y=("los",)), ROWS, "a.csv has no column 'los'", "did you mean loss?"),
        (PlotOptions(x="?"), ROWS, "a.csv has no column '\\?'", "its columns are 'step', 'loss', 'note'"),
        (PlotOptions(x="a"), [], "a.csv has no column 'a'", "it has no rows"),
        (PlotOptions(), [{"a": "b"}], "a.csv has no column of numbers", "name the columns"),
        (PlotOptions(kind="confusion"), [{"a": "b"}], "a.csv has one column", None),
    ],
)
def test_columns_that_are_not_there(options: PlotOptions, rows: Any, problem: str, hint: str | None) -> None:
    with pytest.raises(ContentError, match=problem) as caught:
        axes(options, rows, "a.csv")
    assert (caught.value.hint or "").startswith(hint or "")


def test_an_empty_file_has_nothing_to_draw() -> None:
    assert axes(PlotOptions(), [], "a.csv") == Axes("line", "", ())
    assert axes(PlotOptions(kind="confusion"), [], "a.csv") == Axes("confusion", "", ("",))


def test_cells_are_drawn_as_json() -> None:
    assert [drawn(each) for each in (1, 1.5, math.nan, math.inf, None, "a", True, [1])] == [
        *(1, 1.5, None, None, None, "a", "true", "[1]")
    ]
    assert [suffix(each) for each in ("a.b/c", "x/A.CSV", ".csv")] == ["", ".csv", ".csv"]


@given(st.lists(st.fixed_dictionaries({"a": CELLS, "b": CELLS}), max_size=5))
def test_rows_come_back_from_json_lines(rows: list[dict[str, Any]]) -> None:
    text = "\n".join(map(json.dumps, rows))
    assert list(parse_rows(text.encode(), "a.jsonl")) == rows
