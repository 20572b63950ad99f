"""Values of files and parameters as people compare them."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.conversion.plain import SecretDigest, to_plain
from pivot_runtime.comparing.values import (
    MISSING,
    UNKNOWN,
    Difference,
    aligned,
    flatten,
    parse,
    readable,
)
from pivot_runtime.errors import ContentError

KEYS = st.text('ab. "', max_size=3)
NESTED = st.recursive(
    st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def leaves(value: Any) -> int:
    return sum(map(leaves, value.values())) if isinstance(value, dict) and value else 1


@given(st.dictionaries(KEYS, NESTED, min_size=1, max_size=3))
def test_no_two_values_have_one_name(value: dict[str, Any]) -> None:
    assert len(flatten(value)) == leaves(value)


@pytest.mark.parametrize(
    ("value", "flat"),
    [
        ({"a": {"b": 1, "c": {"d": 2}}}, {"a.b": 1, "a.c.d": 2}),
        ({"top.5": 1, "": {"x y": 2}}, {'"top.5"': 1, '""."x y"': 2}),
        ({"losses": [1, 2], "none": {}}, {"losses": [1, 2], "none": {}}),
        (0.5, {"": 0.5}),
        ({}, {"": {}}),
    ],
)
def test_names(value: Any, flat: dict[str, Any]) -> None:
    assert flatten(value) == flat


@pytest.mark.parametrize(
    ("name", "data", "value"),
    [
        ("m.json", b'{"a": 1.5}', {"a": 1.5}),
        ("m.txt", b"0.5\n", 0.5),
        ("m.yml", b"a:\n  b: 1e-3\n", {"a": {"b": 0.001}}),
        ("m.toml", b"[a]\nb = 1\nd = 2020-01-02\n", {"a": {"b": 1, "d": "2020-01-02"}}),
    ],
)
def test_formats(name: str, data: bytes, value: Any) -> None:
    assert parse(data, name) == value


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("m.json", b"", "is empty"),
        ("m.json", b"\x00\x01", "is a binary file"),
        ("m.json", b"\xff\xfe", "is not UTF-8"),
        ("m.csv", b"a,b\n1,2\n", "is not JSON"),
        ("m.toml", b"a = ", "is not TOML"),
        ("m.yaml", b"a: [", "m.yaml:1"),
        ("m.json", b"[" * 100_000, "m.json"),
    ],
)
def test_what_has_no_values_with_names_is_refused(name: str, data: bytes, problem: str) -> None:
    with pytest.raises(ContentError, match=problem):
        parse(data, name)


def test_numbers_that_json_does_not_have_are_values() -> None:
    found = parse(b'{"a": NaN, "b": -Infinity}', "m.json")
    assert math.isnan(found["a"])
    assert not Difference("a", (math.nan, math.nan)).changed
    assert Difference("b", (1.0, -math.inf)).change is None
    assert Difference("b", (1, 10**400)).change == 10**400 - 1
    assert Difference("b", (1.5, 10**400)).change is None


@pytest.mark.parametrize(
    ("one", "other", "changed"),
    [(1, 1.0, False), (1, True, True), ("1", 1, True), ([1, {"a": 2}], [1.0, {"a": 2}], False), (0, MISSING, True)],
)
def test_what_counts_as_a_change(one: Any, other: Any, changed: bool) -> None:
    assert Difference("x", (one, other)).changed is changed


def test_sides_are_aligned_by_name() -> None:
    assert aligned([{"a": 1, "old": 2}, {"new": 3, "a": 4}, None]) == [
        Difference("new", (MISSING, 3, UNKNOWN)),
        Difference("a", (1, 4, UNKNOWN)),
        Difference("old", (2, MISSING, UNKNOWN)),
    ]


def test_values_of_locks_are_shown_as_people_write_them_and_secrets_never() -> None:
    value = to_plain({"t": (1, 2), "s": SecretDigest("d1"), "k": {1: "x"}, "l": [b"\x01"]})
    shown = readable(value)
    assert {**shown, "s": "", "k": ""} == {"t": [1, 2], "s": "", "k": "", "l": ["01"]}
    assert shown["k"] == {"1": "x"}
    assert str(shown["s"]) == "***"
    assert "d1" not in repr(shown)
    assert Difference("s", (shown["s"], readable({"$secret": "d2"}))).changed
    assert readable({"$class": "C", "a": {"$enum": "E.A", "value": 3}}) == {"a": 3}
