"""Several stages at once, several commands at once, and edits while stages run."""

import os
import py_compile
from collections.abc import Callable

import pytest
from harness import Project
from test_signals import DEADLINE, wait_until

HEAD = """\
import pathlib
import time
from typing import Annotated

import pivot
from pivot import Dep, Out
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


def meet(mine, other):
    pathlib.Path(mine).touch()
    end = time.monotonic() + 60
    while not pathlib.Path(other).exists():
        if time.monotonic() > end:
            raise TimeoutError(other)
        time.sleep(0.005)
"""

MEETING = (
    HEAD
    + """

@pipeline.register
def left() -> Annotated[str, Out("left.txt", Text())]:
    meet("left.here", "right.here")
    return "left"


@pipeline.register
def right() -> Annotated[str, Out("right.txt", Text())]:
    meet("right.here", "left.here")
    return "right"
"""
)


def test_independent_stages_run_at_once(make: Callable[[str], Project]) -> None:
    """Each waits until the other has begun."""
    project = make(MEETING)

    assert "2 ran" in project.pivot("repro", "--jobs", "2").stdout


def test_one_job_runs_one_stage_at_a_time(make: Callable[[str], Project]) -> None:
    project = make(
        HEAD
        + """
def alone():
    (pathlib.Path("busy")).mkdir()  # fails if somebody else is here
    time.sleep(0.02)
    (pathlib.Path("busy")).rmdir()
    return ""


for number in range(4):
    def stage() -> Annotated[str, Out(f"{number}.txt", Text())]:
        return alone()
    pipeline.register(stage, name=f"stage{number}")
"""
    )

    assert "4 ran" in project.pivot("repro", "-j", "1").stdout


def test_a_stage_follows_what_it_rests_on(make: Callable[[str], Project]) -> None:
    """A diamond, registered upside down."""
    project = make(
        HEAD
        + """
@pipeline.register
def bottom(
    a: Annotated[str, Dep("a.txt", Text())], b: Annotated[str, Dep("b.txt", Text())]
) -> Annotated[str, Out("bottom.txt", Text())]:
    return a + b


@pipeline.register
def a(top: Annotated[str, Dep("top.txt", Text())]) -> Annotated[str, Out("a.txt", Text())]:
    return top + "a"


@pipeline.register
def b(top: Annotated[str, Dep("top.txt", Text())]) -> Annotated[str, Out("b.txt", Text())]:
    return top + "b"


@pipeline.register
def top() -> Annotated[str, Out("top.txt", Text())]:
    return "t"
"""
    )
    project.pivot("repro", "-j", "4")

    assert project.read("bottom.txt") == "tatb"


HELD = (
    HEAD
    + """
from helpers import suffix


@pipeline.register
def held(text: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("out.txt", Text())]:
    with open("runs", "a") as runs:
        runs.write("x")
    if not pathlib.Path("quick").exists():
        meet("begun", "go on")
    return text + suffix()
"""
)


@pytest.fixture
def held(make: Callable[[str], Project]) -> Project:
    """A project whose only stage waits, once begun, until the test lets it go on."""
    project = make(HELD)
    project.write("helpers.py", "def suffix():\n    return '!'\n\n\ndef unused():\n    return 1\n")
    project.write("in.txt", "in")
    return project


def begun(project: Project) -> bool:
    return (project.root / "begun").exists()


def test_two_commands_at_once(held: Project) -> None:
    """Each stage runs once; the second command waits and says for whom; looking does not wait."""
    one = held.start("repro")
    wait_until(lambda: begun(held), "the stage has begun")
    two = held.start("repro")
    assert two.stderr is not None
    waiting = two.stderr.readline()
    assert f"waiting for 'pivot repro' (process {one.pid})" in waiting
    assert held.states() == {"held": "stale"}
    assert held.pivot("repro", "--dry-run").stdout == "would run      held  No previous run\n"
    held.write("go on", "")

    assert "1 ran" in one.communicate(timeout=DEADLINE)[0]
    assert "1 stage cached" in two.communicate(timeout=DEADLINE)[0]
    assert held.read("runs") == "x"


# Edits while the stage runs, and whether its result may then be recorded.
EDITS: dict[str, tuple[Callable[[Project], object], str | None]] = {
    "a dep": (lambda project: project.write("in.txt", "other"), "in.txt"),
    "a helper": (lambda project: project.replace("helpers.py", "'!'", "'?'"), "func:suffix"),
    "a syntax error": (lambda project: project.write("helpers.py", "def suffix(:\n"), "helpers.py"),
    "a comment": (lambda project: project.replace("helpers.py", "'!'\n", "'!'  # loud\n"), None),
    "an unused helper": (lambda project: project.replace("helpers.py", "return 1", "return 2"), None),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_while_a_stage_runs(held: Project, edit: str) -> None:
    """A dep changed during the run: its out stays, nothing is recorded, a note says so, the next run repeats it."""
    change, moved = EDITS[edit]
    running = held.start("repro")
    wait_until(lambda: begun(held), "the stage has begun")
    change(held)
    held.write("go on", "")
    answer, told = running.communicate(timeout=DEADLINE)

    assert held.read("out.txt") == "in!"
    if moved is None:
        assert running.returncode == 0
        assert held.states() == {"held": "cached"}
    else:
        assert running.returncode == 1
        assert "1 not recorded" in answer
        assert f"this changed while it ran: {moved}" in told or f"{held.root}/{moved}" in told
        assert not (held.root / ".pivot/stages/p.held.lock").exists()
        held.write("helpers.py", "def suffix():\n    return '?'\n")
        assert "1 ran" in held.pivot("repro").stdout
        assert held.read("out.txt").endswith("?")


@pytest.mark.parametrize("module", ["pipeline.py", "helpers.py"])
def test_an_edit_of_the_same_size_in_the_same_second_is_seen_and_executed(held: Project, module: str) -> None:
    """A `.pyc` of an ordinary run, valid by size and whole seconds, is not believed."""
    held.write("quick", "")
    held.replace("pipeline.py", "return text + suffix()", "return text + suffix() + 'a'")
    file = held.root / module
    second = 1_700_000_000_000_000_000
    os.utime(file, ns=(second, second))
    py_compile.compile(str(file), doraise=True)
    held.pivot("repro")
    assert held.read("out.txt") == "in!a"

    if module == "pipeline.py":
        held.replace(module, "suffix() + 'a'", "suffix() + 'b'")
    else:
        held.replace(module, "'!'", "'?'")
    os.utime(file, ns=(second, second))
    assert held.states() == {"held": "stale"}
    assert "1 ran" in held.pivot("repro").stdout
    assert held.read("out.txt") == ("in!b" if module == "pipeline.py" else "in?a")


def test_processes_that_a_stage_starts_run_no_stale_code(make: Callable[[str], Project]) -> None:
    """Workers of `multiprocessing` that are spawned read `.pyc` files like any Python."""
    project = make(
        HEAD
        + """
import multiprocessing

import helpers
from pivot.loaders import JSON


@pipeline.register
def pooled() -> Annotated[list, Out("out.json", JSON(indent=None))]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(helpers.work, range(3))
"""
    )
    helpers = project.write("helpers.py", "def work(i):\n    return i * 2\n")
    second = 1_700_000_000_000_000_000
    os.utime(helpers, ns=(second, second))
    keep = {"PYTHONDONTWRITEBYTECODE": ""}
    project.pivot("repro", env=keep)
    assert project.read("out.json") == "[0, 2, 4]\n"

    project.replace("helpers.py", "i * 2", "i * 3")
    os.utime(helpers, ns=(second, second))
    project.pivot("repro", env=keep)
    assert project.read("out.json") == "[0, 3, 6]\n"


def test_the_highest_priorities_start_first(empty: Project) -> None:
    empty.pivot("init")
    stages = "".join(
        f"  {name}: {{cmd: 'echo {name} > {name}.txt', outs: [{name}.txt], priority: {priority}}}\n"
        for name, priority in (("low", -1), ("plain", 0), ("high", 2), ("higher", 3))
    )
    empty.write("pivot.yaml", f"pipeline: p\nstages:\n{stages}")
    empty.pivot("repro", "-j", "2")

    began = {each["began"]: each["name"] for each in empty.json("show", "--json")["stages"]}
    assert [began[at] for at in sorted(began)][-2:] == ["plain", "low"]
