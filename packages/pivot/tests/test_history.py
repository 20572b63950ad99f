"""The history through the executable: a failure, a success, a kill."""

import json
import os
import signal
from collections.abc import Callable

from harness import Project

PIPELINE = """\
import os
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def first(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Annotated[str, pivot.Out("first.txt", Text())]:
    if text == "wait":
        with open("go") as go:
            go.read()
    if text == "bad":
        raise ValueError("no good")
    return text


@pipeline.register
def second(text: Annotated[str, pivot.Dep("first.txt", Text())]) -> Annotated[str, pivot.Out("second.txt", Text())]:
    return text
"""


def test_recorded_runs(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    project.write("in.txt", "good")
    streamed = project.pivot("repro", "--jsonl", "--quiet")
    assert streamed.stderr == ""
    every = [json.loads(line) for line in streamed.stdout.splitlines()]
    lines = [line for line in every if line["event"] != "import_slow"]  # only where that takes long
    assert [line["event"] for line in lines] == [
        "began",
        "run_started",
        "stage_started",
        "stage_ran",
        "stage_started",
        "stage_ran",
        "run_ended",
    ]
    project.pivot("repro")  # nothing to do: not recorded
    project.write("in.txt", "bad")
    failed = project.pivot("repro", "-q", *["fir*", "second"] * 10, code=1)
    assert failed.stdout == ""
    assert "stage 'first' failed: ValueError: no good" in failed.stderr

    os.mkfifo(project.root / "go")
    project.write("in.txt", "wait")
    process = project.start("run", "first", "--jsonl")
    assert process.stdout is not None
    while json.loads(process.stdout.readline())["event"] != "stage_started":
        pass
    listed = project.json("history", "--json")["runs"]
    assert [(run["run"], run["state"]) for run in listed] == [(3, "running"), (2, "not done"), (1, "done")]
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert "died: 1 interrupted  pivot run first\n" in project.pivot("history", "-n", "1").stdout
    shown = project.pivot("show", "2").stdout
    assert "FAILED       first " in shown
    assert shown.startswith("Run 2: pivot repro 'fir*' second 'fir*' second ")
    assert len(shown.partition(", ")[0]) == len("Run 2: ") + 100
    assert "BLOCKED      second" in shown
    (stage, _) = project.json("show", "1", "--json")["stages"]
    assert (stage["name"], stage["state"], stage["reasons"]) == ("first", "ran", ["No previous run"])
    assert stage["memory"] > 1_000_000
    assert project.pivot("show", "1", "--format", "html").stdout.startswith("<!doctype html>")
    assert len(project.json("show", "1", "--format", "chrome-trace")["traceEvents"]) == 3
    assert "kept runs: 1 to 3" in project.pivot("show", "9", code=2).stderr
