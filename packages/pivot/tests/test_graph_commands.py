"""`list`, `dag`, `run`, targets and completion through the executable."""

import json
import shutil
import subprocess
from collections.abc import Callable

import pytest
from harness import PIVOT, Project

PIPELINE = """\
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


def chain(name, before):
    def stage(x: Annotated[str, pivot.Dep(before, Text())]) -> Annotated[str, pivot.Out(f"out/{name}.txt", Text())]:
        return x + name

    pipeline.register(stage, name=name)


chain("a", "in.txt")
chain("b", "out/a.txt")
chain("train@small", "out/b.txt")
chain("train@large", "out/b.txt")
"""


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    project = make(PIPELINE)
    project.write("in.txt", "-")
    return project


def ran(project: Project, *arguments: str) -> list[str]:
    return [line.split()[1] for line in project.pivot(*arguments).stderr.splitlines() if line.startswith("ran")]


def test_list(project: Project) -> None:
    text = project.pivot("list", "b").stdout
    assert text == "p.b  pipeline.py:10\n  reads   out/a.txt\n  writes  out/b.txt\n"
    found = json.loads(project.pivot("list", "--json").stdout)["stages"]
    assert [each["name"] for each in found] == ["a", "b", "train@small", "train@large"]
    assert found[1] == {
        "name": "b",
        "address": "p.b",
        "deps": ["out/a.txt"],
        "uncounted": [],
        "outs": [{"path": "out/b.txt", "cache": True}],
        "upstream": ["p.a"],
        "file": "pipeline.py",
        "line": 10,
    }


def test_dag(project: Project) -> None:
    tree = "train@small ← b ← a\ntrain@large ← b (above)\n"
    assert project.pivot("dag").stdout == tree
    assert project.pivot("dag", "train@small").stdout == "train@small ← b ← a\n"
    assert project.pivot("dag", "b", "--artifacts").stdout == "out/b.txt ← out/a.txt ← in.txt\n"
    assert "out/b.txt ← b ← out/a.txt" in project.pivot("dag", "b", "--artifacts", "--stages").stdout
    assert project.pivot("dag", "--format", "mermaid").stdout.startswith("flowchart TD\n")
    assert project.pivot("dag", "--format", "dot").stdout.startswith("digraph {\n")
    assert len(json.loads(project.pivot("dag", "--format", "json").stdout)["edges"]) == 3
    project.pivot("repro", "b")
    page = project.pivot("dag", "--format", "html").stdout
    assert '"label":"b","kind":"stage","state":"cached"' in page
    assert '"label":"train@small","kind":"stage","state":"stale"' in page
    assert project.pivot("dag", "-o", "dag.html").stdout == "dag.html\n"
    assert project.read("dag.html") == page
    assert "are for pages" in project.pivot("dag", "-o", "dag.dot", "--format", "dot", code=2).stderr


def test_targets_are_the_same_everywhere(project: Project) -> None:
    assert ran(project, "repro", "-j1", "train@*") == ["a", "b", "train@small", "train@large"]
    project.write("in.txt", "+")
    assert sorted(ran(project, "repro", "-j1", "b+")) == ["a", "b", "train@large", "train@small"]
    names = [line.split()[0] for line in project.pivot("status", "+b", "--stages-only").stdout.splitlines()[:2]]
    assert names == ["a", "b"]
    shutil.rmtree(project.root / "out")
    assert project.pivot("checkout", "train@*").stdout == "Restored 2 file(s)\n"
    assert project.pivot("checkout", "+b").stdout == "Restored 2 file(s)\n"
    shutil.rmtree(project.root / "out")
    assert project.pivot("checkout", "b+").stdout == "Restored 3 file(s)\n"
    assert project.pivot("checkout", "out").stdout == "Restored 1 file(s)\n"


def test_run_runs_exactly_what_is_named(project: Project) -> None:
    project.pivot("repro")
    project.write("in.txt", "+")
    assert ran(project, "run", "b") == []
    assert ran(project, "run", "b", "--force") == ["b"]
    assert project.read("out/b.txt") == "-ab"
    assert ran(project, "run", "a") == ["a"]
    assert sorted(ran(project, "run", "-j1", "train@*", "b")) == ["b", "train@large", "train@small"]
    (project.root / "out/a.txt").unlink()
    assert "out/a.txt does not exist" in project.pivot("run", "--force", "b", code=1).stderr
    assert "Missing argument" in project.pivot("run", code=2).stderr


def completions(project: Project, words: str) -> list[str]:
    """The answers that bash gets."""
    done = subprocess.run(
        [PIVOT],
        cwd=project.root,
        env={"_PIVOT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_completion_imports_nothing_of_the_users(project: Project) -> None:
    assert "train@small" not in completions(project, "pivot repro tr")
    project.pivot("list")
    project.write("pipeline.py", "raise SystemExit('imported')\n")

    assert "repro" in completions(project, "pivot re")
    assert {"train@small", "train@large"} <= set(completions(project, "pivot repro tr"))
    assert "p.a" in completions(project, "pivot status p.")
    assert "--explain" in completions(project, "pivot status --e")
    assert "+b" in completions(project, "pivot repro +b")
    assert "mermaid" in completions(project, "pivot dag --format m")
    assert completions(project, "pivot config set cache.d") == ["cache.dir"]


def test_stages_are_completed_again_after_their_index_was_damaged(project: Project) -> None:
    project.pivot("list")
    project.write(".pivot/state.db/stages.json", '{"pipeline.py": ')
    assert "train@small" not in completions(project, "pivot repro tr")

    project.pivot("list")
    assert "train@small" in completions(project, "pivot repro tr")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(project: Project, shell: str) -> None:
    assert "_PIVOT_COMPLETE" in project.pivot("completion", shell).stdout
