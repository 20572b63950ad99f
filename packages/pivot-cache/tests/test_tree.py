"""Listings of directories: one text per tree, and no text that leads out of the directory it describes."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_cache import Tree, TreeError
from pivot_cache.formats.tree import path_problem
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact

ONE = "1" * 32
TWO = "2" * 32

names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=4).filter(
    lambda name: name not in {".", ".."}
)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
artifacts = st.builds(Artifact, st.integers(0, 15).map(lambda n: f"{n:x}" * 32), st.integers(0, 2**60), st.booleans())


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    chosen = sorted(draw(st.sets(paths, max_size=8)))
    free = [path for path in chosen if not any(other.startswith(f"{path}/") for other in chosen)]
    empty = draw(st.sets(st.sampled_from(free)) if free else st.just(set[str]()))
    return Tree({path: draw(artifacts) for path in free if path not in empty}, tuple(empty))


def text(**changes: object) -> bytes:
    """The text of a tree with one file, changed."""
    record: dict[str, object] = json.loads(Tree({"a": Artifact(ONE, 1)}).dumps())
    record.update(changes)
    return json.dumps({key: value for key, value in record.items() if value is not None}).encode()


@given(trees())
def test_a_tree_is_read_as_it_was_written(tree: Tree) -> None:
    assert Tree.loads(tree.dumps(), "t") == tree
    assert list(Tree.loads(tree.dumps(), "t").files) == sorted(tree.files)


@given(trees(), trees())
def test_equal_trees_have_equal_texts_and_others_have_not(one: Tree, other: Tree) -> None:
    shuffled = Tree(dict(reversed(list(one.files.items()))), one.empty[::-1])
    assert shuffled == one
    assert shuffled.dumps() == one.dumps()
    assert (one == other) == (one.dumps() == other.dumps()) == (one.artifact().digest == other.artifact().digest)


def test_entries_are_found_by_their_path() -> None:
    file, other = Artifact("1" * 32, 3), Artifact("2" * 32, 4, executable=True)
    tree = Tree({"a": file, "b/c": other, "b/d/e": file}, ["b/f", "g"])

    assert tree.at("a") == file
    assert tree.at("b/c") == other
    assert tree.at("b") == Tree({"c": other, "d/e": file}, ["f"]).artifact()
    assert tree.at("b/f") == tree.at("g") == Tree({}).artifact()
    assert tree.at("a/x") is tree.at("c") is tree.at("b/") is None


def test_the_text_is_exactly_this() -> None:
    """It is what digests in lock files depend on: it changes only with the format's number."""
    tree = Tree({"b/ü\n": Artifact(TWO, 20, executable=True), "a": Artifact(ONE, 1)}, ("d", "c/e"))

    assert tree.dumps() == (
        b'{"algorithm":"xxh3-128","empty":["c/e",\n"d"],"files":{\n'
        b'"a":["11111111111111111111111111111111",1],\n'
        b'"b/\\u00fc\\n":["22222222222222222222222222222222",20,"x"]\n'
        b'},"format":1}\n'
    )
    assert tree.artifact() == Artifact(digest_bytes(tree.dumps()), 21, tree=True)
    assert tree.digests() == {ONE, TWO}
    assert tree.directories() == ["b", "c", "c/e", "d"]


def test_a_directory_that_holds_nothing_is_a_tree() -> None:
    assert Tree.loads(Tree({}).dumps(), "t") == Tree({})
    assert Tree({}).artifact().size == 0


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "is not a relative path without empty parts"),
        ("/etc/passwd", "is not a relative path without empty parts"),
        ("a//b", "is not a relative path without empty parts"),
        ("a/", "is not a relative path without empty parts"),
        ("..", "contains a part `.` or `..`"),
        ("../x", "contains a part `.` or `..`"),
        ("a/../../x", "contains a part `.` or `..`"),
        ("./a", "contains a part `.` or `..`"),
        ("a/.", "contains a part `.` or `..`"),
        ("a\0b", "contains a NUL character"),
        ("\udcff", "is not valid UTF-8"),
        ("n" * 256, "is too long: a name may have 255 bytes, a path 4095"),
        ("é" * 128, "is too long: a name may have 255 bytes, a path 4095"),
        ("/".join(["n" * 100] * 41), "is too long: a name may have 255 bytes, a path 4095"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str, problem: str) -> None:
    with pytest.raises(TreeError) as caught:
        Tree.loads(text(files={path: [ONE, 1]}), "t")
    assert str(caught.value).startswith(f"{problem} @ t: files.")

    with pytest.raises(TreeError) as caught:
        Tree.loads(text(empty=[path]), "t")
    assert str(caught.value) == f"{problem} @ t: empty.0"
    assert path_problem(path) == problem


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"format":' + b"1" * 5000 + b"}", "is not JSON"),
        (text(files={"a": [ONE, float("nan")]}), "is not JSON"),
        (b"[]", "must be an object, not a list @ t"),
        (text(format=2), "is 2, not 1: written by another version of Pivot, or damaged @ t: format"),
        (text(format=True), "is True, not 1: written by another version of Pivot, or damaged @ t: format"),
        (text(format=None), "is None, not 1: written by another version of Pivot, or damaged @ t: format"),
        (text(algorithm="md5"), "is 'md5', not 'xxh3-128' @ t: algorithm"),
        (text(algorithm=None), "is missing @ t: algorithm"),
        (text(more=1), "is not a known field @ t: more"),
        (text(empty={}), "must be a list @ t: empty"),
        (text(empty=[1]), "must be a string, not a number @ t: empty.0"),
        (text(files=[]), "must be an object, not a list @ t: files"),
        (text(files={"a": ONE}), 'must be a digest and a size, and "x" if it is executable @ t: files.a'),
        (text(files={"a": [ONE]}), 'must be a digest and a size, and "x" if it is executable @ t: files.a'),
        (text(files={"a": [ONE, 1, "y"]}), 'must be a digest and a size, and "x" if it is executable @ t: files.a'),
        (text(files={"a": ["../" + ONE[3:], 1]}), "is not a digest (32 lowercase hex digits) @ t: files.a"),
        (text(files={"a": [ONE.upper() + "A", 1]}), "is not a digest (32 lowercase hex digits) @ t: files.a"),
        (text(files={"a": [ONE, -1]}), "must be at least 0, not -1 @ t: files.a"),
        (text(files={"a": [ONE, True]}), "must be a whole number, not true or false @ t: files.a"),
        (text(files={"a": [ONE, 1.0]}), "must be a whole number, not a number @ t: files.a"),
        (text(files={"a": [ONE, 1], "a/b": [ONE, 1]}), "is a file, but another entry is below it @ t: files.a"),
        (text(files={"a/b/c": [ONE, 1], "a": [ONE, 1]}), "is a file, but another entry is below it @ t: files.a"),
        (text(empty=["a"]), "'a' occurs twice @ t: empty.0"),
        (text(empty=["b", "b"]), "'b' occurs twice @ t: empty.1"),
        (text(empty=["a/b"]), "is a file, but another entry is below it @ t: files.a"),
        (text(empty=["b", "b/c"]), "'b' is not empty: another entry is below it @ t: empty.0"),
        (text(), "is not in the canonical form: entries out of order, or other spacing @ t"),
    ],
)
def test_invalid_listings_are_refused_with_the_place(data: bytes, message: str) -> None:
    with pytest.raises(TreeError) as caught:
        Tree.loads(data, "t")
    assert str(caught.value).startswith(message)
    assert caught.value.hint
    assert caught.value.exit_code == 3


def test_an_entry_that_stands_twice_is_refused() -> None:
    data = Tree({"a": Artifact(ONE, 1)}).dumps().replace(b'"a":', b'"a":["%s",1],\n"a":' % TWO.encode())

    with pytest.raises(TreeError, match="the key occurs twice @ t: a"):
        Tree.loads(data, "t")


def test_many_entries_in_deep_directories_are_read_in_one_go() -> None:
    """Cost grows with the text: checking every entry against every other would take days."""
    deep = "/".join(["d"] * 60)
    tree = Tree({f"{deep}/{number}/f": Artifact(ONE, 1) for number in range(60_000)}, (f"{deep}/e",))

    assert Tree.loads(tree.dumps(), "t") == tree


@given(st.text(max_size=12))
def test_only_paths_below_a_directory_have_no_problem(path: str) -> None:
    if path_problem(path) is None:
        below = Path("/base") / path
        assert below.is_relative_to("/base")
        assert below != Path("/base")
        assert str(below) == f"/base/{path}"
