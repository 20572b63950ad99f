"""`pivot plots` through the executable: series and images of the workspace and of revisions, on a page or as JSON."""

import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable

import pytest
from harness import Project
from test_comparing import commit, git

PIPELINE = """\
from typing import Annotated, Any, TypedDict

import pivot
from pivot.loaders import JSON, Text

pipeline = pivot.Pipeline("p")


class Outs(TypedDict):
    loss: Annotated[str, pivot.Plot("out/loss.csv", Text(), x="step", title="Loss")]
    classes: Annotated[list[Any], pivot.Plot("classes.json", JSON(), kind="confusion")]


@pipeline.register
def train(rate: Annotated[float, pivot.Dep("rate.json", JSON())]) -> Outs:
    rows = "".join(f"{step},{rate * step}\\n" for step in range(3))
    return {"loss": f"step,loss\\n{rows}", "classes": [{"predicted": "a", "actual": "b"}]}
"""


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    project = make(PIPELINE)
    project.write("rate.json", "0.5")
    project.write(".gitignore", "__pycache__\n")
    git(project, "init", "-q")
    project.pivot("repro")
    commit(project)
    project.write("rate.json", "2")
    project.pivot("repro")
    return project


def test_plots_of_revisions(project: Project, tmp_path: pathlib.Path) -> None:
    before = project.snapshot()
    shown = project.json("plots", "show", "--json")
    classes, loss = shown["plots"]
    assert (shown["revisions"], classes["path"], loss["path"]) == (["workspace"], "classes.json", "out/loss.csv")
    assert loss["spec"]["title"] == "Loss"
    assert [(value["x"], value["y"]) for value in loss["spec"]["data"]["values"]] == [(0, 0), (1, 2), (2, 4)]
    assert [(value["x"], value["y"], value["count"]) for value in classes["spec"]["data"]["values"]] == [("a", "b", 1)]

    (loss,) = project.json("plots", "diff", "-t", "loss.csv", "--json", cwd="out")["plots"]
    assert loss["path"] == "out/loss.csv"
    values = [(value["revision"], value["y"]) for value in loss["spec"]["data"]["values"]]
    assert values == [("HEAD", 0), ("HEAD", 0.5), ("HEAD", 1), ("workspace", 0), ("workspace", 2), ("workspace", 4)]
    assert project.json("plots", "show", "HEAD", "--json")["revisions"] == ["HEAD"]

    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    done = project.pivot("plots", "show", "--open", env={"BROWSER": f"{browser} %s"})
    page = pathlib.Path(done.stdout.removesuffix("\n"))
    assert (done.stderr, page) == ("", project.root / ".pivot/state.db/pages/plots.html")
    assert (tmp_path / "opened").read_text() == page.as_uri()
    assert page.read_text() == project.pivot("plots", "show", "-o", "-").stdout
    assert project.snapshot() == before

    for _ in range(2):  # a page may be written again, and nothing else
        assert project.pivot("plots", "diff", "HEAD", "-o", "plots.html").stdout == "plots.html\n"
    said = project.pivot("plots", "diff", "-o", "./rate.json", code=2).stderr
    assert said.startswith("error: ./rate.json is not a page of Pivot\n")
    assert project.read("rate.json") == "2"


REPORTED = """\
from typing import Annotated, Any

import pivot
from pivot.loaders import CSV, JSON, Text

pipeline = pivot.Pipeline("p")


class Settings(pivot.StageParams):
    rate: float = 0.5
    token: Annotated[str, pivot.Secret] = "hunter2"


@pipeline.register
def load(params: Settings) -> Annotated[str, pivot.Out("rows.csv", Text())]:
    return "name,value\\n" + "".join(f"<row {n}>,{n * params.rate}\\n" for n in range(9000))


@pipeline.register
def score(rows: Annotated[str, pivot.Dep("rows.csv", Text())]) -> Annotated[dict[str, Any], pivot.Metric("m.json")]:
    return {"last": float(rows.split(",")[-1])}


@pipeline.register
def draw(rows: Annotated[str, pivot.Dep("rows.csv", Text())]) -> Annotated[str, pivot.Plot("p.csv", Text(), y="value")]:
    return rows
"""


def test_a_report(make: Callable[[str], Project]) -> None:
    """It works without a history, compares revisions, and contains no secret."""
    project = make(REPORTED)
    counts = []
    for command in (["repro"], ["status"]):  # before any commit, and any run
        page = pathlib.Path(project.pivot("report").stdout.strip()).read_text()
        counts.append(page.count("<section id="))
        git(project, "init", "-q")
        project.pivot(*command)
    assert counts == [4, 8]
    commit(project)
    project.write("params.yaml", "load: {rate: 2}\n")
    project.pivot("repro", "-p", "load.token=hunter3")
    before = project.snapshot()
    assert project.pivot("report", "-o", "r.html").stdout == "r.html\n"
    assert project.snapshot() == {**before, "r.html": project.snapshot()["r.html"]}
    page = project.read("r.html")
    body = page[page.index("<body>") : page.index("<iframe")]
    parts = ["stages", "metrics", "plots", "parameters", "tables", "graph", "runs", "environment"]
    assert re.findall(r'<section id="(\w+)">', page) == parts
    assert '<td>m.json</td><td>last</td><td class="number">4499.5</td><td class="number">17998</td>' in body
    assert '<td>load</td><td>rate</td><td class="number">0.5</td><td class="number">2</td>' in body
    assert "<h3>rows.csv at HEAD</h3>" in body
    assert "<td>&lt;row 9&gt;</td>" in body
    assert "&lt;row 10&gt;" not in body
    assert "***" in body
    assert "hunter" not in page
    commit(project, "two")
    page = project.pivot("report", "--rev", "HEAD~1", "--rev", "HEAD", "-o", "-").stdout
    assert '<th class="number">HEAD~1</th><th class="number">HEAD</th><th class="number">change</th>' in page
    assert "git knows no commit 'nope'" in project.pivot("report", "--rev", "nope", code=2).stderr
    project.write("pipeline.py", "open('imports', 'a').write('!')\nraise SystemExit('broken')\n")
    done = project.pivot("report", "-o", "r.html", code=1)
    assert project.read("imports") == "!"
    assert "error: stages: pipeline.py cannot be imported: SystemExit: broken\n" in done.stderr
    assert "<td>m.json</td><td>last</td>" in project.read("r.html")


def test_the_display_of_a_plot_is_no_reason_to_run(project: Project) -> None:
    for old, new in ('title="Loss"', 'title="Losses", y_label="log"'), ('kind="confusion"', 'kind="bar", x="actual"'):
        project.replace("pipeline.py", old, new)
    assert project.states() == {"train": "cached"}
    assert project.json("plots", "show", "-t", "out/loss.csv", "--json")["plots"][0]["spec"]["title"] == "Losses"
    project.replace("pipeline.py", 'x="step"', 'x="stp"')
    done = project.pivot("plots", "show", code=1)
    assert "error: out/loss.csv has no column 'stp'\n" in done.stderr
    assert "error: out/loss.csv has no column 'stp'\n" in project.pivot("report", "-o", "r.html", code=1).stderr
    assert "hint: did you mean step?\n" in done.stderr
    assert "no column &#x27;stp&#x27;" in pathlib.Path(done.stdout.strip()).read_text()
    project.replace("pipeline.py", '"classes.json", JSON(), kind="bar"', '"classes.json", JSON(), kind="pie"')
    assert "there is no such kind" in project.pivot("status", code=2).stderr


def test_plots_of_pivot_yaml_and_what_is_missing(empty: Project) -> None:
    project = empty
    git(project, "init", "-q")
    project.pivot("init")
    note = "no plots are recorded: stages write them to pivot.Plot(...) outs"
    outs = [{"path": "loss.json", "plot": {"kind": "bar", "y": "b"}}, {"path": "figure.svg", "plot": True}, "rest"]
    stage = {"cmd": "echo '[{\"a\": 1, \"b\": 2}]' > loss.json; echo '<svg/>' > figure.svg; echo > rest", "outs": outs}
    project.write("pivot.yaml", json.dumps({"pipeline": "p", "stages": {"draw": stage}}))
    assert "no run is recorded in the workspace" in project.pivot("plots", "show").stderr
    project.pivot("repro")
    figure, loss = project.json("plots", "show", "--json")["plots"]
    assert figure["images"] == {"workspace": "data:image/svg+xml;base64,PHN2Zy8+Cg=="}
    assert (loss["spec"]["mark"]["type"], loss["spec"]["encoding"]["y"]["title"]) == ("bar", "b")
    assert note in project.pivot("plots", "show", "-t", "rest").stderr
    assert project.lock("p.draw")["outs"]["loss.json"]["kind"] == "plot"
    (project.root / "figure.svg").unlink()
    done = project.pivot("plots", "show", code=None)
    assert done.returncode == 0 or "figure.svg" in done.stderr


LIVE = """\
pipeline: p
stages:
  train:
    cmd: >-
      mkdir -p live/plots/more; cp score.json live/metrics.json; cp score.json live/plots/other.json;
      printf 'step,loss\\n0,1\\n' > live/plots/loss.csv; printf 'a,b\\n1,2\\n' > live/plots/more/b.csv;
      printf '<svg/>' > live/plots/more/c.svg; touch live/plots/log.txt
    deps: [score.json]
    outs:
    - live/:
        cache: false
metrics: [live/metrics.json]
plots:
- live/plots: {title: Live}
- live/plots/more/b.csv: {x: a}
"""


def test_metrics_and_plots_inside_directories(empty: Project, tmp_path: pathlib.Path) -> None:
    """Of the workspace and of revisions, in the cache or in git, and as no reason to run."""
    project = empty
    git(project, "init", "-q")
    project.pivot("init")
    project.write("score.json", '{"auc": 0.5}')
    project.write("pivot.yaml", LIVE.partition("metrics:")[0])
    project.pivot("repro")
    project.write("pivot.yaml", LIVE)
    assert project.states() == {"train": "cached"}
    commit(project)
    project.write("pivot.yaml", LIVE.replace("false", "true"))
    project.write("score.json", '{"auc": 0.7}')
    project.pivot("repro")
    git(project, "rm", "-rq", "--cached", "live")

    def diff() -> list[tuple[object, object]]:
        (found,) = project.json("metrics", "diff", "--json")["metrics"]
        assert (found["path"], found["stage"]) == ("live/metrics.json", "p.train")
        return [(each["old"], each["new"]) for each in found["values"]]

    def drawn(*arguments: str) -> dict[str, str | None]:
        found = project.json("plots", "show", "--json", *arguments)["plots"]
        return {each["path"]: (each["spec"] or {}).get("title") for each in found}

    plots = {
        "live/plots/loss.csv": "Live",
        "live/plots/more/b.csv": "live/plots/more/b.csv",
        "live/plots/more/c.svg": None,
    }
    assert (diff(), drawn(), drawn("HEAD")) == ([(0.5, 0.7)], plots, plots)
    assert drawn("-t", "live/plots/more").keys() == plots.keys() - {"live/plots/loss.csv"}
    assert "live/metrics.json" in project.pivot("metrics", "show", "-t", "train").stdout
    assert "0.7" in project.pivot("results").stdout
    assert "Live" in project.pivot("report", "-o", "-").stdout
    project.write("live/metrics.json", '{"auc": 0.9}')
    assert "live/metrics.json is not what the last run wrote" in project.pivot("metrics", "show").stderr

    project.pivot("remote", "add", "r", tmp_path.as_uri(), "--default")
    project.pivot("push")
    for name in ("live", ".pivot/cache"):
        shutil.rmtree(project.root / name)
    done = project.pivot("metrics", "diff", code=1)
    assert "workspace: the cache does not have the recorded content of live" in done.stderr
    assert "live" in project.pivot("plots", "show", code=1).stderr
    project.pivot("metrics", "diff", "--pull")
    assert diff() == [(0.5, 0.7)]
    project.write("pivot.yaml", LIVE.replace("pipeline: p", "pipeline: p\nvars: {x: 1}") + "# edited\n")
    assert drawn("--pull") == plots


def test_a_directory_whose_contents_are_unknown_matters_only_to_those_who_ask_for_it(empty: Project) -> None:
    """And results have the metrics in a directory that is for git."""
    project = empty
    git(project, "init", "-q")
    project.pivot("init")
    other = "  other:\n    cmd: echo [0.7] > x/m.yaml\n    outs: [{x/: {cache: false}}]\nmetrics: [x/m.yaml, "
    project.write("pivot.yaml", LIVE.replace("false", "true").replace("metrics: [", other))
    project.write("score.json", '{"auc": 0.5}')
    project.pivot("repro")
    assert "0.7" in project.pivot("results").stdout
    commit(project)
    digest = re.search(r'"live": .*"digest":"(..)(\w+)"', project.read(".pivot/stages/p.train.lock"))
    assert digest is not None
    (project.root / ".pivot/cache/files" / digest[1] / digest[2]).unlink()

    done = project.pivot("metrics", "show", "HEAD", "-t", "x")
    assert ("0.7" in done.stdout, done.stderr) == (True, "")
    assert "the cache" not in project.pivot("plots", "show", "HEAD", "-t", "other").stderr
    for command, inside in (("metrics", "live/metrics.json"), ("plots", "live/plots")):
        for target in ("live", inside):
            done = project.pivot(command, "show", "HEAD", "-t", target, code=1)
            assert "HEAD: the cache does not have the recorded content of live\nhint: --pull" in done.stderr
    assert "nothing recorded is named" in project.pivot("metrics", "show", "HEAD", "-t", "x/n.json", code=2).stderr


def test_metrics_inside_directories_of_a_file_with_functions_are_known_after_its_edit(empty: Project) -> None:
    project = empty
    project.pivot("init")
    project.write("score.json", '{"auc": 0.5}')
    project.write("steps.py", STEPS)
    function = "  f:\n    python: steps:f\n    outs: {return: f.json}\n"
    project.write("pivot.yaml", LIVE.replace("metrics:", f"{function}metrics:").replace("false", "true"))
    project.pivot("repro")
    project.replace("steps.py", "1", "2")
    assert "live/metrics.json" in project.pivot("metrics", "show").stdout


def test_an_out_that_was_a_file_before_it_was_a_directory_has_no_metrics_in_it(empty: Project) -> None:
    project = empty
    git(project, "init", "-q")
    project.pivot("init")
    project.write("pivot.yaml", "pipeline: p\nstages:\n  train: {cmd: echo x > live, outs: [live]}\n")
    project.pivot("repro")
    commit(project)
    (project.root / "live").unlink()
    project.write("score.json", '{"auc": 0.5}')
    project.write("pivot.yaml", LIVE.replace("false", "true"))

    assert project.json("metrics", "show", "--json")["metrics"] == []
    assert project.json("plots", "show", "--json")["plots"] == []
    project.pivot("repro")
    (found,) = project.json("metrics", "diff", "--pull", "--json")["metrics"]
    assert [(each.get("old"), each["new"]) for each in found["values"]] == [(None, 0.5)]
    assert project.json("plots", "diff", "--json")["plots"]


def test_a_directory_for_git_that_is_missing_or_cannot_be_read_says_so(empty: Project) -> None:
    project = empty
    project.pivot("init")
    project.write("score.json", '{"auc": 0.5}')
    project.write("pivot.yaml", LIVE)
    project.pivot("repro")
    shutil.rmtree(project.root / "live")
    told = project.pivot("metrics", "show", code=1).stderr
    assert "workspace: live is missing\nhint: 'pivot repro' writes it" in told
    (project.root / "live").mkdir()
    os.mkfifo(project.root / "live/pipe")
    done = project.pivot("metrics", "show", code=1)
    assert "No metrics can be read" in done.stdout
    assert "live/pipe: is a named pipe" in done.stderr


STEPS = """\
from typing import Annotated

import pivot
from pivot.loaders import JSON


def f() -> Annotated[int, pivot.Out("f.json", JSON())]:
    return 1
"""
