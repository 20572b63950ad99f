"""Edits of a params.yaml: the value changes, and no other byte."""

import string
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pivot_runtime.definitions import yaml_document
from pivot_runtime.definitions.params_edit import assign, rendered
from pivot_runtime.errors import YamlError
from pivot_runtime.sweeps.params_values import InexpressibleError, differences, for_yaml, key_of

TEXT = """\
# Chosen by hand.
train:
  rate: 0.3  # the best so far
  layers:   # many
    - 1
    - 2
  # of the optimizer
  opt: {lr: 1, name: adam}  # flow
  text: |
    several
    lines
empty: {}
evaluate:   # nothing yet
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (("train", "rate"), 0.1, "rate: 0.3  #", "rate: 0.1  #"),
        (("train", "layers"), [3], "layers:   # many\n    - 1\n    - 2\n", "layers: [3]   # many\n"),
        (("train", "opt", "lr"), 2, "{lr: 1, ", "{lr: 2, "),
        (("train", "opt", "m"), 0.9, "adam}", "adam, m: 0.9}"),
        (("train", "text"), "one", "text: |\n    several\n    lines\n", "text: one\n"),
        (("train", "new"), "a b", "empty: {}\n", '  new: "a b"\nempty: {}\n'),
        (("empty", "a", "b"), True, "{}", "{a: {b: true}}"),
        (("evaluate", "a"), None, "yet\n", "yet\n  a: null\n"),
        (("demo.train", "a"), float("inf"), "yet\n", "yet\ndemo.train:\n  a: .inf\n"),
    ],
)
def test_one_value_changes(path: tuple[str, ...], value: Any, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert assign(TEXT, path, value, "params.yaml") == TEXT.replace(old, new)
    windows = assign(TEXT.replace("\n", "\r\n"), path, value, "params.yaml")
    assert windows.replace("\r\n", "\n") == TEXT.replace(old, new)


def test_files_that_end_anywhere() -> None:
    assert assign("", ("a", "b"), 1, "p") == "a:\n  b: 1\n"
    assert assign("# none", ("a", "b"), 1, "p") == "# none\na:\n  b: 1\n"
    assert assign("a:\n  b: 1", ("a", "c"), 2, "p") == "a:\n  b: 1\n  c: 2\n"
    assert assign("a:", ("a", "c"), 2, "p") == "a:\n  c: 2\n"
    assert assign(TEXT, ("train", "rate"), 0.3, "p") == TEXT


@pytest.mark.parametrize("text", ["a: &x {b: 1}\nc: *x\n", "a: 3\n"])
def test_a_form_that_is_too_complex(text: str) -> None:
    with pytest.raises(YamlError, match="too complex") as raised:
        assign(text, ("a" if text == "a: 3\n" else "c", "b"), 5, "p")
    assert raised.value.hint is not None


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\u2028\u2029\x85"), max_size=8)
)
KEYS = st.text(string.ascii_letters + "._@", min_size=1, max_size=5)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3), KEYS, KEYS, VALUES)
def test_any_value_is_read_again(data: dict[str, dict[str, Any]], stage: str, name: str, value: Any) -> None:
    before = "".join(f"{rendered(key)}: {rendered(each)}  # kept\n" for key, each in data.items())
    after = assign(before, (stage, name), value, "p")
    wanted = {**data, stage: {**data.get(stage, {}), name: value}}
    assert repr(yaml_document.parse(after, "p").data) == repr(wanted)
    assert after.count("# kept") == len(data)


def test_recorded_values_have_a_form_in_yaml() -> None:
    plain = {"$class": "Opt", "lr": {"$tuple": [1, {"$path": "a/b"}]}, "kind": {"$enum": "Kind.FAST", "value": 3}}
    assert for_yaml(plain) == {"lr": [1, "a/b"], "kind": "FAST"}
    assert for_yaml({"$timedelta": [1, 2, 500_000]}) == 86402.5
    assert for_yaml({"$dict": [["$a", 1]]}) == {"$a": 1}
    for value in ({"$secret": "0" * 32}, {"$bytes": "00"}, {"$dict": [[1, 2]]}):
        with pytest.raises(InexpressibleError):
            for_yaml([value])


def test_only_fields_that_differ_are_changed() -> None:
    now = {"opt": {"$class": "Opt", "lr": 1, "m": 2}, "rate": 1, "gone": 1}
    then = {"opt": {"$class": "Opt", "lr": 1, "m": 3}, "rate": 1.0, "new": 1}
    assert list(differences(now, then)) == [(("opt", "m"), 3), (("rate",), 1.0)]
    assert list(differences(now, {"opt": {"$class": "Other", "lr": 1, "m": 2}})) == [
        (("opt",), {"$class": "Other", "lr": 1, "m": 2})
    ]


def test_the_key_is_that_of_the_stage_alone() -> None:
    found = {"train": {"rate": 1}, "demo.train": {"layers": []}}
    assert key_of("demo", "train", "rate", beside=True, found=found) == "train"
    assert key_of("demo", "train", "layers", beside=True, found=found) == "demo.train"
    assert key_of("demo", "train@big", "rate", beside=True, found=found) == "train@big"
    assert key_of("demo", "train", "rate", beside=False, found=found) == "demo.train"
