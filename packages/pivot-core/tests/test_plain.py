"""Parameters as plain data: equal data, equal values; every kind of value has its own form."""

import datetime as dt
import decimal
import enum
import math
import pathlib
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.conversion.plain import NotPlainError, SecretDigest, is_secret, to_plain
from pivot_core.files.digest import canonical_json


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


def text(value: object) -> str:
    return canonical_json(to_plain(value))


DIFFERENT = [
    None,
    True,
    False,
    1,
    0,
    1.0,
    0.0,
    -0.0,
    math.nan,
    math.inf,
    "1",
    b"1",
    "",
    [],
    (),
    set(),
    {},
    [1],
    (1,),
    {1},
    {"1": 1},
    {1: 1},
    {1.0: 1},
    {"$set": [1]},
    [[1], 2],
    [1, [2]],
    Colour.RED,
    Level.LOW,
    pathlib.Path("1"),
    dt.datetime(2024, 1, 1),  # noqa: DTZ001
    dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    dt.date(2024, 1, 1),
    dt.time(1),
    dt.timedelta(days=1),
    decimal.Decimal(1),
    decimal.Decimal("1.0"),
    SecretDigest("00"),
]


def test_values_that_differ_have_different_texts() -> None:
    texts = [text(value) for value in DIFFERENT]

    assert len(set(texts)) == len(DIFFERENT)


def test_values_that_are_one_have_one_text() -> None:
    assert text(math.nan) == text(float("nan"))
    assert text({3, 1, 2}) == text(frozenset([2, 3, 1]))
    assert text({"b": 1, "a": 2}) == text(OrderedDict(a=2, b=1))
    assert text({2: "b", 1: "a"}) == text({1: "a", 2: "b"})
    assert text(bytearray(b"x")) == text(b"x")


def test_a_member_of_an_enum_counts_by_name_and_value() -> None:
    assert to_plain(Colour.RED) == {"$enum": "Colour.RED", "value": 1}


@pytest.mark.parametrize("value", [object(), 1j, [lambda: 0], {"a": object()}, range(3), int])
def test_incomparable_values_are_refused(value: object) -> None:
    with pytest.raises(NotPlainError, match="cannot be compared") as caught:
        to_plain(value)

    assert caught.value.hint is not None


def test_values_that_contain_themselves_are_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)

    with pytest.raises(NotPlainError, match="holds itself"):
        to_plain(loop)


def test_instances_with_fields_are_written_by_field() -> None:
    def fields_of(value: object) -> dict[str, object] | None:
        return vars(value) if isinstance(value, Point) else None

    class Point:
        def __init__(self) -> None:
            self.x = (1,)

    assert to_plain([Point()], fields_of) == [{"$class": Point.__qualname__, "x": {"$tuple": [1]}}]


def test_secrets_are_recognised() -> None:
    assert is_secret(to_plain(SecretDigest("ab")))
    assert not is_secret({"a": 1})
    assert not is_secret("$secret")


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
hashables = scalars | st.tuples(scalars) | st.frozensets(st.integers())
values = st.recursive(
    scalars | st.frozensets(hashables),
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers() | st.floats(), inner)
    ),
    max_leaves=12,
)


def same(one: Any, two: Any) -> bool:
    """Equality as a parameter has it: by type, NaN is NaN, the sign of zero counts."""
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(two)) or (one == two and math.copysign(1, one) == math.copysign(1, two))
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(same(a, b) for a, b in zip(one, two, strict=True))
    if isinstance(one, frozenset):
        return len(one) == len(two) and all(any(same(a, b) for b in two) for a in one)
    if isinstance(one, dict):
        return len(one) == len(two) and all(any(same(a, b) for b in two.items()) for a in one.items())
    return bool(one == two)


@given(values, values)
def test_texts_are_equal_if_and_only_if_values_are(one: Any, two: Any) -> None:
    assert (text(one) == text(two)) == same(one, two)
    assert text(one) == text(one)


@given(values)
def test_nesting_shows(value: Any) -> None:
    assert len({text(value), text([value]), text((value,)), text({"a": value}), text([value, value])}) == 5
