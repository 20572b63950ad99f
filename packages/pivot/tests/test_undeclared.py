"""A stage that uses undeclared files: reported with the line to add, refused where that is configured."""

from collections.abc import Callable

from harness import Project

PIPELINE = """\
import pathlib
from typing import Annotated, TypedDict

import pivot
from pivot.loaders import PathOnly, Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def first() -> Annotated[str, pivot.Out("first.txt", Text())]:
    return "first"


class Outs(TypedDict):
    second: Annotated[str, pivot.Out("second.txt", Text())]


@pipeline.register
def second(
    text: Annotated[str, pivot.Dep("in.txt", Text())],
) -> Outs:
    third = pathlib.Path("lookup.csv").read_text()
    log = pathlib.Path("run.log")
    log.write_text("done")
    pathlib.Path("scratch.tmp").write_text("x")
    return Outs(second=text + third)
"""

LOOKUP = 'lookup: Annotated[pathlib.Path, pivot.Dep("lookup.csv", pivot.loaders.PathOnly())]'
RUN = 'run: Annotated[pathlib.Path, pivot.Out("run.log", pivot.loaders.PathOnly())]'


def test_the_lines_that_are_proposed_are_all_that_is_missing(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    project.write("in.txt", "a")
    project.write("lookup.csv", "b")
    project.write(".pivotignore", "*.tmp\n")

    told = project.pivot("repro").stderr
    assert f"  reads lookup.csv\n    add: {LOOKUP}\n" in told
    assert f"  writes run.log\n    add: {RUN}\n" in told
    assert "scratch.tmp" not in told
    assert project.read("second.txt") == "ab"

    strict = {"PIVOT_STRICT_IO_LEVEL": "error"}
    before = project.lock("p.second")
    project.write("in.txt", "changed")
    refused = project.pivot("repro", env=strict, code=1)
    assert "stage 'second' failed: it uses files that it does not declare" in refused.stderr
    assert LOOKUP in refused.stderr
    assert project.lock("p.second") == before
    assert project.read("second.txt") == "ab"  # as if it had not run

    project.replace("pipeline.py", ") -> Outs:", f"    {LOOKUP},\n) -> Outs:")
    project.replace("pipeline.py", "class Outs(TypedDict):\n", f"class Outs(TypedDict):\n    {RUN}\n")
    project.replace("pipeline.py", "return Outs(", "return Outs(run=log, ")
    assert "declare" not in project.pivot("repro", env=strict).stderr
    project.write("lookup.csv", "c")
    assert project.states() == {"first": "cached", "second": "stale"}


def test_the_out_of_another_stage(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE.replace("lookup.csv", "first.txt"))
    project.write("in.txt", "a")
    project.pivot("config", "set", "strict_io.ignore", "run.log, *.tmp")

    told = project.pivot("repro", "-j", "1").stderr
    assert "  reads first.txt, which 'first' writes\n" in told
    assert "run.log" not in told
    assert "declare" not in project.pivot("repro", "-f", "-j1", env={"PIVOT_STRICT_IO_LEVEL": "off"}).stderr


def test_tracing_requires_strace(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    done = project.pivot("run", "first", "--trace-io", env={"PATH": "/nonexistent"}, code=2)

    assert done.stderr.startswith("error: strace, which --trace-io needs, is not on the PATH\nhint: install it")
    assert not (project.root / "first.txt").exists()
