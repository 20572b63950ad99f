"""No command waits silently: for a stage that prints nothing, nor for an import that does not end."""

import json
import re
import signal
from collections.abc import Callable

import pytest
from harness import Project, environment

from pivot_cli import app
from pivot_cli.terminal import imports

STAGE = """
import pathlib, time

import pivot

pipeline = pivot.Pipeline("p")


def wait():
    end = time.monotonic() + 60
    while not pathlib.Path("go").exists() and time.monotonic() < end:
        time.sleep(0.01)


@pipeline.register
def still() -> None:
    wait()
"""
IN_LIBRARY = """
import sys

import pivot

sys.path.append("site-packages")
import slow_library

pipeline = pivot.Pipeline("p")


@pipeline.register
def quick() -> None:
    pass
"""
BUSY = """
import os, time

end = time.monotonic() + 1.1
while time.monotonic() < end or (not os.path.exists("go") and time.monotonic() < end + 60):
    pass
"""
LONG = STAGE.replace("    wait()\n", "    pass\n\n\nwait()\n")


def told_until(project: Project, part: str, times: int, *command: str, **options: str) -> None:
    """A command says a part so often before it can end."""
    running = project.start(*command, env=environment() | options)
    assert running.stderr is not None
    told = ""
    while told.count(part) < times:
        line = running.stderr.readline()
        assert line, told
        told += line
    project.write("go", "")
    told += running.communicate(timeout=60)[1]
    assert running.returncode == 0, told
    (project.root / "go").unlink()


def test_a_stage_that_prints_nothing(make: Callable[[str], Project]) -> None:
    project = make(STAGE)
    project.pivot("config", "set", "run.silence", "1")
    told_until(project, "still running, no output for ", 2, "repro")
    project.write("go", "")
    assert "still running" not in project.pivot("repro", "--force", env={"PIVOT_RUN_SILENCE": "0"}).stderr


def test_an_import_that_takes_long(make: Callable[[str], Project]) -> None:
    project = make(LONG)
    for command in ("list", "repro"):
        options = {"PIVOT_RUN_SILENCE": "2", "PIVOT_SNAPSHOT": "off"}
        told_until(project, "note: still importing pipeline.py, for ", 1, command, **options)


def test_a_slow_library_is_named_in_plain_output(make: Callable[[str], Project]) -> None:
    project = make(IN_LIBRARY)
    project.write("site-packages/slow_library/__init__.py", "import slow_library.part\n")
    project.write("site-packages/slow_library/part.py", BUSY)
    running = project.start("repro", "--jsonl", env=environment() | {"PIVOT_RUN_SILENCE": "1"})
    assert running.stderr is not None
    while "slow_library" not in (told := running.stderr.readline()):  # on a busy machine, its import begins later
        assert told
    assert re.match(r"note: (still )?importing pipeline.py(, for \d+ s now)? \((.*, )?slow_library [\d.]+ s …\)", told)
    project.write("go", "")
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert re.search(r"^note: imported pipeline.py in [\d.]+ s \((.*, )?slow_library [\d.]+ s\)$", err, re.MULTILINE)

    lines = [json.loads(line) for line in out.splitlines()]
    # On a busy machine, the host may have said nothing yet at an earlier event, or nothing more at a later one.
    slow = next(
        line for line in lines if line["event"] == "import_slow" and line["libraries"].get("slow_library", 0) > 0
    )
    assert slow["file"] == "pipeline.py"
    assert slow["where"].startswith("pipeline.py:")
    assert slow["libraries"]["slow_library"] <= slow["at"]
    (imported,) = [line for line in lines if line["event"] == "pipeline_imported"]
    assert imported["file"] == "pipeline.py"
    assert imported["seconds"] >= imported["libraries"]["slow_library"] >= 1.1
    assert 0 < imported["began"] < imported["began"] + imported["seconds"] <= imported["at"]


def test_quiet_commands_say_nothing_of_imports(
    make: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    project = make(STAGE)
    monkeypatch.setattr(imports, "_SLOW_SECONDS", 0.0)
    monkeypatch.chdir(project.root)
    for command in ("status", "verify"):
        assert app.run([command, "--no-snapshot"]) == (1 if command == "verify" else 0)
        assert "note: imported pipeline.py in 0." in capfd.readouterr().err
        assert app.run([command, "--no-snapshot", "--quiet"]) == 1
        assert capfd.readouterr() == ("", "")


def test_an_import_that_never_ends_says_where_it_is(make: Callable[[str], Project]) -> None:
    project = make("import lib.helper\n" + STAGE)
    project.write("lib/helper.py", "import threading\n\nlock = threading.Lock()\nwith lock:\n    lock.acquire()\n")
    running = project.start("repro", env=environment() | {"PIVOT_RUN_SILENCE": "2"})
    assert running.stderr is not None
    while "lib/helper.py" not in (told := running.stderr.readline()):  # first it says that it imports the pipeline
        assert told.startswith(("note: importing pipeline.py ", "note: still importing pipeline.py, for "))
    assert re.fullmatch(r"note: still importing pipeline.py, for \d+ s now: lib/helper.py:5, in <module>\n", told)
    running.send_signal(signal.SIGINT)
    told = running.communicate(timeout=60)[1]
    assert "s now: lib/helper.py:5, in <module>\nerror: interrupted\n" in told
    assert running.returncode == 130
