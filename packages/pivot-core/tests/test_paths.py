"""An artifact has one name, whatever way it is declared, and never one outside the project."""

import os
import pathlib
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.errors import PathError
from pivot_core.files.paths import ArtifactPath, below, is_within, parents, touches

ROOT = "/home/me/project"

PARTS = st.sampled_from(["a", "b", "A-9_b.c", "-", "a..", "é", ".", "..", "", ".pivot", " ", "~", "...", ".a"])
DECLARED = st.lists(PARTS, min_size=1, max_size=6).map("/".join)
BASES = st.sampled_from(["", "a", "a/b"])


def resolved(text: str, base: str = "") -> ArtifactPath | None:
    try:
        return ArtifactPath.resolve(text, base=base, root=ROOT)
    except PathError:
        return None


@given(DECLARED, BASES)
def test_resolved_path_is_normal_and_inside(text: str, base: str) -> None:
    path = resolved(text, base)

    if path is not None:
        parts = path.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert parts[0] != ".pivot"
        assert posixpath.normpath(posixpath.join(ROOT, base, text)) == posixpath.join(ROOT, path)


@given(DECLARED, BASES)
def test_refused_path_leads_out_or_to_the_root_or_to_the_state_of_pivot(text: str, base: str) -> None:
    if text and resolved(text, base) is None:
        there = posixpath.normpath(posixpath.join(ROOT, base, text))
        assert not there.startswith(f"{ROOT}/") or there.startswith(f"{ROOT}/.pivot")


@given(DECLARED, BASES)
def test_resolving_and_parsing_again_changes_nothing(text: str, base: str) -> None:
    path = resolved(text, base)

    if path is not None:
        assert ArtifactPath.resolve(path) == path
        assert ArtifactPath.parse(str(path)) == path
        assert ArtifactPath.resolve(f"{ROOT}/{path}", base=base, root=ROOT) == path
        assert ArtifactPath.resolve(path.relative_to(base), base=base) == path


@given(DECLARED)
def test_parse_takes_exactly_what_resolve_gives(text: str) -> None:
    try:
        parsed = ArtifactPath.parse(text)
    except PathError:
        assert resolved(text) != text
    else:
        assert resolved(text) == parsed == text


@pytest.mark.parametrize(
    ("declared", "base", "expected"),
    [
        ("data.csv", "", "data.csv"),
        ("./data.csv", "", "data.csv"),
        ("data/", "", "data"),
        ("data//x/../y", "", "data/y"),
        ("data.csv", "etl", "etl/data.csv"),
        ("../raw/data.csv", "etl", "raw/data.csv"),
        ("../../raw", "etl/daily", "raw"),
        (pathlib.Path("a") / "b", "etl", "etl/a/b"),
        ("/home/me/project/data.csv", "etl", "data.csv"),
        ("/home/me/project/../project/data.csv", "", "data.csv"),
        ("//home/me/project/data.csv", "", "data.csv"),
        ("..data", "", "..data"),
        ("sub/.pivot/x", "", "sub/.pivot/x"),
        (".pivotignore", "", ".pivotignore"),
    ],
)
def test_declared_path_means_one_artifact(declared: str | pathlib.Path, base: str, expected: str) -> None:
    path = ArtifactPath.resolve(declared, base=base, root=ROOT)

    assert path == expected
    assert isinstance(path, ArtifactPath)


@pytest.mark.parametrize(
    ("declared", "base", "said"),
    [
        ("", "", "must not be empty"),
        (".", "", "the project's root itself"),
        ("..", "etl", "the project's root itself"),
        ("/home/me/project", "", "the project's root itself"),
        ("..", "", "outside the project"),
        ("../x", "", "outside the project"),
        ("a/../../x", "", "outside the project"),
        ("/etc/passwd", "", "outside the project"),
        ("/home/me/project2/x", "", "outside the project"),
        ("/home/me/project/../x", "", "outside the project"),
        (".pivot", "", "belongs to Pivot"),
        (".pivot/config.yaml", "", "belongs to Pivot"),
        ("../.pivot/cache", "etl", "belongs to Pivot"),
        (".PIVOT/config.yaml", "", "belongs to Pivot"),
        ("a\0b", "", "NUL"),
        ("a\udc80", "", "not valid UTF-8"),
    ],
)
def test_path_that_cannot_be_an_artifact(declared: str | pathlib.Path, base: str, said: str) -> None:
    with pytest.raises(PathError, match=said):
        ArtifactPath.resolve(declared, base=base, root=ROOT)


def test_path_in_bytes_is_refused() -> None:
    with pytest.raises(PathError, match="must be a string, not bytes"):
        ArtifactPath.resolve(b"bytes")  # type: ignore[arg-type]


def test_absolute_path_without_a_root_is_outside() -> None:
    with pytest.raises(PathError, match="outside the project") as caught:
        ArtifactPath.resolve("/data.csv")

    assert "symbolic link" in str(caught.value.hint)


def test_project_in_the_root_directory() -> None:
    assert ArtifactPath.resolve("/data/x", root="/") == "data/x"


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "../x", "a/..", "a//b", "./a", "a/", "/a", "//a", ".pivot/x", ".Pivot/x", "a\0", "\udc80", None, 3],
)
def test_untrusted_path_must_be_in_normal_form(text: object) -> None:
    with pytest.raises(PathError):
        ArtifactPath.parse(text)


def test_relative_to_is_how_a_user_writes_it_there() -> None:
    path = ArtifactPath("a/b/c")

    assert path.relative_to("") == "a/b/c"
    assert path.relative_to("a") == "b/c"
    assert path.relative_to("x") == "../a/b/c"


def test_path_is_a_plain_text_to_others() -> None:
    assert os.fspath(pathlib.Path("root") / ArtifactPath("a/b")) == "root/a/b"
    assert ArtifactPath("a/b") == "a/b"


@pytest.mark.parametrize(
    ("one", "other", "inside"), [("a/b", "a", True), ("a", "a", True), ("ab", "a", False), ("a", "a/b", False)]
)
def test_a_path_is_in_a_directory_by_its_parts_not_its_letters(one: str, other: str, inside: bool) -> None:
    assert is_within(one, other) is inside
    assert touches(one, other) is touches(other, one) is (inside or is_within(other, one))


def test_parents_are_the_directories_around_a_path_the_nearest_first() -> None:
    assert [*parents("a/b/c")] == ["a/b", "a"]
    assert [*parents("a")] == []


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [("/a/b", "/a", "b"), ("/a", "/a", "."), ("/ab", "/a", None), ("/b", "/a", None), ("/a/b", "/", "a/b")],
)
def test_an_absolute_path_is_below_a_directory_or_not(path: str, root: str, expected: str | None) -> None:
    assert below(path, root) == expected
