"""The shipped examples run as the README says."""

import functools
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
PIVOT = pathlib.Path(sys.executable).with_name("pivot")


def test_quickstart(tmp_path: pathlib.Path) -> None:
    ignored = shutil.ignore_patterns("cache", "state.db", "stages", "clean.json", "summary.json", "__pycache__")
    project = shutil.copytree(ROOT / "examples/quickstart", tmp_path / "quickstart", ignore=ignored)

    subprocess.run(["git", "init", "-q"], cwd=project, check=True)

    first = subprocess.run([PIVOT, "repro"], cwd=project, capture_output=True, text=True, check=True)
    assert "2 ran" in first.stdout
    assert [line.split()[0] for line in first.stderr.splitlines()] == ["ran", "ran"], "who begins reads no notes"
    assert json.loads((project / "summary.json").read_text()) == {"count": 2, "mean": 150, "min": 100, "max": 200}

    second = subprocess.run([PIVOT, "repro"], cwd=project, capture_output=True, text=True, check=True)
    assert "Everything is up to date: 2 stages cached" in second.stdout


def test_the_readme_runs_it() -> None:
    assert "uv run --package pivot --directory examples/quickstart pivot repro\n" in (ROOT / "README.md").read_text()


def test_a_project_of_a_data_scientist(tmp_path: pathlib.Path) -> None:
    """Tables, models and a plot, with the loaders of pivot-loaders; equal runs give equal files."""
    ignored = shutil.ignore_patterns(
        "cache", "state.db", "stages", "prepared", "fitted", "plots", "scores.json", "curves.json", "__pycache__"
    )
    project = shutil.copytree(ROOT / "examples/churn", tmp_path / "churn", ignore=ignored)
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    run = functools.partial(subprocess.run, cwd=project, capture_output=True, text=True)

    first = run([PIVOT, "repro"], check=True)
    assert "8 ran" in first.stdout
    assert "git" not in first.stderr, "all cached outs are in the shipped .gitignore"
    scores = json.loads((project / "scores.json").read_text())
    models = {name: each for name, each in scores.items() if name != "customers"}
    assert models.keys() == {"logistic", "forest", "neighbours"}
    assert all(0.6 < each["accuracy"] <= 1 and 0.6 < each["auc"] <= 1 for each in models.values())
    assert (project / "plots/roc.png").read_bytes().startswith(b"\x89PNG")

    shown = run([PIVOT, "metrics", "show"], check=True)
    assert "forest.accuracy" in shown.stdout
    run([PIVOT, "report", "-o", "report.html"], check=True)
    report = (project / "report.html").read_text()
    assert "neighbours" in report
    assert 'alt="plots/roc.png at workspace"' in report
    assert "<th>months</th>" in report, "the first rows of Parquet files"

    cells = [cell for cell in json.loads((project / "look.ipynb").read_text())["cells"] if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in cells] == [[], [], []]
    code = "\n".join([*(cell["source"] for cell in cells), "print(sorted(scores['forest']))"])
    looked = run([sys.executable, "-W", "error", "-c", code])
    assert (looked.stdout, looked.stderr) == ("['accuracy', 'auc']\n", "")

    swept = run([PIVOT, "repro", "-p", "train@forest.depth=2,4", "--compare"], check=True)
    assert "Done: 1 ran, 1 cached" in swept.stdout, "one combination is that of params.yaml"
    listed = run([PIVOT, "results", "--sort", "forest.accuracy"], check=True)
    assert "train@forest.depth" in listed.stdout.splitlines()[0]

    again = run([PIVOT, "status", "--quiet"])
    assert again.returncode == 0, again.stdout + again.stderr
