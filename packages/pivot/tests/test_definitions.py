"""Wrong definitions: each is an error at load that names stage, file and line, with exit code 2."""

import itertools
from collections.abc import Callable

import pytest
from harness import Project

HEAD = """\
import pathlib
from typing import Annotated, TypedDict
import pivot
from pivot import Dep, Out
from pivot.loaders import JSON, Text
pipeline = pivot.Pipeline("p")
"""

STAGE = """\
def other() -> Annotated[str, Out("a.txt", Text())]:
    return ""
pipeline.register(other)
"""

WRONG = {
    "parameter": (
        "def stage(x) -> None: ...\npipeline.register(stage)\n",
        ["pipeline.py:7", "'stage'", "parameter 'x' has neither a Dep nor a default"],
    ),
    "partial": (
        (
            "class Outs(TypedDict):\n"
            "    a: Annotated[str, Out('a.txt', Text())]\n"
            "    b: str\n"
            "def stage() -> Outs: ...\n"
            "pipeline.register(stage)\n"
        ),
        ["pipeline.py:10", "'stage'", "Outs", "'b'"],
    ),
    "two outs": (
        f"{STAGE}def stage() -> Annotated[str, Out('./x/../a.txt', Text())]: ...\npipeline.register(stage)\n",
        ["two stages write 'a.txt'", "'other' (pipeline.py:7)", "'stage' (pipeline.py:10)"],
    ),
    "overlap": (
        f"{STAGE}def stage() -> Annotated[str, Out('a.txt/b', Text())]: ...\npipeline.register(stage)\n",
        ["overlap", "'other' (pipeline.py:7)", "'stage' (pipeline.py:10)"],
    ),
    "cycle": (
        (
            "def one(x: Annotated[str, Dep('b', Text())]) -> Annotated[str, Out('a', Text())]: ...\n"
            "def two(x: Annotated[str, Dep('a', Text())]) -> Annotated[str, Out('b', Text())]: ...\n"
            "pipeline.register(one)\npipeline.register(two)\n"
        ),
        ["cycle", "'one' (pipeline.py:7)", "'two' (pipeline.py:8)"],
    ),
    "outside": (
        "def stage() -> Annotated[str, Out('../a.txt', Text())]: ...\npipeline.register(stage)\n",
        ["pipeline.py:7", "'stage'", "'../a.txt' is outside the project"],
    ),
    "state": (
        "def stage() -> Annotated[str, Out('.pivot/a', Text())]: ...\npipeline.register(stage)\n",
        ["pipeline.py:7", "'stage'", "belongs to Pivot"],
    ),
    "its own source": (
        "def stage() -> Annotated[str, Out('pipeline.py', Text())]: ...\npipeline.register(stage)\n",
        ["pipeline.py:7", "'stage'", "is a source file of the pipeline"],
    ),
    "long name": (
        "def stage() -> None: ...\npipeline.register(stage, name='x' * 300)\n",
        ["pipeline.py:7", "cannot be the name of a stage"],
    ),
    "wrong path": ("x = Dep(3, Text())\n", ["pipeline.py:7: ", "must be a string or a Path"]),
    "same name": (
        f"{STAGE}pipeline.register(other)\n",
        ["pipeline.py:7", "'other'", "already has a stage of that name"],
    ),
    "no pipeline": ("del pipeline\n", ["pipeline.py defines no pipeline"]),
    "loader class": (
        "def stage() -> Annotated[str, Out('a', Text)]: ...\npipeline.register(stage)\n",
        ["pipeline.py:7: ", "Out('a')", "class Text"],
    ),
}


COMMANDS = (["repro"], ["status"], ["repro", "--dry-run"])
"""All load in the same way: each takes its turn."""


@pytest.mark.parametrize(
    ("wrong", "command"), list(zip(WRONG, itertools.cycle(COMMANDS), strict=False)), ids=list(WRONG)
)
def test_wrong_definitions(make: Callable[[str], Project], wrong: str, command: list[str]) -> None:
    body, expected = WRONG[wrong]
    project = make(HEAD + body)
    before = project.snapshot()

    done = project.pivot(*command, code=2)
    assert done.stdout == ""
    assert [text for text in expected if text not in done.stderr] == []
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert project.snapshot() == before


def test_a_pipeline_that_cannot_be_imported_shows_the_users_traceback(make: Callable[[str], Project]) -> None:
    project = make("import helpers\n")
    project.write("helpers.py", "def f():\n    return 1 / 0\n\n\nf()\n")
    done = project.pivot("repro", code=2)

    assert 'helpers.py", line 2, in f' in done.stderr
    assert "pivot_runtime" not in done.stderr
    assert "error: pipeline.py cannot be imported: ZeroDivisionError: division by zero" in done.stderr


def test_a_syntax_error_shows_the_line(make: Callable[[str], Project]) -> None:
    project = make("def broken(:\n")
    done = project.pivot("status", code=2)

    assert "def broken(:" in done.stderr
    assert "error: pipeline.py cannot be imported: SyntaxError" in done.stderr


def test_a_pipeline_that_exits_while_it_is_imported(make: Callable[[str], Project]) -> None:
    project = make("import sys\nsys.exit(0)\n")

    assert "SystemExit" in project.pivot("repro", code=2).stderr


def test_a_pipeline_that_kills_its_process(make: Callable[[str], Project]) -> None:
    project = make("import os\nos._exit(0)\n")
    done = project.pivot("repro", code=3)

    assert "ended unexpectedly" in done.stderr
    assert "hint: " in done.stderr
