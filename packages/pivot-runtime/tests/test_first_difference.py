"""The first difference of two files is named as a person would look for it."""

import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_runtime.inspecting import rerun
from pivot_runtime.inspecting.rerun import first_difference


def between(tmp_path: pathlib.Path, old: bytes, new: bytes) -> str:
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    return first_difference(tmp_path / "old", tmp_path / "new")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        (b'{"a": [1, {"b": 2}]}', b'{"a": [1, {"b": 3}]}', "at $.a[1].b"),
        (b'{"a": 1}', b'{"b": 1}', "at $.a"),
        (b'{"a": 1}', b'{"a": 1, "b": 2}', "at $.b"),
        (b"[1, 2]", b"[1, 2, 3]", "at $[2]"),
        (b"[1]", b"[1.0]", "at $[0]"),
        (b"1234", b"1235", "in line 1"),
        (b"[1]", b"[true]", "at $[0]"),
        (b"[NaN]", b"[NaN ]", "in line 1"),  # the same value in other words
        (b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}', "in line 1"),
        (b"1\n2\n3\n", b"1\n2\n4\n", "in line 3"),
        (b"1\n", b"1\n2\n", "in line 2"),
        (b"1\r\n", b"1\n", "in line 1"),
        (b"a\0b", b"a\0c", "at byte 2"),
        (b"\xff\x00", b"\xff\x00\x01", "at byte 2"),
        (b"", b"\xff", "at byte 0"),
    ],
)
def test_where(tmp_path: pathlib.Path, old: bytes, new: bytes, where: str) -> None:
    assert between(tmp_path, old, new) == where


def test_far_in_a_large_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rerun, "_READABLE", 10)
    before = b"x" * (3 << 20)

    assert between(tmp_path, before, before[:-1] + b"y") == f"at byte {len(before) - 1}"


def test_what_nests_too_deep_to_be_parsed(tmp_path: pathlib.Path) -> None:
    assert between(tmp_path, b"[" * 100_000, b"[" * 100_001) == "in line 1"


values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("differing")


@given(values, values)
def test_there_is_a_place_exactly_where_there_is_a_difference(place: pathlib.Path, old: object, new: object) -> None:
    one, other = json.dumps(old).encode(), json.dumps(new).encode()

    assert bool(between(place, one, other)) == (one != other)


@given(st.binary(max_size=6), st.binary(max_size=6))
def test_also_of_bytes(place: pathlib.Path, old: bytes, new: bytes) -> None:
    assert bool(between(place, old, new)) == (old != new)
