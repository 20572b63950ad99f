"""Runs that record nothing, that go on after errors, and that set variables of `pivot.yaml`."""

from collections.abc import Callable

from harness import Project

PIPELINE = """\
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import PathOnly, Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def first(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Annotated[pathlib.Path, pivot.DirectoryOut("parts")]:
    path = pathlib.Path("parts")
    path.mkdir()
    (path / "1.txt").write_text(text.upper())
    if "fail" in text:
        raise ValueError(text)
    return path


@pipeline.register
def second(parts: Annotated[pathlib.Path, pivot.Dep("parts")]) -> Annotated[str, pivot.Out("out.txt", Text())]:
    return (parts / "1.txt").read_text() + "!"


@pipeline.register
def third(text: Annotated[str, pivot.Dep("out.txt", Text())]) -> Annotated[str, pivot.Out("last.txt", Text())]:
    return text * 2
"""


ALWAYS = "\n\npipeline.register(third, always=True)\n"


def test_a_run_that_is_not_committed(make: Callable[[str], Project]) -> None:
    """It stores and records nothing, status says so, and `pivot commit` records it as the run that it was."""
    project = make(PIPELINE)
    project.write("in.txt", "a")
    done = project.pivot("repro", "--no-commit")
    assert "3 ran" in done.stdout
    assert "hint: nothing was recorded: 'pivot commit' records" in done.stderr
    assert project.read("last.txt") == "A!A!"
    assert not list((project.root / ".pivot/stages").iterdir())
    assert project.json("cache", "status", "--json")["objects"] == 0
    assert set(project.states().values()) == {"stale"}
    assert "first, second, third ran with --no-commit, and nothing was recorded" in project.pivot("status").stdout

    events = project.pivot("repro", "--no-commit", "--jsonl", "first").stdout
    assert '"recorded": false' in events, "it runs again, and its own directory is no obstacle"
    assert project.pivot("commit").stdout == "Accepted first\nAccepted second\nAccepted third\n"
    assert project.pivot("status").stdout.endswith("3 stages, all cached\n")
    assert project.lock("p.first").keys() & {"accepted"} == set(), "it was a run"
    project.write("in.txt", "b")
    project.pivot("repro")
    project.write("in.txt", "a")
    assert "3 restored" in project.pivot("repro").stdout, "the run cache knows it"

    project.write("in.txt", "c")
    project.pivot("repro", "--no-commit")
    project.write("in.txt", "d")
    refused = project.pivot("commit", code=2).stderr
    assert "stage 'first' cannot be accepted: input data changed" in refused, "that is not what it read"
    assert "3 ran" in project.pivot("repro").stdout
    assert "--no-commit" not in project.pivot("status").stdout
    assert "exclude each other" in project.pivot("repro", "--no-commit", "--watch", code=2).stderr

    # A stage that always runs may have written what it wrote before.
    project.write("pipeline.py", PIPELINE.replace("@pipeline.register\ndef third", "def third") + ALWAYS)
    project.pivot("repro")
    project.pivot("repro", "--no-commit")
    assert "third ran with --no-commit, and nothing was recorded" in project.pivot("status").stdout
    assert "everything is up to date" in project.pivot("commit").stdout
    assert "--no-commit" not in project.pivot("status").stdout


def test_going_on_after_errors(make: Callable[[str], Project]) -> None:
    """The stages after a failed stage read the files that are there; the failed stage is never recorded."""
    project = make(PIPELINE)
    project.write("in.txt", "fail")
    assert "1 failed, 2 blocked" in project.pivot("repro", "--keep-going", code=1).stdout
    assert not (project.root / "parts").exists()

    done = project.pivot("repro", "--ignore-errors", code=1)
    assert done.stdout.startswith("Not done: 1 failed, 2 ran")
    assert project.read("last.txt") == "FAIL!FAIL!"
    assert project.states() == {"first": "stale", "second": "stale", "third": "stale"}
    assert not (project.root / ".pivot/stages/p.first.lock").exists()
    assert "1 failed, 2 cached" in project.pivot("repro", "-i", code=1).stdout, "the rest is as its inputs want it"

    project.replace("pipeline.py", "path.mkdir()", 'raise RuntimeError("early")')
    done = project.pivot("repro", "-i", code=1)
    assert "1 failed" in done.stdout
    assert project.read("parts/1.txt") == "FAIL", "if an out is missing, the previous ones are put back"


DECLARED = """\
pipeline: p
vars:
  word: hello
  size: {rows: 2}
  file: ${word}.txt
stages:
  write:
    cmd: printf ${params.text} > ${outs.out}
    params: {text: "${word}-${size.rows}"}
    outs: {out: "${file}"}
"""


def test_variables_on_the_command_line(make: Callable[[str], Project]) -> None:
    project = make("")
    (project.root / "pipeline.py").unlink()
    project.write("pivot.yaml", DECLARED)
    project.pivot("repro")
    assert project.read("hello.txt") == "hello-2"
    project.pivot("repro", "--var", "word=bye", "--var", "size.rows=3")
    assert project.read("bye.txt") == "bye-3"
    assert project.states("--var", "word=bye", "--var", "size.rows=3") == {"write": "cached"}
    assert project.states() == {"write": "stale"}
    done = project.pivot("repro", "--var", "wrod=x", code=2)
    assert "error: no pivot.yaml here has the variable 'wrod'\nhint: did you mean word?" in done.stderr
    assert "'size' has no item 'columns'" in project.pivot("repro", "--var", "size.columns=1", code=2).stderr
    assert "hint: write --var NAME=VALUE" in project.pivot("repro", "--var", "word", code=2).stderr


def test_a_pivot_yaml_that_is_not_yaml_is_the_error_also_with_variables(make: Callable[[str], Project]) -> None:
    project = make("""\
import pivot
pipeline = pivot.Pipeline("main")
pipeline.register(pivot.notebook("read.ipynb", deps=["sub/a.txt"], executed="b.ipynb"), name="read")
""")
    project.write("read.ipynb", '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    project.write("sub/pivot.yaml", DECLARED.replace("printf ", "echo so: "))
    problem = "sub/pivot.yaml:8: this is not YAML: mapping values are not allowed here"

    inside = project.pivot("repro", "write", "--var", "word=x", cwd="sub", code=2).stderr
    assert inside.startswith(f"error: {problem}\nhint: a text that contains ': ' must be quoted")
    above = project.pivot("repro", "p.write", "--var", "word=x", code=2).stderr
    assert "the variable 'word'" in above
    assert f"hint: sub/pivot.yaml cannot be loaded: {problem}" in above
