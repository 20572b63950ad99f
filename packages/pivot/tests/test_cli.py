"""The command line itself: help, version, targets, directories, exit codes, shell habits."""

import ctypes
import importlib.metadata
import json
import os
import pathlib
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest
from harness import PIVOT, Project


def test_version_comes_from_the_package_metadata(empty: Project) -> None:
    expected = f"pivot {importlib.metadata.version('pivot-cli')}\n"

    assert empty.pivot("--version").stdout == expected
    assert empty.pivot("-C", ".", "--version").stdout == expected


def test_help_lists_the_commands(empty: Project) -> None:
    shown = empty.pivot("--help").stdout

    assert [name for name in ("init", "repro", "status") if f"\n  {name} " in shown] == ["init", "repro", "status"]
    assert empty.pivot("-h").stdout == shown


@pytest.mark.parametrize("name", ["fingerprint", "init", "repro", "status"])
def test_a_commands_help_begins_as_the_list_says(empty: Project, name: str) -> None:
    empty.executable = True
    listed = next(line for line in empty.pivot("--help").stdout.splitlines() if line.startswith(f"  {name} "))
    shown = empty.pivot(name, "--help").stdout

    assert shown.startswith(f"Usage: pivot {name}")
    assert listed.split(maxsplit=1)[1] in shown


def test_help_and_version_do_not_import_the_users_code(make: Callable[[str], Project]) -> None:
    project = make("import pathlib\npathlib.Path('imported').touch()\n")
    project.executable = True
    for arguments in (["--help"], ["--version"], ["repro", "--help"], ["status", "--help"]):
        project.pivot(*arguments)

    assert not (project.root / "imported").exists()


def test_no_arguments_shows_the_help(empty: Project) -> None:
    assert "Usage: pivot" in empty.pivot(code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["statu"], "Did you mean status?"),
        (["status", "--exlain"], "--explain"),
        (["repro", "-j", "0"], "-j"),
        (["repro", "-j", "many"], "-j"),
        (["-C", "nowhere", "status"], "nowhere"),
    ],
)
def test_wrong_usage(empty: Project, arguments: list[str], told: str) -> None:
    done = empty.pivot(*arguments, code=2)

    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert done.stdout == ""


def test_outside_a_project(empty: Project) -> None:
    done = empty.pivot("repro", code=2)

    assert "error: no .pivot/ directory here or in any directory above\n" in done.stderr
    assert "hint: run 'pivot init'" in done.stderr


def test_without_a_pipeline(empty: Project) -> None:
    assert "hint: describe your stages in pipeline.py, then run 'pivot repro'" in empty.pivot("init").stderr

    assert "no pipeline.py" in empty.pivot("status", code=2).stderr
    assert "'summarize' is not a valid whole number" in empty.pivot("show", "summarize", code=2).stderr


def test_init_twice_changes_nothing(empty: Project) -> None:
    empty.write("pivot.yaml", "pipeline: p\nstages: {}\n")
    assert "hint: 'pivot repro' runs the stages of pivot.yaml" in empty.pivot("init").stderr
    empty.write(".pivotignore", "mine\n")
    before = empty.snapshot()
    done = empty.pivot("init")

    assert "Already a Pivot project" in done.stdout
    assert empty.snapshot() == before


def test_a_nested_init_warns(empty: Project) -> None:
    empty.pivot("init")
    (empty.root / "inner").mkdir()

    assert "warning: " in empty.pivot("init", cwd="inner").stderr


def test_init_with_a_file_in_the_way(empty: Project) -> None:
    empty.write(".pivot", "")
    done = empty.pivot("init", code=2)

    assert "error: cannot create a project" in done.stderr


def test_targets_are_stages_addresses_or_paths(quick: Project) -> None:
    assert "1 ran" in quick.pivot("repro", "preprocess").stdout
    assert not (quick.root / "summary.json").exists()
    assert "1 ran, 1 cached" in quick.pivot("repro", "summary.json").stdout
    assert "1 stage cached" in quick.pivot("repro", "my_pipeline.preprocess").stdout
    assert "1 stage cached" in quick.pivot("repro", "./clean.json").stdout
    assert quick.states("summarize") == {"summarize": "cached"}
    assert quick.states("summary.json", "clean.json") == {"preprocess": "cached", "summarize": "cached"}


@pytest.mark.parametrize("command", ["repro", "status"])
@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("sumarize", "did you mean summarize?"),
        ("sumary.json", "summary.json"),
        ("zzz", "known stages: preprocess, summarize"),
    ],
)
def test_an_unknown_target(quick: Project, command: str, target: str, hint: str) -> None:
    done = quick.pivot(command, target, code=2)

    assert f"error: no stage or output is named '{target}'" in done.stderr
    assert hint in done.stderr
    assert not (quick.root / "clean.json").exists()


def test_from_a_subdirectory(quick: Project) -> None:
    """Same stages, same locks; paths are relative to where the command is given."""
    (quick.root / "deep/er").mkdir(parents=True)

    assert "2 ran" in quick.pivot("repro", cwd="deep/er").stdout
    assert (quick.root / "summary.json").exists()
    assert "1 stage cached" in quick.pivot("repro", "../../clean.json", cwd="deep/er").stdout
    assert "Everything is up to date" in quick.pivot("repro").stdout
    assert "2 stages, all cached" in quick.pivot("-C", str(quick.root), "status", cwd="deep").stdout


def test_colours_only_on_a_terminal(quick: Project) -> None:
    piped = quick.pivot("repro")
    assert "\x1b[" not in piped.stdout + piped.stderr

    ours, theirs = pty.openpty()
    process = subprocess.Popen([PIVOT, "repro", "--force"], cwd=quick.root, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:
        pass  # Linux says EIO when the other side is closed
    os.close(ours)
    assert process.wait() == 0
    assert b"\x1b[" in shown


def shell(project: Project, command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which ``pivot`` is the executable."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("pivot", f"'{PIVOT}'")],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def done_before(empty: Project, ran: pathlib.Path) -> Project:
    """The project of the quick start, run."""
    shutil.copytree(ran, empty.root, dirs_exist_ok=True)
    return empty


@pytest.mark.parametrize(
    "command",
    [
        "pivot status --json --explain | true",
        "pivot --help | true",
        "pivot --version | true",
        "pivot repro --force | true",
        "pivot status >&-",
        "pivot --version >&-",
        "pivot repro --force >&-",
        "pivot repro --force 2>&1 | true",
        "pivot repro --force 2>/dev/full",
    ],
)
def test_unread_output_is_no_error(done_before: Project, command: str) -> None:
    quick = done_before
    done = shell(quick, command)

    assert (done.returncode, done.stderr.count("rror")) == (0, 0), done.stderr
    assert quick.states() == {"preprocess": "cached", "summarize": "cached"}


def test_output_that_cannot_be_written(quick: Project) -> None:
    done = shell(quick, "pivot --version > /dev/full")

    assert done.returncode == 3
    assert done.stderr == "error: cannot write the output: No space left on device\n"

    streamed = shell(quick, "pivot repro --jsonl > /dev/full")
    assert streamed.returncode == 3
    assert "error: cannot write the events: No space left on device\nhint: " in streamed.stderr
    assert quick.states() == {"preprocess": "cached", "summarize": "cached"}


@pytest.mark.parametrize("module", ["pivot", "pivot_cli"])
def test_as_a_module(quick: Project, module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "repro"], cwd=quick.root, capture_output=True, text=True, check=True
    )

    assert "2 ran" in done.stdout


def test_a_module_that_hides_pivot(make: Callable[[str], Project]) -> None:
    project = make("import pivot\npipeline = pivot.Pipeline('p')\n")
    project.write("pivot.py", "")

    assert "hint: a module of yours is called 'pivot' and hides the package" in project.pivot("repro", code=2).stderr


def test_many_cached_stages_share_a_line(make: Callable[[str], Project]) -> None:
    project = make("""\
import pivot
from typing import Annotated
from pivot import Out
from pivot.loaders import Text
pipeline = pivot.Pipeline("p")
for number in range(12):
    def stage() -> Annotated[str, Out(f"out{number}.txt", Text())]:
        return "x"
    pipeline.register(stage, name=f"stage{number}")
""")
    first = project.pivot("repro")
    assert first.stderr.count("ran  ") == 12
    second = project.pivot("repro")

    assert second.stderr == "cached    stage0, stage1, stage2 and 9 more\n"
    assert "12 stages cached" in second.stdout


def test_explain_during_a_run(done_before: Project) -> None:
    quick = done_before
    quick.replace("pipeline.py", '"count": len(values)', '"n": len(values)')
    done = quick.pivot("repro", "--explain")

    assert "summarize: Code dependency changed\n  func:summarize  " in done.stderr
    assert "  pipeline.py:" in done.stderr


def test_json_is_one_object_on_stdout(quick: Project) -> None:
    done = quick.pivot("status", "--json")

    assert isinstance(json.loads(done.stdout), dict)
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process adopts others")
def test_a_command_in_somebody_elses_process_adopts_nothing(quick: Project) -> None:
    """Other processes that it has started are none of ours."""
    quick.inside("repro")
    adopts = ctypes.c_int()
    get = 37
    ctypes.CDLL(None).prctl(get, ctypes.byref(adopts), 0, 0, 0)

    assert not adopts.value
