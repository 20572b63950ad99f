"""Runs of the history are revisions: their parameters, metrics and outs are compared by number, without git."""

from collections.abc import Callable

import pytest
from harness import Project

PIPELINE = """\
from typing import Annotated, Any, TypedDict

import pivot
from pivot.loaders import JSON, Text

pipeline = pivot.Pipeline("p")


class Settings(pivot.StageParams):
    rate: float = 0.1
    token: Annotated[str, pivot.Secret] = "hunter2"


class Outs(TypedDict):
    metrics: Annotated[dict[str, Any], pivot.Metric("metrics.json")]
    model: Annotated[str, pivot.Out("model.txt", Text())]
    plot: Annotated[str, pivot.Plot("plot.csv", Text())]


@pipeline.register
def train(scale: Annotated[float, pivot.Dep("scale.json", JSON())], params: Settings) -> Outs:
    if scale > 5:
        raise ValueError("too large")
    plot = f"step,loss\\n1,{scale}\\n2,{scale / 2}\\n"
    return {"metrics": {"accuracy": scale * params.rate}, "model": str(scale), "plot": plot}
"""


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    """A project without git, with two runs."""
    project = make(PIPELINE)
    project.write("scale.json", "2")
    project.pivot("repro")
    project.write("scale.json", "3")
    project.pivot("repro", "-p", "train.rate=0.2")
    return project


def test_two_runs_are_compared_without_git(project: Project) -> None:
    """Small outs that the cache does not store come from the results, and the workspace needs none of them."""
    (project.root / "metrics.json").unlink()
    found = project.json("metrics", "diff", "run:1", "run:2", "--json")
    assert (found["from"], found["to"], found["problems"]) == ("run:1", "run:2", [])
    ((change,),) = [each["values"] for each in found["metrics"]]
    assert (change["name"], change["old"], change["new"]) == ("accuracy", 0.2, pytest.approx(0.6))

    changed = project.json("params", "diff", "run:1", "run:2", "--json")["params"]
    ((rate,),) = [each["values"] for each in changed]
    assert (rate["name"], rate["old"], rate["new"]) == ("rate", 0.1, 0.2)
    assert "hunter2" not in project.pivot("params", "show", "run:1").stdout

    (plot,) = project.json("plots", "diff", "run:1", "run:2", "--json")["plots"]
    rows = plot["spec"]["data"]["values"]
    assert {row["revision"] for row in rows} == {"run:1", "run:2"}


def test_a_run_is_compared_with_the_workspace(project: Project) -> None:
    found = project.json("metrics", "diff", "run:1", "--json")
    ((change,),) = [each["values"] for each in found["metrics"]]
    assert (found["to"], change["new"]) == ("workspace", pytest.approx(0.6))


def test_a_run_without_a_result_says_why(project: Project) -> None:
    unknown = project.pivot("metrics", "show", "run:9", code=None)
    assert "error: there is no run 9\n" in unknown.stderr
    assert "hint: kept runs: 1 to 2" in unknown.stderr

    project.write("scale.json", "7")
    project.pivot("repro", code=None)
    failed = project.pivot("metrics", "show", "run:3", code=None)
    assert "error: run 3 left no result: it is not done\n" in failed.stderr

    project.write("scale.json", "3")
    project.pivot("repro", "--compare", "-p", "train.rate=0.3,0.4")
    several = project.pivot("params", "show", "run:4", code=None)
    assert "error: run 4 has a result for each combination\n" in several.stderr
    assert "'pivot results'" in several.stderr


def test_a_result_that_a_later_run_has_replaced_is_not_that_of_the_earlier_run(project: Project) -> None:
    project.write("scale.json", "2")
    project.pivot("repro")
    assert project.json("metrics", "show", "run:3", "--json")["metrics"]
    gone = project.pivot("metrics", "show", "run:1", code=None)
    assert "error: no result of run 1 is recorded\n" in gone.stderr
    assert "a later run with the same result replaces an earlier one" in gone.stderr


def test_an_out_of_two_runs_is_compared(project: Project) -> None:
    (project.root / "model.txt").unlink()
    found = project.pivot("diff", "model.txt", "run:1", "run:2").stdout
    assert "\n-2\n+3\n" in found
