"""Patterns: the files that are found are those that match, and outs are matched before they exist."""

import os
import pathlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pivot_core.discovery import directories_above, pipelines_above
from pivot_core.errors import GraphError, PathError
from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import PathPattern, find_directories, find_files, is_pattern, literal
from pivot_core.graph import Graph
from pivot_core.loaders import Text
from pivot_core.pipeline import Pipeline
from pivot_core.spec import Location, OutSpec, StageError, StageSpec
from pivot_core.stages.annotations import Dep, Out
from pivot_core.stages.command import command, fill_in

FILES = ("a.csv", "b.csv", "b.txt", ".h.csv", "d/a.csv", "d/e/c.csv", "d/.x/y.csv", "f/a.csv", "a*b.csv", "g/t.csv.pvt")
NAMES = st.sampled_from(["a", "b.csv", ".h", "d"])
PARTS = st.sampled_from(["*", "**", "?", "[ab]*", "*.csv", "d", ".*", "a"])
PATTERNS = st.lists(PARTS, min_size=1, max_size=3).map("/".join).filter(is_pattern)


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "loop").symlink_to(".")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.csv", ["a*b.csv", "a.csv", "b.csv"]),
        ("?.csv", ["a.csv", "b.csv"]),
        ("[!a].*", ["b.csv", "b.txt"]),
        ("*", ["a*b.csv", "a.csv", "b.csv", "b.txt"]),
        (".*", [".h.csv"]),
        ("a[*]*.csv", ["a*b.csv"]),
        ("*/a.csv", ["d/a.csv", "f/a.csv", "loop/a.csv"]),
        ("d/*", ["d/a.csv"]),
        ("d/**", ["d/a.csv", "d/e/c.csv"]),
        ("**/c.csv", ["d/e/c.csv"]),
        ("d/**/*.csv", ["d/a.csv", "d/e/c.csv"]),
        ("g/*", ["g/t.csv"]),  # tracked, and not there
        ("g/*.pvt", ["g/t.csv.pvt"]),
        ("*/t.csv", ["g/t.csv"]),
        ("none/*", []),
        ("a.csv/*", []),
    ],
)
def test_files_are_found(root: pathlib.Path, pattern: str, found: list[str]) -> None:
    looked: list[str] = []
    assert find_files(pattern, str(root), suffix=".pvt", look=looked.append) == found
    assert looked
    assert not any(path.endswith("/") for path in looked)  # each path has one name
    matches = PathPattern(pattern).matcher()
    assert all(matches(name) for name in found)


@example("**/.*/a", ".h/a")
@given(PATTERNS, st.lists(NAMES, min_size=1, max_size=3).map("/".join))
def test_a_directory_with_a_match_may_match(pattern: str, path: str) -> None:
    if PathPattern(pattern).matcher()(path):
        for end in range(1, path.count("/") + 1):
            assert PathPattern(pattern).may_match_in("/".join(path.split("/")[:end]))


def test_the_targets_of_links_are_looked_at(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.csv").symlink_to("none")
    looked: list[str] = []
    assert find_files("*.csv", str(tmp_path), look=looked.append) == ["a.csv"]
    assert find_files("*/*.csv", str(tmp_path), look=looked.append) == []
    assert looked == [str(tmp_path), str(tmp_path / "a.csv")] * 2


def test_directories_are_found(root: pathlib.Path) -> None:
    assert list(find_directories("", str(root))) == [""]
    assert sorted(find_directories("**", str(root))) == ["", "d/", "d/e/", "f/", "g/"]
    assert sorted(find_directories("*", str(root))) == ["d/", "f/", "g/", "loop/"]
    assert list(find_directories("d/e", str(root))) == ["d/e/"]
    assert find_files("*", str(root / "none")) == []


def test_a_star_in_brackets_is_a_star() -> None:
    assert not is_pattern("a[*].txt")
    assert not is_pattern("a[1]?.txt")
    assert literal("a[*].txt") == "a*.txt"
    assert literal("a[*]*") == "a[*]*"
    assert Dep("*.txt", Text(), lazy=True).loads_files("*.txt")


def stage(name: str, deps: list[ArtifactPath], *outs: OutSpec) -> StageSpec:
    return StageSpec(name, "p", "", Location("pipeline.py", 1), tuple(deps), outs)


def out(path: str, *, directory: bool = False) -> OutSpec:
    return OutSpec(ArtifactPath(path), directory=directory)


def test_outs_that_match_are_upstream() -> None:
    pattern = PathPattern("parts/*/x.csv")
    graph = Graph.build(
        [
            stage("reader", [pattern]),
            stage("a", [], out("parts/a/x.csv")),
            stage("b", [], out("parts/b", directory=True)),
            stage("c", [], out("parts/c")),
            stage("d", [], out("other/x.csv"), out("parts.csv", directory=True)),
            stage("e", [], out("parts/e/f", directory=True)),
        ]
    )
    assert graph.upstream["p.reader"] == graph.writers(pattern) == {"p.a", "p.b"}
    assert [each.path for each in graph.matching(pattern)] == ["parts/a/x.csv", "parts/b"]
    assert graph.select(["p.a"]).writers(pattern) == {"p.a"}
    with pytest.raises(GraphError, match="cycle") as refused:
        Graph.build([stage("loop", [PathPattern("*.csv")], out("a.csv"))])
    assert "'loop' reads '*.csv', written by 'loop'" in str(refused.value.hint)


def test_patterns_are_relative_to_the_pipeline() -> None:
    pipeline = Pipeline("p")
    deps = {"parts": "parts/*.csv", "all": "/p/[*]*/**", "one": "[*]"}
    made = command("cat ${deps.parts} ${deps.one}", deps=deps, outs=["o"])
    pipeline.register(made, name="join")
    (spec,) = pipeline.specs(base="sub[1]", root="/p")
    assert spec.deps == ("[*]*/**", "sub[1]/*", "sub[[]1]/parts/*.csv")
    assert [type(dep) for dep in spec.deps] == [PathPattern, ArtifactPath, PathPattern]
    assert PathPattern("sub/[ab]*/x").base == "sub"
    assert PathPattern("**/x").base == "."
    assert fill_in(made.text, made.deps, made.outs) == "cat 'parts/*.csv' '*'"
    pipeline.register(command("x", deps=["../../*"], outs=["y"]), name="outside")
    with pytest.raises(StageError, match="outside the project"):
        pipeline.specs(base="sub", root="/p")
    with pytest.raises(PathError):
        PathPattern.resolve("*/../../x*", root="/p")


def test_pipelines_that_may_write_a_match_are_found(root: pathlib.Path) -> None:
    for directory in ("d", "d/e", "f"):
        (root / directory / "pipeline.py").write_text("")
    (root / "pipeline.py").write_text("")
    found = [os.path.relpath(file, root) for file in pipelines_above(PathPattern("*/a.csv"), root)]
    assert sorted(found) == ["d/pipeline.py", "f/pipeline.py", "loop/pipeline.py", "pipeline.py"]
    assert list(directories_above("d/e", root)) == ["d/e", "d", ""]
    assert sorted(directories_above(PathPattern("d/**"), root)) == ["", "d", "d/e"]


def test_a_pattern_is_a_dep_and_no_out() -> None:
    assert not Out("*.csv", Text()).directory
