"""Determinism, measured: the stages run once more in a copy, and the first difference is named."""

import os
from collections.abc import Callable

from harness import Project

PIPELINE = """\
import json
import os
import pathlib
import random
from typing import Annotated

import pivot
from pivot import Dep, DirectoryOut, Out
from pivot.loaders import JSON, Text

import helpers

pipeline = pivot.Pipeline("p")


@pipeline.register
def stable(text: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("out/stable.txt", Text())]:
    import late

    return helpers.loud(late.text(text))


@pipeline.register
def chance(text: Annotated[str, Dep("out/stable.txt", Text())]) -> Annotated[dict, Out("chance.json", JSON())]:
    return {"text": text, "rows": [1, random.SystemRandom().random()]}


@pipeline.register
def where(text: Annotated[str, Dep("out/stable.txt", Text())]) -> Annotated[dict, DirectoryOut("where", Text())]:
    return {"a.txt": "same", "b.txt": f"one\\n{os.getcwd()}\\n"}


@pipeline.register
def hidden(text: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("hidden.txt", Text())]:
    return pathlib.Path("hidden.csv").read_text()
"""


def test_differences_are_named_and_recorded(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    project.write("helpers.py", "def loud(text):\n    return text.upper()\n")
    project.write("late.py", "def text(text):\n    return text\n")
    project.write("in.txt", "hello")
    project.write("hidden.csv", "1,2\n")
    project.write(".pivot/state.db/rerun/999999999/in.txt", "of a killed process")
    project.pivot("repro", "-q")
    assert os.listdir(project.root / ".pivot/state.db/rerun") == []
    before = project.snapshot()

    told = project.pivot("verify", "--rerun", code=1)
    assert "\nsame     stable " in told.stdout
    assert " chance.json at $.rows[1]\n" in told.stdout
    assert " where/b.txt in line 2\n" in told.stdout
    assert "failed   hidden" in told.stdout
    assert "4 stages run once more, 3 with differences\n" in told.stdout
    assert project.snapshot() == before
    assert os.listdir(project.root / ".pivot/state.db/rerun") == []

    kept = project.json("verify", "--json")["stages"]
    assert {stage["name"]: stage["rerun"]["verdict"] for stage in kept} == {
        "stable": "same",
        "chance": "differs",
        "where": "differs",
        "hidden": "failed",
    }
    explained = project.pivot("status", "--explain", "stable").stdout
    assert "  Rerun: It wrote the same bytes when it ran once more (" in explained
    sample = project.pivot("verify", "--rerun", "10%").stdout  # the one whose turn was longest ago
    assert "\nsame     stable " in sample
    assert "1 stage run once more, no differences\n" in sample

    project.replace("helpers.py", "upper()", "lower()")
    project.pivot("repro", "-q", "stable")
    (stage,) = project.json("verify", "--json", "stable")["stages"]
    assert "rerun" not in stage
    assert "from 1% to 100%" in project.pivot("verify", "--rerun", "0%", code=2).stderr
