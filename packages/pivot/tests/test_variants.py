"""Families of stages, through the executable: one function registered several times, in loops, from other modules."""

import json
from collections.abc import Callable

from harness import Project

STEPS = """\
from typing import Annotated

import pivot


class Fit(pivot.StageParams):
    factor: float = 1.0


def fit(
    params: Fit, rows: Annotated[list, pivot.PlaceholderDep(pivot.loaders.JSON())]
) -> Annotated[list, pivot.Out("fitted.json", pivot.loaders.JSON(indent=None))]:
    return [params.factor * row for row in rows]
"""

PIPELINE = """\
import pivot
import steps


def made(name):
    pipeline = pivot.Pipeline(name, root="data")
    for size, factor in {"small": 2, "big": 10}.items():
        pipeline.register(
            steps.fit,
            variant=size,
            params={"factor": factor},
            deps={"rows": f"{size}.json"},
            outs={"return": f"{size}-fitted.json"},
        )
    return pipeline


pipeline = made("demo")
"""


def project_of(make: Callable[[str], Project]) -> Project:
    project = make(PIPELINE)
    project.write("steps.py", STEPS)
    project.write("data/small.json", "[1, 2]")
    project.write("data/big.json", "[3]")
    project.pivot("repro")
    return project


def test_each_variant_has_its_paths_params_and_lock(make: Callable[[str], Project]) -> None:
    project = project_of(make)

    assert json.loads(project.read("data/small-fitted.json")) == [2.0, 4.0]
    assert json.loads(project.read("data/big-fitted.json")) == [30.0]
    assert project.states() == {"fit@small": "cached", "fit@big": "cached"}
    assert list(project.lock("demo.fit@big")["deps"]) == ["data/big.json"]


def test_a_variant_is_changed_alone_and_the_family_by_its_name(make: Callable[[str], Project]) -> None:
    project = project_of(make)
    project.replace("pipeline.py", '"big": 10', '"big": 11')
    assert project.states() == {"fit@small": "cached", "fit@big": "stale"}
    project.write("params.yaml", "fit: {factor: 3}\nfit@big: {factor: 10}\n")
    assert project.states() == {"fit@small": "stale", "fit@big": "cached"}

    project.pivot("repro", "fit@small", "-p", "fit@small.factor=5")
    assert json.loads(project.read("data/small-fitted.json")) == [5.0, 10.0]
    project.pivot("repro", "-p", "fit.factor=7")
    assert json.loads(project.read("data/small-fitted.json")) == [7.0, 14.0]
    assert json.loads(project.read("data/big-fitted.json")) == [21.0]


def test_code_that_they_share_re_runs_them_all(make: Callable[[str], Project]) -> None:
    project = project_of(make)
    project.replace("steps.py", "params.factor * row", "params.factor + row")

    assert project.states() == {"fit@small": "stale", "fit@big": "stale"}


def test_a_path_that_is_not_given_is_asked_for(make: Callable[[str], Project]) -> None:
    project = project_of(make)
    project.replace("pipeline.py", '            deps={"rows": f"{size}.json"},\n', "")
    failed = project.pivot("status", code=2)

    assert "steps.py:10: stage 'fit@small': parameter 'rows' has a PlaceholderDep" in failed.stderr
    assert "register(func, deps={'rows'" in failed.stderr


def test_a_root_outside_the_project_is_refused(make: Callable[[str], Project]) -> None:
    project = project_of(make)
    project.replace("pipeline.py", 'root="data"', 'root="../data"')

    assert "its root '../data' is outside the project" in project.pivot("status", code=2).stderr
