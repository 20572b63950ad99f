"""Every step of the quick start, in order, as a reader would do it."""

import json
import subprocess

from harness import DATA, QUICK_START, Project

EDITED = '''\
    """Remove entries with missing values and add a 'processed' flag."""
    clean = [
        {**row, "processed": True}
        for row in raw["records"]
        if all(row.values())
    ]
'''
ORIGINAL = '''\
    """Remove entries with missing values."""
    clean = [row for row in raw["records"] if all(row.values())]
'''


def test_every_step_of_the_page(empty: Project) -> None:
    project = empty

    project.pivot("init")
    assert (project.root / ".pivot").is_dir()
    assert (project.root / ".pivotignore").is_file()

    project.write("pipeline.py", QUICK_START)
    project.write("data.json", DATA)
    first = project.pivot("repro")
    assert "2 ran" in first.stdout
    assert json.loads(project.read("clean.json")) == {
        "records": [{"name": "Alice", "value": 100}, {"name": "Bob", "value": 200}]
    }
    assert json.loads(project.read("summary.json")) == {"count": 2, "mean": 150, "min": 100, "max": 200}
    assert {file.name for file in (project.root / ".pivot/stages").iterdir()} == {
        "my_pipeline.preprocess.lock",
        "my_pipeline.summarize.lock",
    }

    before = project.snapshot()
    second = project.pivot("repro")
    assert "Everything is up to date: 2 stages cached" in second.stdout
    assert project.snapshot() == before

    project.replace("pipeline.py", ORIGINAL, EDITED)
    assert project.states() == {"preprocess": "stale", "summarize": "stale"}
    third = project.pivot("repro")
    assert "2 ran" in third.stdout
    assert json.loads(project.read("clean.json"))["records"][0] == {"name": "Alice", "value": 100, "processed": True}

    explained = project.pivot("status", "--explain").stdout
    assert explained == "Stage: preprocess\n  Status: CACHED\n\nStage: summarize\n  Status: CACHED\n"


def test_git_sees_lock_files_and_neither_cache_nor_state(quick: Project) -> None:
    quick.executable = False
    quick.pivot("repro")
    subprocess.run(["git", "init", "-q"], cwd=quick.root, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"],
        cwd=quick.root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()

    assert set(listed) == {
        ".pivot/.gitignore",
        ".pivot/stages/my_pipeline.preprocess.lock",
        ".pivot/stages/my_pipeline.summarize.lock",
        ".pivotignore",
        "clean.json",
        "data.json",
        "pipeline.py",
        "summary.json",
    }


HOME = """\
import json
import pathlib
from typing import Annotated, TypedDict

import pivot


def normalize(records):
    max_val = max(r["value"] for r in records)
    return [{"name": r["name"], "value": r["value"] / max_val} for r in records]


class ProcessOutputs(TypedDict):
    result: Annotated[list, pivot.Out("result.json", pivot.loaders.JSON())]


def process(
    raw: Annotated[dict, pivot.Dep("data.json", pivot.loaders.JSON())],
) -> ProcessOutputs:
    return ProcessOutputs(result=normalize(raw["records"]))  # ...and Pivot re-runs process


class TrainOutputs(TypedDict):
    model: Annotated[float, pivot.Out("model.json", pivot.loaders.JSON())]


def train(
    rows: Annotated[list, pivot.Dep("result.json", pivot.loaders.JSON())],
) -> TrainOutputs:
    return TrainOutputs(model=sum(row["value"] for row in rows))


pipeline = pivot.Pipeline("my_pipeline")
pipeline.register(process)
pipeline.register(train)
"""


def test_the_home_page(empty: Project) -> None:
    """An edited helper re-runs what calls it, a changed stage only itself; values are saved by their Writer."""
    empty.executable = False
    empty.pivot("init")
    empty.write("pipeline.py", HOME)
    empty.write("data.json", json.dumps({"records": [{"name": "a", "value": 2}, {"name": "b", "value": 4}]}))

    empty.pivot("repro")
    assert json.loads(empty.read("result.json")) == [{"name": "a", "value": 0.5}, {"name": "b", "value": 1.0}]
    assert empty.read("model.json") == "1.5\n"

    empty.replace("pipeline.py", 'r["value"] / max_val', 'r["value"] / max_val * 2')
    assert "2 ran" in empty.pivot("repro").stdout
    assert empty.read("model.json") == "3.0\n"

    empty.replace("pipeline.py", 'sum(row["value"] for row in rows)', 'sum(row["value"] for row in rows) + 1')
    assert "1 ran, 1 cached" in empty.pivot("repro").stdout
    assert empty.read("model.json") == "4.0\n"


def test_the_example_has_the_files_of_the_page_and_replaces_none(empty: Project) -> None:
    empty.executable = False
    made = empty.pivot("init", "--example")
    assert "  pipeline.py\n  data.json\n" in made.stdout
    assert "'pivot repro'" in made.stderr
    assert "'pivot status --explain'" in made.stderr
    assert empty.read("pipeline.py") == f"# pipeline.py\n{QUICK_START}"
    assert empty.read("data.json") == DATA
    assert "2 ran" in empty.pivot("repro").stdout

    before = empty.snapshot()
    assert "pipeline.py exists already" in empty.pivot("init", "--example", code=2).stderr
    assert empty.snapshot() == before
