"""The shipped examples run as the README says."""

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
    assert "uv run --directory examples/quickstart pivot repro\n" in (ROOT / "README.md").read_text()
