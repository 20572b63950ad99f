"""`list`, `dag`, `run`, targets and completion through the executable."""

import json
import os
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
        "file_params": {},
        "outs": [{"path": "out/b.txt", "cache": True}],
        "upstream": ["p.a"],
        "file": "pipeline.py",
        "line": 10,
        "desc": "",
        "after": [],
        "frozen": False,
        "always": False,
        "ttl": None,
        "priority": 0,
        "executor": None,
        "resources": {},
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


def printed(project: Project, *command: str) -> list[str]:
    """Return the words that a shell prints in the project, with `pivot` on its path."""
    path = os.pathsep.join([str(PIVOT.parent), os.environ["PATH"]])
    done = subprocess.run(command, cwd=project.root, env={"PATH": path}, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_completion_scripts(project: Project) -> None:
    project.pivot("list")
    script = project.pivot("completion", "bash").stdout
    ask = "compopt() { :; }; COMP_WORDS=(pivot repro tr); COMP_CWORD=2; _pivot_completion pivot; echo ${COMPREPLY[*]}"
    assert printed(project, "bash", "-c", f"{script}\n{ask}") == ["train@large", "train@small"]
    for shell in ("zsh", "fish"):
        assert "_PIVOT_COMPLETE" in project.inside("completion", shell)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_lists_stages_beside_files_before_a_letter_is_typed(project: Project) -> None:
    project.pivot("list")
    stubs = "compdef() { : }\n_path_files() { print files }\ncompadd() { print $completions }"
    ask = "words=(pivot repro ''); CURRENT=3; _pivot_completion"
    files, *stages = printed(project, "zsh", "-fc", f"{stubs}\n{project.pivot('completion', 'zsh').stdout}\n{ask}")

    assert files == "files"
    assert {"a", "b", "train@large", "train@small"} <= set(stages)


ORDERED = """\
pipeline: p
stages:
  load: {cmd: echo loaded > load.txt, outs: [load.txt], after: [start], desc: Load   the rows.}
  start: {cmd: echo > /dev/null, outs: [{path: started, cache: false}]}
"""


def test_stages_run_after_others_whose_outs_they_do_not_read(make: Callable[[str], Project]) -> None:
    project = make("")
    (project.root / "pipeline.py").unlink()
    project.write("pivot.yaml", ORDERED.replace("echo > /dev/null", "test ! -e stop; sleep 0; echo > started"))
    listed = project.pivot("list").stdout
    assert listed.startswith("p.start  pivot.yaml:4\n  writes  started\n")
    assert listed.endswith("p.load  pivot.yaml:3\n  about   Load the rows.\n  writes  load.txt\n  after   start\n")
    assert project.pivot("dag").stdout == "load ← start\n"
    assert "n0 -.-> n1" in project.pivot("dag", "--format", "mermaid").stdout
    assert '"p.start" -> "p.load" [style=dashed];' in project.pivot("dag", "--format", "dot").stdout
    drawn = json.loads(project.pivot("dag", "--format", "json", "--stages", "--artifacts").stdout)
    assert {"from": "stage:p.start", "to": "stage:p.load", "order_only": True} in drawn["edges"]
    assert [each.get("desc") for each in drawn["nodes"] if each["kind"] == "stage"] == [None, "Load the rows."]
    assert '["about","Load the rows."]' in project.pivot("dag", "--format", "html").stdout
    assert "Stage: load\n  About: Load the rows.\n  Status: WILL RUN\n" in project.pivot("status", "-v").stdout

    assert ran(project, "repro", "load") == ["start", "load"]
    project.replace("pivot.yaml", "sleep 0; ", "")
    assert ran(project, "repro") == ["start"], "an order is no input"
    project.write("stop", "")
    project.replace("pivot.yaml", "; echo > started", " && echo > started")
    failed = project.pivot("repro", "--keep-going", code=1)
    assert "BLOCKED   load" in failed.stderr

    project.replace("pivot.yaml", "after: [start]", "after: [strat]")
    unknown = project.pivot("status", code=2).stderr
    assert "pivot.yaml:3: stage 'load': it runs after 'strat', but there is no such stage" in unknown
    assert "hint: did you mean start?" in unknown
    project.replace("pivot.yaml", "after: [strat]", "after: [start]")
    project.replace("pivot.yaml", "cmd: test", "after: [p.load], cmd: test")
    cycle = project.pivot("status", code=2).stderr
    assert "the stages form a cycle: 'load' (pivot.yaml:3) -> 'start' (pivot.yaml:4) -> 'load'" in cycle
    assert "'start' runs after 'load', as it declares" in cycle


def test_a_pipeline_without_stages(make: Callable[[str], Project]) -> None:
    project = make("import pivot\n\npipeline = pivot.Pipeline('p')\n")
    for command in ("list", "dag", "status", "repro"):
        done = project.pivot(command)
        assert "no stages are registered" in done.stdout.lower()
        assert "hint: describe them in a pipeline.py or a pivot.yaml" in done.stderr


def test_a_stage_may_run_after_one_of_another_pipeline(make: Callable[[str], Project]) -> None:
    project = make("")
    (project.root / "pipeline.py").unlink()
    project.write("a/pivot.yaml", "broken")
    project.write("b/pivot.yaml", "pipeline: b\nstages:\n  y: {cmd: echo > y.txt, outs: [y.txt], after: [a.x]}\n")
    assert "hint: a/pivot.yaml cannot be loaded: " in project.pivot("status", cwd="b", code=2).stderr
    project.write("a/pivot.yaml", "pipeline: a\nstages:\n  x@1: {cmd: echo 1 > 1.txt, outs: [1.txt]}\n")

    done = project.pivot("repro", cwd="b")
    assert [line.split()[1] for line in done.stderr.splitlines() if line.startswith("ran")] == ["x@1", "y"]
