"""Values fitted to hints: converted where nothing is lost, else refused with what would fit."""

import datetime as dt
import decimal
import enum
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NewType, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.conversion.convert import ConversionError, convert, format_hint, from_text, unsupported_hint


class Colour(enum.Enum):
    RED = "r"
    BLUE = 2


class Text(enum.StrEnum):
    A = "a"


class Number(enum.IntEnum):
    ONE = 1


type Rates = list[float]
type Of[T] = list[T]
Name = NewType("Name", str)


def nested(hint: Any, value: Any) -> Any:
    raise ConversionError(format_hint(hint), value)


FITTING = [
    (int, 3, 3),
    (float, 3, 3.0),
    (float, math.inf, math.inf),
    (str, "a", "a"),
    (bool, True, True),
    (None, None, None),
    (bytes, bytearray(b"x"), b"x"),
    (Any, {"a": [1]}, {"a": [1]}),
    (Of, [1], [1]),
    (object, 1, 1),
    (Annotated[int, "x"], 1, 1),
    (Name, "n", "n"),
    (Rates, [1], [1.0]),
    (list, [1, "a"], [1, "a"]),
    (Sequence[int], (1, 2), [1, 2]),
    (tuple[int, ...], [1, 2], (1, 2)),
    (tuple[int, str], [1, "a"], (1, "a")),
    (tuple, [1], (1,)),
    (set[int], [1, 1], {1}),
    (frozenset[str], {"a"}, frozenset({"a"})),
    (dict[str, float], {"a": 1}, {"a": 1.0}),
    (Mapping, {"a": 1}, {"a": 1}),
    (int | None, None, None),
    (Optional[str], "a", "a"),  # noqa: UP045
    (int | float, 1, 1),
    (float | int, 1, 1),
    (float | None, 1, 1.0),
    (list[int] | int, [1], [1]),
    (Literal["a", 1], 1, 1),
    (Colour, "RED", Colour.RED),
    (Colour, "r", Colour.RED),
    (Colour, 2, Colour.BLUE),
    (Colour, Colour.BLUE, Colour.BLUE),
    (pathlib.Path, "a/b", pathlib.Path("a/b")),
    (pathlib.PurePosixPath, pathlib.PurePosixPath("a"), pathlib.PurePosixPath("a")),
    (dt.date, "2024-02-03", dt.date(2024, 2, 3)),
    (dt.time, dt.time(1), dt.time(1)),
    (dt.datetime, "2024-02-03T04:05:06+00:00", dt.datetime(2024, 2, 3, 4, 5, 6, tzinfo=dt.UTC)),
    (dt.timedelta, 90, dt.timedelta(seconds=90)),
    (dt.timedelta, dt.timedelta(1), dt.timedelta(1)),
    (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
    (decimal.Decimal, decimal.Decimal(1), decimal.Decimal(1)),
]

MISFITS = [
    (int, True),
    (int, 1.0),
    (int, "1"),
    (int, None),
    (int, Number.ONE),
    (float, "1"),
    (float, 10**400),
    (str, 1),
    (str, Text.A),
    (bool, 1),
    (None, 0),
    (bytes, "x"),
    (list[int], "ab"),
    (list[int], {1}),
    (tuple[int, int], [1]),
    (set[int], "a"),
    (set, [[1]]),
    (dict[str, int], [1]),
    (int | None, "a"),
    (Literal["a", 1], True),
    (Colour, "GREEN"),
    (Colour, True),
    (pathlib.Path, 1),
    (dt.date, "yesterday"),
    (dt.date, dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
    (dt.timedelta, True),
    (dt.timedelta, math.nan),
    (decimal.Decimal, 0.1),
    (decimal.Decimal, "x"),
    (Any, 1j),
    (complex, 1j),
]


@pytest.mark.parametrize(("hint", "value", "wanted"), FITTING, ids=str)
def test_a_value_becomes_what_is_declared(hint: Any, value: Any, wanted: Any) -> None:
    fitted = convert(hint, value, nested)

    assert fitted == wanted
    assert type(fitted) is type(wanted)
    assert repr(convert(hint, fitted, nested)) == repr(fitted), "fitting once is enough"


@pytest.mark.parametrize(("hint", "value"), MISFITS, ids=str)
def test_lossy_or_guessed_conversions_are_refused(hint: Any, value: Any) -> None:
    with pytest.raises(ConversionError) as caught:
        convert(hint, value, nested)

    assert caught.value.wanted


def test_a_misfit_says_where_inside() -> None:
    with pytest.raises(ConversionError) as caught:
        convert(dict[str, list[tuple[int, str]]], {"a": [[1, "x"], [2, 3]]}, nested)

    assert caught.value.inside == "['a'][1][1]"
    assert caught.value.wanted == "str"
    assert caught.value.value == 3


@pytest.mark.parametrize(
    ("hint", "text", "wanted"),
    [
        (int, "3", 3),
        (float, "1e-3", 0.001),
        (float, "1", 1.0),
        (float, ".5", 0.5),
        (float, "inf", math.inf),
        (bool, "true", True),
        (bool, "False", False),
        (str, "true", "true"),
        (str, "1", "1"),
        (str, '"a"', '"a"'),
        (str, "", ""),
        (str | None, "null", None),
        (int | str, "5", 5),
        (int | str, "five", "five"),
        (list[int], "[1, 2]", [1, 2]),
        (tuple[float, ...], "[1]", (1.0,)),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Colour, "RED", Colour.RED),
        (Colour, "2", Colour.BLUE),
        (pathlib.Path, "a/1", pathlib.Path("a/1")),
        (pathlib.Path, "1", pathlib.Path("1")),
        (Literal[1, "x"], "1", 1),
        (Any, "x", "x"),
        (Any, "[1]", [1]),
    ],
    ids=str,
)
def test_a_text_is_read_by_the_type(hint: Any, text: str, wanted: Any) -> None:
    fitted = from_text(hint, text, nested)

    assert fitted == wanted
    assert type(fitted) is type(wanted)


def test_a_text_that_does_not_fit_is_quoted_as_it_was_written() -> None:
    with pytest.raises(ConversionError) as caught:
        from_text(int, "1.5", nested)
    with pytest.raises(ConversionError) as inner:
        from_text(list[int], '[1, "a"]', nested)

    assert caught.value.value == "1.5"
    assert (inner.value.inside, inner.value.value) == ("[1]", "a")


@given(st.integers() | st.floats(allow_nan=False) | st.booleans())
def test_numbers_survive_the_command_line(value: float) -> None:
    fitted = from_text(type(value), repr(value), nested)

    assert (fitted, type(fitted)) == (value, type(value))


@given(st.text())
def test_texts_survive_the_command_line(value: str) -> None:
    assert from_text(str, value, nested) == value


@pytest.mark.parametrize(
    ("hint", "wanted"),
    [
        (list[dict[str, tuple[int, ...]]], None),
        (Of[int], None),
        (Of[complex], complex),
        (Of, None),
        (Literal["a"] | Colour | pathlib.Path | None, None),
        (list[complex], complex),
        (dict[str, int | range], range),
        (set, None),
        (bytearray, None),
    ],
    ids=str,
)
def test_types_that_no_value_fits_are_found(hint: Any, wanted: Any) -> None:
    assert unsupported_hint(hint, lambda each: each is bytearray) == wanted


def test_hints_are_shown_as_they_are_written() -> None:
    assert [format_hint(hint) for hint in (int, None, list[int], Any)] == [
        "int",
        "None",
        "list[int]",
        "Any",
    ]
