"""Digests are stable, and the canonical text of a value tells every two different values apart."""

import json
import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.files.digest import canonical_json, digest_bytes, digest_lines, digest_secret, is_digest

TEXTS = st.text(alphabet='ab"\\:,é\n', max_size=4)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def same(left: object, right: object) -> bool:
    """Naive equality of plain values, by type as well: ``1``, ``1.0`` and ``True`` are three values."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    return type(left) is type(right) and left == right


def test_digest_of_bytes_is_xxh3_128() -> None:
    assert digest_bytes(b"") == "99aa06d3014798d86001c324468d497f"
    assert digest_bytes(bytearray(b"x")) == digest_bytes(memoryview(b"x")) == digest_bytes(b"x")


@given(st.binary(max_size=8))
def test_computed_digests_are_recognised(data: bytes) -> None:
    assert is_digest(digest_bytes(data))


@pytest.mark.parametrize(
    "other",
    [
        "",
        "a" * 31,
        "a" * 33,
        "A" * 32,
        "g" * 32,
        "a" * 31 + "/",
        "../" + "a" * 29,
        "a" * 31 + "\n",
        "٣" * 32,
        b"a" * 32,
        ["a"] * 32,
        None,
        12,
    ],
)
def test_other_texts_are_not_digests(other: object) -> None:
    assert not is_digest(other)


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_lines_count_and_so_does_where_they_end(left: list[str], right: list[str]) -> None:
    assert (digest_lines(left) == digest_lines(right)) == (left == right)


@given(PLAIN, PLAIN)
def test_canonical_texts_are_equal_exactly_for_equal_values(left: object, right: object) -> None:
    assert (canonical_json(left) == canonical_json(right)) == same(left, right)


@given(PLAIN)
def test_canonical_text_is_json_in_printable_ascii(value: object) -> None:
    text = canonical_json(value)

    assert same(json.loads(text), value)
    assert set(text) <= set(string.printable) - set("\n\r\t\v\f")


def test_order_of_keys_does_not_count() -> None:
    assert canonical_json({"b": {"d": 1, "c": 2}, "a": 3}) == '{"a":3,"b":{"c":2,"d":1}}'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [{"a": math.nan}]])
def test_not_a_number_is_equal_to_itself(value: object) -> None:
    assert canonical_json(value) == canonical_json(json.loads(json.dumps(value)))


def test_numbers_of_other_types_differ() -> None:
    values = [1, 1.0, True, "1", 0, 0.0, -0.0, False, None, math.nan, math.inf, "NaN"]

    assert len({canonical_json(value) for value in values}) == len(values)


@pytest.mark.parametrize("value", [{1, 2}, b"x", object(), {"a": 1j}, {(1,): 2}])
def test_value_without_a_json_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_a_secret_has_another_digest_with_another_salt() -> None:
    secret = digest_secret("secret", b"one")

    assert secret == digest_secret("secret", b"one")
    assert len({secret, digest_secret("secret", b"two"), digest_secret("secret ", b"one")}) == 3
    assert is_digest(digest_secret("\udc80", b""))
