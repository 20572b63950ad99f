"""The history through the executable: a failure, a success, a kill."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from harness import Project, environment

from pivot_cli import main

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


LATE = """
import time
end = time.monotonic() + 0.2
while time.monotonic() < end:
    pass
from pivot_cli.main import main
main()
"""
"""The executable, in a process that has existed for a while."""


def late(project: Project, *arguments: str) -> str:
    command = [sys.executable, "-c", LATE, *arguments]
    return subprocess.run(
        command, cwd=project.root, env=environment(), check=True, capture_output=True, text=True
    ).stdout


def seconds_in(text: str) -> float:
    (number, unit) = re.findall(r"([\d.]+)(ms|s)\b", text)[-1]
    return float(number) / (1000 if unit == "ms" else 1)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the system does not say when a process began")
def test_all_times_of_a_run_count_from_the_start_of_its_process(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    project.write("in.txt", "good")
    done = late(project, "repro")
    assert done.startswith("Done: 2 ran (")
    (run,) = project.json("history", "--json")["runs"]
    assert run["seconds"] >= 0.2
    took = re.findall(r"\((.*)\)", done)
    assert f"took {took[0]}\n" in project.pivot("show").stdout
    assert f"  {took[0]} " in project.pivot("history").stdout
    assert all(stage["began"] >= 0.2 for stage in run["stages"])

    for _ in range(2):  # the second answer is a kept one
        assert seconds_in(late(project, "repro")) >= 0.2


def test_a_process_that_was_another_program_before_began_when_python_did(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic_ns()
    monkeypatch.setattr(main, "_LONGEST_START_NS", 0)
    assert main._start_of_process(now) == now
    monkeypatch.setattr(main, "_LONGEST_START_NS", 10**18)
    assert (main._start_of_process(now) < now) == os.path.exists("/proc/self/stat")


def test_recorded_runs(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    project.write("in.txt", "good")
    streamed = project.pivot("repro", "--jsonl", "--quiet")
    assert streamed.stderr == ""
    every = [json.loads(line) for line in streamed.stdout.splitlines()]
    lines = [line for line in every if line["event"] != "import_slow"]  # only where that takes long
    assert [line["event"] for line in lines] == [
        "began",
        "pipeline_imported",
        "pipelines_loaded",
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

    assert "died: 1 interrupted  pivot run first --jsonl\n" in project.pivot("history", "-n", "1").stdout
    shown = project.pivot("show", "2").stdout
    assert "FAILED       first " in shown
    assert shown.startswith(f"Run 2: pivot repro -q{" 'fir*' second" * 10}, ")
    assert "BLOCKED      second" in shown
    (stage, _) = project.json("show", "1", "--json")["stages"]
    assert (stage["name"], stage["state"], stage["reasons"]) == ("first", "ran", ["No previous run"])
    assert stage["memory"] > 1_000_000
    page = project.pivot("show", "1", "--format", "html").stdout
    assert page.startswith("<!doctype html>")
    assert project.pivot("show", "1", "-o", "run.html").stdout == "run.html\n"
    assert project.read("run.html") == page
    assert "are for pages" in project.pivot("show", "-o", "run.json", "--json", code=2).stderr
    phases = {phase["phase"]: phase for phase in project.json("show", "1", "--json")["phases"]}
    assert phases["importing"]["of"] == "pipeline.py"
    assert phases["loading"]["began"] < phases["importing"]["began"]
    assert phases["loading"]["seconds"] > phases["importing"]["seconds"]
    assert phases["storing"]["of"] == "second"
    bars = project.json("show", "1", "--format", "chrome-trace")["traceEvents"]
    assert {bar["name"] for bar in bars[1:]} >= {
        *("loading", "importing pipeline.py", "first", "storing first", "second", "storing second")
    }
    assert "kept runs: 1 to 3" in project.pivot("show", "9", code=2).stderr
