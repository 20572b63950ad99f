"""YAML as data with lines."""

import math

import pytest

from pivot_runtime.definitions.yaml_document import parse
from pivot_runtime.errors import YamlError


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


def test_keys_of_a_mapping_override_merged_ones() -> None:
    text = "a: &a {x: {p: 1}, y: 2}\nb: &b\n  <<: *a\n  x: {q: 3}\nc: *b\nd:\n  <<: [*b, {z: 4}]\n  y: 5\n"
    found = parse(text, "x")

    assert found.data["b"] == found.data["c"] == {"x": {"q": 3}, "y": 2}
    assert found.data["d"] == {"x": {"q": 3}, "y": 5, "z": 4}
    assert found.where(("b", "x")) == "x:4"
    assert found.where(("b", "x", "p")) == "x:4"
    with pytest.raises(YamlError, match="x:4: the key 'y' occurs for the second time"):
        parse("a: &a {y: 1}\nb:\n  y: 1\n  y: 2\n  <<: *a\n", "x")


def test_the_first_of_several_merged_mappings_wins_as_merged_before() -> None:
    """PyYAML 6.0.4 gives x: 1 where 6.0.3 gave x: 10."""
    text = "o: &o {x: 1, y: 2}\nb: &b\n  <<: *o\n  x: 10\nl: &l {x: 5, z: 1}\na:\n  <<: [*b, *l]\nc:\n  <<: *b\n"
    found = parse(text, "p")

    assert list(found.data["a"].items()) == [("x", 10), ("z", 1), ("y", 2)]
    assert found.data["c"] == {"x": 10, "y": 2}
    assert found.where(("a", "x")) == "p:4"
    assert parse("a: &a {x: 1}\nb:\n  '<<': *a\n  y: <<\n", "p").data["b"] == {"<<": {"x": 1}, "y": "<<"}


def bomb(levels: int) -> str:
    return "a0: &a0 {x: 1, y: 2}\n" + "".join(
        f"a{n}: &a{n} {{x: *a{n - 1}, y: [*a{n - 1}]}}\n" for n in range(1, levels)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(100), r"^p:13: this contains more than 50,000 keys and values, with what aliases repeat"),
        (
            "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100)),
            r"^p:63: this is nested more than 64",
        ),
        ("x: 1\na: &a {b: [*a]}\n", r"^p:2: the alias \*a is inside what it names"),
        ("a: &a {<<: *a}", r"^p:1: the alias"),
        ("a:\n" + "- " * 100_000, r"^p:2: this is nested more than 64"),
        ("\na: " + "[" * 100_000, r"^p:2: this is nested more than 64"),
        ("\na: " + "{a: " * 100_000, r"^p:2: this is nested more than 64"),
        ("a:\n" + "? " * 100_000, r"^p:2: this is nested more than 64"),
        ("".join(f"p{n}: {n}\n" for n in range(300_000)), r"^p:73016: this contains more than 1,000,000 characters"),
        ("a:\n- [" + "1," * 60_000 + "]", r"^p:2: this contains more than 50,000 keys and values$"),
        ("a:\n  b: " + "1" * 1001, r"^p:2: a number of more than 1,000 digits"),
        ("a:\n  b: 0x" + "1" * 100_000, r"^p:2: a number of more than 1,000 digits"),
        ("a:\n  b: !!int '1x'", r"^p:2: '1x' is no int"),
        ("a:\n  b: !!bool yes", r"^p:2: 'yes' is no bool"),
        ("a:\n  b: !!timestamp 2024-01-01", r"^p:2: this is not YAML that Pivot reads: the tag !!timestamp"),
        ("a:\n  b: !own {c: 1}", r"^p:2: this is not YAML that Pivot reads: the tag !own"),
        ("a:\n  b: !!set {c, d}", r"the tag !!set"),
        ("a:\n  <<: 1", r"^p:2: << takes a mapping"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n  <<: {y: 1}", r"^p:4: the key '<<' occurs for the second time"),
    ],
    ids=range(19),
)
def test_too_large_or_unsupported_texts_are_refused_with_their_line(text: str, message: str) -> None:
    with pytest.raises(YamlError, match=message):
        parse(text, "p")


def test_tags_of_the_core_schema_are_read() -> None:
    text = "[!!str 5, !!int '5', !!float 1, !!bool 'true', !!null '', !!seq [], !!map {}, '7']"

    assert parse(text, "p").data == ["5", 5, 1.0, True, None, [], {}, "7"]


def test_an_empty_file_and_merged_keys() -> None:
    assert parse("# nothing\n", "x").data is None
    assert parse("a: &a {x: 1}\nb:\n  <<: *a\n  y: 2\n", "x").data["b"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [", r"^p:2: this is not YAML"),
        ("a: 1\na: 2", r"^p:2: the key 'a' occurs for the second time"),
        ("a:\n  1: x", r"^p:2: the key 1 must be a string"),
        ("a: !!python/object:os.system x", r"^p:1: this is not YAML"),
        ("a: 1\n---\nb: 2", r"^p:2: this is not YAML"),
        ("a: 1\nb: \x00", r"^p:2: this is not YAML: the character U\+0000"),
        ("a: *b", r"^p:1: this is not YAML"),
        ("? [a]\n: 1", "must be a string|not YAML"),
    ],
)
def test_errors_name_their_line(text: str, message: str) -> None:
    with pytest.raises(YamlError, match=message):
        parse(text, "p")


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a:\n  cmd: echo hello: you", 2, "a text that contains ': ' must be quoted"),
        ("a:\n  cmd: python: x:", 2, "a text that contains ': ' must be quoted"),
        ("a: b\n  c: d", 2, "indent keys that belong together"),
        ("a:\n  b: 1\n c: 2", 3, "indent keys that belong together"),
        ("a: 1\n- b", 2, "indent keys that belong together"),
        ("a:\n\tb: 1", 2, "indent by spaces"),
        ("a: %x", 1, "put the whole text in quotes"),
        ("a: `date`", 1, "put the whole text in quotes"),
        ("a: *.csv", 1, "put the whole text in quotes"),
        ("a: *x", 1, "a text that begins with '*' must be quoted"),
        ("a: 'x' y", 1, "put the whole text in quotes"),
        ("a: [ -f x ] && rm x", 1, "put the whole text in quotes"),
        ("a: > out.txt", 1, "put the whole text in quotes"),
        ('a: "x\nb: 1\n', 1, "close the quotes"),
        ('a: "\\d"', 1, "or use single quotes"),
        ("a: [x\nb: 1", 1, "close the bracket"),
        ("a: 1\nb: [log-${item}/, x]", 2, "between brackets, put a text with ${...} in quotes"),
        ("a: 1\nfoo:bar\nc: 2", 2, "write 'key: value'"),
        ("a: 1\n---\nb: 2", 2, "keep one document"),
        ("a: \x07", 1, "remove it"),
    ],
)
def test_a_text_that_is_not_yaml_has_a_hint(text: str, line: int, hint: str) -> None:
    with pytest.raises(YamlError, match=f"^p:{line}: this is not YAML") as failed:
        parse(text, "p")

    assert hint in (failed.value.hint or "")
