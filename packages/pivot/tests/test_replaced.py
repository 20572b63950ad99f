"""A module may replace parts of Python's library: its stages find what it has put there, and Pivot does not."""

from collections.abc import Callable

import pytest
from harness import Project

type Make = Callable[[str], Project]

STAGES = """
import os, pathlib, select, sys, time
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")
KEPT = open


@pipeline.register
def first() -> Annotated[pathlib.Path, pivot.Out("first.txt", pivot.loaders.PathOnly())]:
    with KEPT("first.txt", "w") as file:
        file.write(found())
    return pathlib.Path("first.txt")


@pipeline.register
def second(x: Annotated[str, pivot.Dep("first.txt", Text())]) -> Annotated[str, pivot.Out("second.txt", Text())]:
    %s
    return x


@pipeline.register(timeout=60)
def third() -> None:
    if os.path.exists("sleep"):
        select.select([], [], [], 100)

"""
MANY = """
import builtins, json, pickle, shutil, signal, struct, threading, traceback


def lies(*arguments, **options):
    return "a lie"


for module, names in {
    json: ["dumps", "loads", "dump", "load"],
    json.JSONEncoder: ["default", "encode", "iterencode"],
    json.JSONDecoder: ["decode", "raw_decode"],
    os: ["write", "fork", "pipe", "waitpid", "waitid", "wait4", "kill", "killpg", "listdir", "close", "posix_spawn"],
    pickle: ["dumps", "loads"],
    select: ["poll"],
    shutil: ["rmtree"],
    struct: ["pack", "unpack", "calcsize"],
    threading: ["Thread", "Event", "enumerate", "active_count", "get_ident"],
    time: ["time", "monotonic", "sleep", "time_ns", "perf_counter"],
    traceback: ["format_exception", "print_exception"],
    builtins: ["open", "print", "sorted", "input"],
}.items():
    for name in names:
        setattr(module, name, lies)
os.environ = {"A": "b"}
sys.stdout = sys.stderr = None
del sys.modules["json"]
sys.modules["signal"] = None


def found():
    return str([json.dumps(1), time.time(), os.environ])
"""
DONE = "['a lie', 'a lie', {'A': 'b'}]"


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_replacements_by_a_module_affect_only_itself(make: Make, start: str) -> None:
    project = make(STAGES % "pass" + MANY)
    project.pivot("config", "set", "worker.start", start)
    assert project.pivot("repro").stdout.startswith("Done: 3 ran")
    assert project.read("first.txt") == DONE
    assert "up to date" in project.pivot("repro").stdout

    project.replace("pipeline.py", "    pass\n    return x", "    raise ValueError('of the stage')")
    done = project.pivot("repro", code=1)
    assert "stage 'second' failed: ValueError: of the stage" in done.stderr
    assert "in second" in done.stderr
    project.replace("pipeline.py", "raise ValueError('of the stage')", "return x")

    project.write("sleep", "")
    project.replace("pipeline.py", "timeout=60", "timeout=1")
    done = project.pivot("repro", "--force", code=1)
    assert "stage 'third' failed: it ran longer than its timeout" in done.stderr, "the clock is Pivot's own"


def test_replacements_by_a_module_may_raise(make: Make) -> None:
    """Nothing of Pivot's calls it, and what is remembered of the sources is right."""
    plain = STAGES % "pass" + "\n\ndef found():\n    return ''\n"
    raising = "\nimport json\njson.dumps = json.loads = json.JSONEncoder.encode = lambda *_, **__: 1 / 0\n"
    project = make(plain + raising)
    assert project.pivot("repro").stdout.startswith("Done: 3 ran")
    assert "3 stages cached" in project.pivot("repro", "--no-snapshot").stdout


def test_replacements_by_a_stage_affect_only_itself(make: Make) -> None:
    project = make(STAGES % "exec(MANY, globals())" + f"MANY = {MANY!r}\n\n\ndef found():\n    return ''\n")
    assert project.pivot("repro").stdout.startswith("Done: 3 ran")


def test_indispensable_functions_are_named(make: Make) -> None:
    project = make(STAGES % "pass" + "\n\nos.stat = lambda *_, **__: 3\n")
    told = project.pivot("repro", code=2).stderr
    assert told.startswith("error: pipeline.py cannot be loaded, since it replaces os.stat: AttributeError")


def test_an_import_that_replaces_everything_and_fails_is_reported(make: Make) -> None:
    project = make(STAGES % "pass" + MANY + "\n1 / 0\n")
    done = project.pivot("repro", code=2)
    assert "error: pipeline.py cannot be imported: ZeroDivisionError" in done.stderr
    assert "pipeline.py" in done.stderr
