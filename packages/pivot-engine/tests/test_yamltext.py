"""YAML as data with lines."""

import math

import pytest

from pivot_engine.yamltext import YamlError, parse


def test_words_are_read_as_yaml_1_2_does() -> None:
    text = "[yes, off, true, 1e-3, 0o17, 0x1f, -1, 1_0, 2024-01-01, ~, '1', .inf, -.inf, .nan, .5, 12:30, '']"

    *plain, inf, low, nan, half, clock, empty = parse(text, "x").data

    assert plain == ["yes", "off", True, 0.001, 15, 31, -1, "1_0", "2024-01-01", None, "1"]
    assert (inf, low, half, clock, empty) == (math.inf, -math.inf, 0.5, "12:30", "")
    assert math.isnan(nan)


def test_every_key_and_item_has_its_line() -> None:
    document = parse("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n", "p.yaml")

    assert document.data == {"a": {"b": 1, "c": ["x", {"y": 2}]}}
    assert document.where(("a", "b")) == "p.yaml:2"
    assert document.where(("a", "c", 1)) == "p.yaml:5"
    assert document.where(("a", "c", 1, "y", "deeper")) == "p.yaml:5"
    assert document.where() == "p.yaml:1"


def test_what_stands_in_a_mapping_wins_over_what_is_merged_into_it() -> None:
    text = "a: &a {x: {p: 1}, y: 2}\nb: &b\n  <<: *a\n  x: {q: 3}\nc: *b\nd:\n  <<: [*b, {z: 4}]\n  y: 5\n"
    found = parse(text, "x")

    assert found.data["b"] == found.data["c"] == {"x": {"q": 3}, "y": 2}
    assert found.data["d"] == {"x": {"q": 3}, "y": 5, "z": 4}
    assert found.where(("b", "x")) == "x:4"
    assert found.where(("b", "x", "p")) == "x:4"
    with pytest.raises(YamlError, match="x:4: the key 'y' stands here for the second time"):
        parse("a: &a {y: 1}\nb:\n  y: 1\n  y: 2\n  <<: *a\n", "x")


def test_an_empty_file_and_merged_keys() -> None:
    assert parse("# nothing\n", "x").data is None
    assert parse("a: &a {x: 1}\nb:\n  <<: *a\n  y: 2\n", "x").data["b"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [", r"^p:2: this is not YAML"),
        ("a: 1\na: 2", r"^p:2: the key 'a' stands here for the second time"),
        ("a:\n  1: x", r"^p:2: the key 1 must be a text"),
        ("a: !!python/object:os.system x", r"^p:1: this is not YAML"),
        ("a: 1\n---\nb: 2", r"^p:2: this is not YAML"),
        ("a: \x00", r"^p: this is not YAML"),
        ("a: *b", r"^p:1: this is not YAML"),
        ("[" * 5000, "this is not YAML"),
        ("? [a]\n: 1", "must be a text|not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, message: str) -> None:
    with pytest.raises(YamlError, match=message):
        parse(text, "p")
