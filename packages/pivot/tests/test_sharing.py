"""Stages that share something: of a group one runs at a time, of a resource no more is used than there is."""

from collections.abc import Callable

from harness import Project

PIPELINE = """\
import os
import pathlib
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("demo")


def use() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    os.mkdir("busy")
    for _ in range(200):
        os.listdir(".")
    os.rmdir("busy")
    return "done"


for number in range(6):
    pipeline.register(use, variant=str(number), outs={"return": f"{number}.txt"}, SHARED)
"""


def test_of_a_group_one_stage_runs_at_a_time(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE.replace("SHARED", 'mutex=["busy"]'))
    project.pivot("repro", "-j", "6")

    assert set(project.states().values()) == {"cached"}


def test_of_a_resource_there_is_one_unless_the_configuration_says_more(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE.replace("SHARED", 'resources={"room": 1}'))
    project.pivot("repro", "-j", "6")

    project.replace("pipeline.py", '{"room": 1}', '{"room": 2}')
    failed = project.pivot("repro", code=2)
    assert "pipeline.py:10: stage 'use@0': it needs 2 of the resource 'room', but only 1 is available" in failed.stderr
    assert "hint: pivot config set resources.room 2" in failed.stderr
    project.pivot("config", "set", "resources.room", "2")
    assert "Everything is up to date" in project.pivot("repro").stdout, "what it needs is no part of the result"
