"""Results and parameters of the workspace and of git revisions, side by side."""

import json
import os
import subprocess
from collections.abc import Callable

import pytest
from harness import Project

PIPELINE = """\
from typing import Annotated, Any

import pivot
from pivot.loaders import JSON, Text

pipeline = pivot.Pipeline("p")


class Settings(pivot.StageParams):
    rate: float = 0.1
    token: Annotated[str, pivot.Secret] = "hunter2"


@pipeline.register
def train(
    scale: Annotated[float, pivot.Dep("scale.json", JSON())], params: Settings
) -> Annotated[dict[str, Any], pivot.Metric("metrics.json")]:
    return {"accuracy": scale * params.rate, "test": {"loss": 1.5, "nan": float("nan")}}


@pipeline.register
def score(
    scale: Annotated[float, pivot.Dep("scale.json", JSON())],
) -> Annotated[float, pivot.Metric("out/score.json", cache=True)]:
    return scale
"""


def git(project: Project, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main", *arguments],
        cwd=project.root,
        check=True,
        capture_output=True,
        text=True,
        env={key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    ).stdout


def commit(project: Project, message: str = "state") -> None:
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", message)


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    """A project in a repository, with one run in it."""
    project = make(PIPELINE)
    project.write("scale.json", "2")
    project.write(".gitignore", "/out/\n__pycache__\n")
    git(project, "init", "-q")
    project.pivot("repro")
    commit(project)
    return project


def test_metrics_of_the_workspace_and_of_revisions(project: Project) -> None:
    assert project.pivot("metrics", "show").stdout == (
        "PATH            NAME       workspace\n"
        "metrics.json    accuracy         0.2\n"
        "metrics.json    test.loss        1.5\n"
        "metrics.json    test.nan         nan\n"
        "out/score.json                     2\n"
    )
    assert project.pivot("metrics", "diff").stdout == "No metrics changed between HEAD and the workspace.\n"

    project.write("scale.json", "3")
    before = project.snapshot()
    done = project.pivot("metrics", "show", "-t", "score")
    assert done.stdout.endswith("out/score.json                2\n")
    assert "note: score is stale: its metrics are those of the last run\n" in done.stderr
    assert project.snapshot() == before

    project.pivot("repro")
    assert project.pivot("metrics", "diff").stdout == (
        "PATH            NAME      HEAD  workspace  CHANGE\n"
        "metrics.json    accuracy   0.2        0.3    +0.1\n"
        "out/score.json               2          3      +1\n"
    )
    commit(project)
    (project.root / "out/score.json").unlink()  # a revision needs no checkout, nor the workspace its files
    found = project.json("metrics", "diff", "HEAD~1", "HEAD", "--json", "--all", "-t", "metrics.json")
    assert (found["from"], found["to"], found["changed"], found["problems"]) == ("HEAD~1", "HEAD", True, [])
    (file,) = found["metrics"]
    assert (file["path"], file["stage"]) == ("metrics.json", "p.train")
    assert {each["name"]: (each["old"], each["new"]) for each in file["values"]} == {
        "accuracy": (0.2, pytest.approx(0.3)),
        "test.loss": (1.5, 1.5),
        "test.nan": ("NaN", "NaN"),
    }
    shown = project.json("metrics", "show", "HEAD~1", "HEAD", "--json", "-t", "out")
    assert [each["values"] for each in shown["metrics"]] == [{"HEAD~1": {"": 2}, "HEAD": {"": 3}}]
    below = project.json("metrics", "show", "HEAD", "--json", cwd="out")
    assert [each["path"] for each in below["metrics"]] == ["metrics.json", "out/score.json"]
    assert project.pivot("metrics", "diff", "HEAD~1", "--md", "--precision", "1", "-t", "train").stdout == (
        "| path | name | HEAD~1 | workspace | change |\n"
        "| --- | --- | ---: | ---: | ---: |\n"
        "| metrics.json | accuracy | 0.2 | 0.3 | +0.1 |\n"
    ).replace("HEAD~1", "HEAD\\~1")


def test_what_is_wrong_with_metrics_is_said(project: Project) -> None:
    project.write("metrics.json", '{"accuracy": 1}')
    done = project.pivot("metrics", "diff", "--json")
    assert "note: metrics.json is not what the last run wrote: it was edited since\n" in done.stderr
    assert [each["edited"] for each in json.loads(done.stdout)["metrics"]] == [True]

    project.write("metrics.json", "")
    done = project.pivot("metrics", "show", "-t", "metrics.json", code=1)
    assert done.stdout == "No metrics can be read.\n"
    assert done.stderr.endswith("error: metrics.json is empty\n")

    project.write("metrics.json", "a,b\n1,2\n")
    project.pivot("cache", "drop", "--force", "score")
    done = project.pivot("metrics", "diff", "HEAD", code=1)
    assert "error: metrics.json is not JSON: " in done.stderr
    assert "error: the cache does not have the recorded content of out/score.json (at HEAD)\n" in done.stderr
    assert "hint: --pull fetches it from the remote\n" in done.stderr
    assert "no remote is configured" in project.pivot("metrics", "show", "HEAD", "--pull", code=2).stderr

    done = project.pivot("metrics", "show", "mian", code=2)
    docs = "docs: pivot docs troubleshooting#revision\n"
    assert done.stderr == f"error: git knows no commit 'mian'\nhint: did you mean main?\n{docs}"
    done = project.pivot("metrics", "show", "score", code=2)
    assert done.stderr == f"error: git knows no commit 'score'\nhint: -t score selects a stage or path\n{docs}"
    assert project.pivot("params", "show", "-t", "score").stdout == "No params belong to score.\n"
    assert "at most 2 revisions" in project.pivot("metrics", "diff", "a", "b", "c", code=2).stderr
    assert "hint: did you mean train?" in project.pivot("metrics", "show", "-t", "trian", code=2).stderr

    git(project, "rm", "-q", "-r", "--cached", ".pivot/stages")
    git(project, "commit", "-q", "-m", "without locks")
    done = project.pivot("metrics", "show", "HEAD")
    assert done.stdout.startswith("No metrics are recorded")
    assert "note: no run is recorded at HEAD: there are no lock files\n" in done.stderr


def test_locks_of_runs_before_kinds_were_recorded_are_not_rewritten(project: Project) -> None:
    for name in ("train", "score"):
        project.replace(f".pivot/stages/p.{name}.lock", ',"kind":"metric"', "")
    locks = {name: project.read(f".pivot/stages/p.{name}.lock") for name in ("train", "score")}
    commit(project)
    assert len(project.json("metrics", "show", "--json")["metrics"]) == 2
    assert len(project.json("metrics", "show", "HEAD", "--json")["metrics"]) == 2
    assert "2 stages cached" in project.pivot("repro").stdout
    assert {name: project.read(f".pivot/stages/p.{name}.lock") for name in locks} == locks


def test_metrics_of_commands_are_what_the_commands_write(empty: Project) -> None:
    empty.pivot("init", "-q")
    empty.write("in.json", '{"accuracy": 0.5}')
    empty.write(
        "pivot.yaml",
        "pipeline: p\nstages:\n  copy:\n    cmd: cp in.json m.json\n    deps: [in.json]\n"
        "    outs: [{path: m.json, metric: true}]\n",
    )
    empty.pivot("repro", "-q")
    assert empty.pivot("metrics", "show").stdout.endswith("m.json  accuracy        0.5\n")
    assert empty.lock("p.copy")["outs"]["m.json"]["kind"] == "metric"


def test_stages_that_no_pipeline_has_any_more_do_not_count(empty: Project) -> None:
    project = empty
    project.pivot("init")
    template = """
pipeline: d
vars: [{sizes: [SIZES]}]
stages:
  fit:
    foreach: ${sizes}
    do:
      cmd: echo '{"a":1}' > m${item}.json; echo '[{"x":1}]' > p${item}.json
      params: {size: "${item}"}
      metrics: ["m${item}.json"]
      plots: ["p${item}.json"]
"""
    project.write("pivot.yaml", template.replace("SIZES", "1, 2"))
    project.pivot("repro")
    project.write("pivot.yaml", template.replace("SIZES", "1"))
    for _ in range(2):  # before and after the next run
        assert [each["path"] for each in project.json("metrics", "show", "--json")["metrics"]] == ["m1.json"]
        assert [each["path"] for each in project.json("plots", "show", "--json")["plots"]] == ["p1.json"]
        assert [each["stage"] for each in project.json("params", "show", "--json")["params"]] == ["fit@1"]
        project.pivot("repro")

    project.write("pivot.yaml", "stages: [")  # nothing is known of today
    assert len(project.json("metrics", "show", "--json")["metrics"]) == 2


def test_verify_adds_metrics_to_the_step_summary(project: Project) -> None:
    summary = project.root / "summary.md"
    variables = {"GITHUB_STEP_SUMMARY": str(summary)}
    project.pivot("verify", "--format", "github", "--metrics-since", "HEAD", "--static", env=variables)
    assert (
        "\n### pivot metrics\n\n| path | name | HEAD | workspace | change |\n| --- | --- | ---: | ---: | ---: |\n"
        "| metrics.json | accuracy | 0.2 | 0.2 |  |\n"
    ) in summary.read_text()
    summary.unlink()
    done = project.pivot("verify", "--format", "github", "--metrics", env=variables)
    assert "| metrics.json | accuracy | 0.2 |\n" in summary.read_text()
    assert done.stderr == ""
    done = project.pivot("verify", "--format", "github", "--metrics-since", "gone", env=variables)
    assert "warning: the metrics are left out: git knows no commit 'gone'" in done.stderr
    assert "go with --format github" in project.pivot("verify", "--metrics", code=2).stderr


def test_params_of_the_next_run_and_of_revisions(project: Project) -> None:
    assert project.pivot("params", "show").stdout == ("STAGE  NAME   workspace\ntrain  rate   0.1\ntrain  token  ***\n")
    project.write("params.yaml", "train:\n  rate: 0.25\n  token: other\n")
    done = project.pivot("params", "diff")
    assert done.stdout == (
        "STAGE  NAME   HEAD  workspace  CHANGE\ntrain  rate   0.1   0.25        +0.15\ntrain  token  ***   ***\n"
    )
    assert "note: the last run of 'train' had other values of rate, token\n" in done.stderr
    project.pivot("repro")
    commit(project)
    found = project.json("params", "diff", "HEAD~1", "HEAD", "--json", "-t", "metrics.json")
    assert found["params"] == [
        {
            "stage": "train",
            "values": [
                {"name": "rate", "old": 0.1, "new": 0.25, "changed": True, "change": 0.15},
                {"name": "token", "old": "***", "new": "***", "changed": True},
            ],
        }
    ]
    project.write("pipeline.py", PIPELINE + "\npipeline.register(train, name='new', outs={'return': 'new.json'})\n")
    new = project.json("params", "diff", "--json", "-t", "new")["params"][0]["values"]
    assert [each["name"] for each in new] == ["rate", "token"], "a stage that is new has no other parameters before"
    project.write("pipeline.py", "raise ValueError('no')\n")
    done = project.pivot("params", "show")
    assert "train  rate" in done.stdout
    assert "note: what the pipelines declare is unknown: " in done.stderr


def test_without_a_repository_only_the_workspace_is_shown(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    project.write("scale.json", "2")
    done = project.pivot("metrics", "show")
    assert done.stdout.startswith("No metrics are recorded")
    assert "note: no run is recorded in the workspace: there are no lock files\n" in done.stderr
    done = project.pivot("metrics", "diff", code=2)
    assert "is not in a git repository" in done.stderr
    git(project, "init", "-q")
    assert "error: there is no commit yet" in project.pivot("params", "diff", code=2).stderr


TABLES = """\
import pathlib
from typing import Annotated, Any, TypedDict

import pivot
from pivot.loaders import PathOnly, Text

pipeline = pivot.Pipeline("p")


class Outs(TypedDict):
    table: Annotated[pathlib.Path, pivot.Out("table.csv", PathOnly())]
    values: Annotated[pathlib.Path, pivot.Out("values.json", PathOnly())]
    text: Annotated[pathlib.Path, pivot.Out("text.txt", PathOnly(), cache=False)]
    parts: Annotated[pathlib.Path, pivot.DirectoryOut("parts", PathOnly())]
    raw: Annotated[pathlib.Path, pivot.Out("raw.bin", PathOnly())]


@pipeline.register
def write(given: Annotated[str, pivot.Dep("in.txt", Text())]) -> Outs:
    first = given == "1"
    paths = [pathlib.Path(name) for name in ("table.csv", "values.json", "text.txt", "parts", "raw.bin")]
    table, values, text, parts, raw = paths
    table.write_text("id,x,old\\n1,1,a\\n2,2,b\\n" if first else "id,x,new\\n0,0.5,c\\n1,1,a\\n2,3,b\\n")
    values.write_text('{"a": {"b": 1}}' if first else '{"a": {"b": 2}}')
    text.write_text("one\\ntwo\\n" if first else "one\\nthree\\n")
    (parts / "sub").mkdir(parents=True)
    (parts / "sub/same").write_text("same")
    (parts / "sub/file.csv").write_text(f"n\\n{given}\\n")
    (parts / ("old" if first else "new")).write_text("x")
    raw.write_bytes(b"\\0" + given.encode())
    return Outs(table=table, values=values, text=text, parts=parts, raw=raw)
"""


def test_outs_are_compared_by_their_formats(make: Callable[[str], Project]) -> None:
    project = make(TABLES)
    git(project, "init", "-q")
    project.write("in.txt", "1")
    project.pivot("repro")
    project.write("data.csv", "a\n1\n")
    project.pivot("track", "data.csv")
    commit(project)
    assert project.pivot("diff", "table.csv").stdout == "table.csv is the same at HEAD and in the workspace\n"
    project.write("in.txt", "2")
    project.pivot("repro")
    project.write("data.csv", "a\n1\n2\n")
    before = project.snapshot()

    assert project.pivot("diff", "table.csv", "--key", "id").stdout == (
        "table.csv: 2 rows at HEAD, 3 rows in the workspace: 1 added, 0 removed, 1 changed\n"
        "columns added: new\n"
        "columns removed: old\n"
        "column x: integer at HEAD, number in the workspace\n"
        "\n"
        "CHANGE   ID  COLUMN  HEAD  workspace\n"
        "added    0           -     id=0, x=0.5, new=c\n"
        "changed  2   x       2     3\n"
    )
    assert project.pivot("diff", "table.csv", "-n", "1", "--md").stdout.splitlines()[5:] == [
        "| change | row | column | HEAD | workspace |",
        "| --- | --- | --- | --- | --- |",
        "| changed | 1 | id | 1 | 0 |",
        "|  |  | x | 1 | 0.5 |",
        "",
        "… 2 more rows",
    ]
    found = project.json("diff", "table.csv", "HEAD", "--key", "id", "--json")
    assert (found["kind"], found["added"], found["changed"]) == ("table", 1, 1)
    assert found["examples"][1] == {"change": "changed", "key": {"id": 2}, "old": {"x": 2}, "new": {"x": 3}}
    assert "error: there is no column 'ix'" in project.pivot("diff", "table.csv", "-k", "ix", code=2).stderr

    assert project.pivot("diff", "values.json").stdout == (
        "values.json: 1 value changed\n\nNAME  HEAD  workspace  CHANGE\na.b   1     2          +1\n"
    )
    assert project.pivot("diff", "text.txt").stdout.splitlines() == [
        "text.txt: 1 line added, 1 removed",
        "",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+three",
    ]
    assert project.pivot("diff", "parts").stdout == (
        "parts: 3 files at HEAD: 1 added, 1 removed, 1 changed\n\n"
        "CHANGE   FILE\nadded    new\nremoved  old\nchanged  sub/file.csv\n"
    )
    assert project.pivot("diff", "parts/sub/file.csv").stdout.startswith(
        "parts/sub/file.csv: 1 row at HEAD, 1 row in the workspace: 0 added, 0 removed, 1 changed\n"
    )
    assert project.pivot("diff", "raw.bin").stdout.startswith("raw.bin: 2 B (")
    assert project.json("diff", "data.csv", "--json")["added"] == 1
    assert project.snapshot() == before

    assert "error: 'write' has several outs" in project.pivot("diff", "write", code=2).stderr
    assert "hint: did you mean table.csv?" in project.pivot("diff", "tabel.csv", code=2).stderr
    (project.root / "values.json").unlink()
    assert project.json("diff", "values.json", "--json")["values"] == [{"name": "a.b", "old": 1, "new": 2}]
    commit(project)
    project.pivot("cache", "drop", "--force", "write")
    done = project.pivot("diff", "table.csv", "HEAD~1", "HEAD", code=1)
    assert "error: the cache does not have the recorded content of table.csv\n" in done.stderr
