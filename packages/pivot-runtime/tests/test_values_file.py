"""Values in files of several formats."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot_runtime.definitions.values_file import parse
from pivot_runtime.errors import YamlError

PYTHON = b"""\
import os

RATE: float = 1e-3
SIZES = (1, -2)
a, b = 1, 2
HOME = os.environ.get("HOME")
PATTERN = "\\d"
TABLE = {"a": [True], 1: None}
NOT_DATA = {1, 2}
ONE = OTHER = 1
LATER = 1
LATER = os.cpu_count()
MORE = 1
MORE += 1

class Train:
    EPOCHS = 3
    unset: int

    def __init__(self):
        self.depth = "x"
        other = 1

    class Deep:
        x = 0.5

def f():
    LOCAL = 1
"""

SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(max_size=5)
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


@settings(max_examples=25)
@given(DATA)
def test_json_and_python_hold_any_data(data: Any) -> None:
    assert parse(json.dumps(data).encode(), "a.json") == data
    assert parse(f"x = {data!r}".encode(), "a.py") == {"x": data}


def test_formats_go_by_the_suffix() -> None:
    assert parse(b"\xef\xbb\xbfa: 1\n2020: {true: x}\n", "params.yaml") == {"a": 1, "2020": {"true": "x"}}
    assert parse(b"a: 1", "conf/params") == {"a": 1}
    assert parse(b"a = 1\n[t]\nday = 2024-01-31\n", "a.TOML") == {"a": 1, "t": {"day": "2024-01-31"}}
    assert parse(b"# nothing\n", "a.yml") == parse(b" \n", "a.json") == parse(b"", "a.py") == {}
    assert parse(PYTHON, "a.py") == {
        "RATE": 0.001,
        "SIZES": [1, -2],
        "PATTERN": r"\d",
        "TABLE": {"a": [True], "1": None},
        "ONE": 1,
        "OTHER": 1,
        "Train": {"EPOCHS": 3, "depth": "x", "Deep": {"x": 0.5}},
    }


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.yaml", b"a: [", "a.yaml:1: this is not YAML"),
        ("a.yaml", b"1: a\n1: b\n", "a.yaml:2: the key '1' occurs for the second time"),
        ("a.yaml", b"[a]: b\n", "a.yaml:1: a key must be a string"),
        ("a.json", b"{\n'a'}", "a.json:2: this is not JSON: Expecting property name"),
        ("a.json", b"9" * 5000, "a.json: this is not JSON: Exceeds the limit"),
        ("a.json", b"\xff", "a.json: this is not UTF-8"),
        ("a.json", b"[" * 100_000, "a.json: this is nested more than 64 levels deep"),
        ("a.json", b"[" * 70 + b"]" * 70, "a.json: this is nested more than 64 levels deep"),
        ("a.json", json.dumps([0] * 60_000).encode(), "a.json: this contains more than 50,000 keys and values"),
        ("a.json", b"0" * 1_000_001, "a.json: this contains more than 1,000,000 characters"),
        ("a.toml", b"a = 1\nb = x", "a.toml:2: this is not TOML: Invalid value"),
        ("a.toml", b"a = 1\na = 2\n", "a.toml:2: this is not TOML: Cannot overwrite a value"),
        ("a.toml", b"a = 0x" + b"f" * 5000, "a.toml: a number of more than 1,000 digits"),
        ("a.py", b"a = [-0x" + b"f" * 5000 + b"]", "a.py: a number of more than 1,000 digits"),
        ("a.py", b"a = 1\nb = (", "a.py:2: this is not Python"),
        ("a.py", b"a = \0", "a.py"),
        ("a.py", b"x = " + b"[" * 100_000, "a.py"),
        ("a.py", b"x = " + b"-" * 10_000 + b"1", "a.py"),
    ],
)
def test_other_content_is_refused(name: str, content: bytes, told: str) -> None:
    with pytest.raises(YamlError) as raised:
        parse(content, name)
    assert str(raised.value).startswith(told)
