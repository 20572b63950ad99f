"""Outs that persist, outs that are removed once they are used, and outs that are checked."""

import shutil
from collections.abc import Callable

from harness import Project

PIPELINE = """\
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import JSON, PathOnly, Text

pipeline = pivot.Pipeline("p")


def few(rows: list[dict[str, int]]) -> bool:
    return len(rows) < 3


@pipeline.register
def rows(
    text: Annotated[str, pivot.Dep("in.txt", Text())],
) -> Annotated[list[dict[str, int]], pivot.Out("rows.json", JSON(), check=few)]:
    return [{"n": int(number)} for number in text.split()]


@pipeline.register
def table(
    rows: Annotated[list[dict[str, int]], pivot.Dep("rows.json", JSON())],
) -> Annotated[pathlib.Path, pivot.Out("table.json", check=pivot.checks.schema({"n": "int"}))]:
    path = pathlib.Path("table.json")
    path.write_text(pathlib.Path("rows.json").read_text())
    return path


@pipeline.register
def visits(
    table: Annotated[str, pivot.Dep("table.json", Text())],
    seen: Annotated[dict[str, str] | None, pivot.Out("seen/", Text(), persist=True)],
) -> Annotated[dict[str, str], pivot.Out("seen/", Text(), persist=True, check=pivot.checks.not_empty)]:
    return {**(seen or {}), f"{len(seen or {})}.txt": table}
"""


def test_a_failed_check_is_a_failed_stage(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    project.write("in.txt", "1 2")
    project.pivot("repro")
    before = project.read("rows.json")

    project.write("in.txt", "1 2 3")
    told = project.pivot("repro", code=1).stderr
    assert "error: stage 'rows' failed: the check few of 'rows.json' failed" in told
    assert "check few of 'rows.json' failed" in project.pivot("logs", "rows").stdout
    assert project.read("rows.json") == before  # as after any failure

    project.replace("pipeline.py", "< 3", "< 4")  # its code is code of the stage
    project.pivot("repro")
    project.replace("pipeline.py", '{"n": "int"}', '{"n": "str", "m": None}')
    told = project.pivot("repro", code=1).stderr
    assert "there is no column 'm'; column 'n' is int, not str" in told
    assert "check Schema of 'table.json' failed: there is no column" in project.pivot("logs", "table").stdout


def test_outs_that_persist_are_gone_on_from(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    for text in ("1", "2"):
        project.write("in.txt", text)
        project.pivot("repro")
    assert sorted(file.name for file in (project.root / "seen").iterdir()) == ["0.txt", "1.txt"]
    assert '"incremental":true' in project.read(".pivot/stages/p.visits.lock").replace(" ", "")

    (project.root / "pipeline.py").unlink()
    outs = "[{path: log.txt, persist: true}, {path: unused, temp: true}]"
    command = "cat in.txt >> log.txt; touch unused"
    text = f"pipeline: y\nstages:\n  a:\n    cmd: {command}\n    deps: [in.txt]\n    outs: {outs}\n"
    project.write("pivot.yaml", text)
    for text in ("3", "4"):
        project.write("in.txt", text)
        project.pivot("repro")
    assert project.read("log.txt") == "34"
    project.replace("pivot.yaml", "persist: true", "persist: true, cache: false")
    project.write("log.txt", "from git: ")
    project.pivot("repro")
    assert project.read("log.txt") == "from git: 4"
    project.replace("pivot.yaml", "touch unused", "rm unused")
    project.pivot("repro", code=1)
    assert project.read("log.txt") == "from git: 4"


TEMPORARY = """\
from typing import Annotated, TypedDict

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


class Made(TypedDict):
    big: Annotated[str, pivot.Out("tmp/big.txt", Text(), temp=True)]
    parts: Annotated[dict[str, str], pivot.Out("parts/", Text(), temp=True)]


@pipeline.register
def make(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Made:
    with open("runs.log", "a") as file:
        file.write("m")
    return Made(big=text, parts={"a/b.txt": text})


@pipeline.register
def one(big: Annotated[str, pivot.Dep("tmp/big.txt", Text())]) -> Annotated[str, pivot.Out("one.txt", Text())]:
    return big + "1"


@pipeline.register
def two(
    tmp: Annotated[dict[str, str], pivot.Dep("tmp/", Text())],
    inside: Annotated[str, pivot.Dep("parts/a/b.txt", Text())],
    every: Annotated[dict[str, str], pivot.Dep("parts/**/*.txt", Text())],
) -> Annotated[str, pivot.Out("two.txt", Text())]:
    return f"{tmp} {inside} {every}"
"""


def test_temporary_outs_are_there_only_while_they_are_needed(make: Callable[[str], Project]) -> None:
    project = make(TEMPORARY)
    project.write("in.txt", "x")
    big, parts = project.root / "tmp/big.txt", project.root / "parts"
    cached = {"make": "cached", "one": "cached", "two": "cached"}
    project.pivot("repro")
    assert not big.exists()
    assert not parts.exists()
    assert project.read("two.txt") == "{'big.txt': 'x'} x {'parts/a/b.txt': 'x'}"
    assert project.lock("p.make")["outs"]["tmp/big.txt"]["temp"] is True
    for _ in range(2):  # the second answer is a kept one
        assert project.states() == cached
        assert "Everything is up to date" in project.pivot("repro").stdout
    assert "  writes  parts  (temporary)\n" in project.pivot("list", "make").stdout
    project.pivot("verify")
    project.pivot("verify", "--rerun", "two")
    project.pivot("checkout")
    assert not big.exists()

    # A stage that must run gets them from the cache; they stay while other readers are not known to be up to date.
    project.replace("pipeline.py", 'big + "1"', 'big + "2"')
    project.replace("pipeline.py", '"{tmp} ', '"{dict(tmp)} ')
    project.pivot("repro", "one")
    assert project.read("one.txt") == "x2"
    assert big.read_text() == "x"
    project.pivot("repro")
    assert not big.exists()
    assert not parts.exists()
    project.pivot("checkout", "tmp/big.txt")
    assert big.exists()
    assert project.read("runs.log") == "m"

    # They replace no file of the user's.
    shutil.rmtree(project.root / "tmp")
    project.write("tmp", "mine")
    project.replace("pipeline.py", 'big + "2"', 'big + "3"')
    assert "hint: move it away, as in 'mv tmp tmp.mine'" in project.pivot("repro", code=1).stderr
    assert project.read("tmp") == "mine"
    (project.root / "tmp").unlink()
    project.pivot("repro")

    # A run makes again the content that the cache has lost.
    big.write_text("mine")
    project.pivot("repro", code=None)
    project.pivot("repro")
    assert not big.exists()
    shutil.rmtree(project.root / ".pivot/cache/files")
    assert project.states()["make"] == "stale"
    project.pivot("repro")
    assert project.read("runs.log") == "mm"
    assert project.states() == cached

    project.replace("pipeline.py", '"parts/", Text(), temp=True)', '"parts/", Text(), cache=False, temp=True)')
    assert "temp=True, cache=False): it is restored from the cache" in project.pivot("status", code=2).stderr
