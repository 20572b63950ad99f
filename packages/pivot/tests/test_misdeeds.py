"""A stage that once ran well and then misbehaves: what it leaves is removed, what was there before is put back."""

import os
import resource
import shutil
import signal
from collections.abc import Callable

import pytest
from harness import Project

Make = Callable[[str], Project]

HEAD = """\
import multiprocessing, os, pathlib, signal, subprocess, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, TypedDict

import pivot
from pivot.loaders import JSON, PathOnly, Text

pipeline = pivot.Pipeline("p")
"""

# `work` writes two outs, and does the misdeed only if its data say so.
WORK = (
    HEAD
    + """

class Outs(TypedDict):
    first: Annotated[pathlib.Path, pivot.Out("first.txt", PathOnly())]
    second: Annotated[str, pivot.Out("under/second.txt", Text())]


def after(value: Annotated[str, pivot.Dep("first.txt", Text())]) -> Annotated[str, pivot.Out("after.txt", Text())]:
    return value.upper()


def aside(data: Annotated[str, pivot.Dep("data.txt", Text())]) -> Annotated[str, pivot.Out("aside.txt", Text())]:
    return data


def work(data: Annotated[str, pivot.Dep("data.txt", Text())]) -> Outs:
    first = pathlib.Path("first.txt")
    first.write_text(data)
    if data == "bad":
        misdeed()
    return Outs(first=first, second=data)


pipeline.register(work)
pipeline.register(after)
pipeline.register(aside)


def misdeed():
"""
)


def working(make: Make, misdeed: str) -> Project:
    """A project that ran well once, and whose ``work`` does the misdeed when it runs again."""
    project = make(WORK + "".join(f"    {line}\n" for line in misdeed.splitlines()))
    project.write("data.txt", "fine")
    project.pivot("repro")
    project.write("data.txt", "bad")
    return project


def content(project: Project) -> dict[str, bytes]:
    return {name: data for name, (data, _) in project.snapshot().items()}


MISDEEDS = {
    "an exception": ("raise ValueError('no good')", ["ValueError: no good", "in misdeed", "raise ValueError"]),
    "a chain of exceptions": (
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('outer') from error",
        ["ZeroDivisionError", "direct cause", "KeyError: 'outer'"],
    ),
    "an exception that cannot be shown": (
        "class Odd(Exception):\n    def __str__(self): raise RuntimeError('not even that')\nraise Odd",
        ["stage 'work' failed: Odd", "in misdeed"],
    ),
    "an exception without a message": ("raise RuntimeError", ["stage 'work' failed: RuntimeError"]),
    "bytes that are no text in a message": (
        "raise OSError(os.fsdecode(bytes([0xff, 0x41])))",
        ["stage 'work' failed: OSError:", "A"],
    ),
    "sys.exit with a message": ("sys.exit('out of here')", ["it called sys.exit('out of here')"]),
    "endless recursion": ("def deeper(): deeper()\ndeeper()", ["RecursionError"]),
    "abort": ("os.abort()", ["it was killed by SIGABRT"]),
    "all descriptors closed": ("os.closerange(0, 256)\nraise ValueError", ["stage 'work' failed: "]),
    "a directory in place of an out": (
        "pathlib.Path('first.txt').unlink()\npathlib.Path('first.txt/inner').mkdir(parents=True)",
        ["stage 'work' failed", "first.txt", "is a directory"],
    ),
    "a named pipe in place of an out": (
        "pathlib.Path('first.txt').unlink()\nos.mkfifo('first.txt')",
        ["stage 'work' failed", "first.txt", "is a named pipe"],
    ),
    "a link that leads nowhere": (
        "pathlib.Path('first.txt').unlink()\nos.symlink('nowhere', 'first.txt')",
        ["stage 'work' failed", "first.txt"],
    ),
    "a directory in the way of an out that is saved": (
        "pathlib.Path('under/second.txt').mkdir()",
        ["stage 'work' failed: IsADirectoryError", "while saving 'under/second.txt'"],
    ),
    "a value that its writer refuses": (
        "global Outs\nOuts = lambda first, second: {'first': first, 'second': 3}",
        ["saves a str, not int (while saving 'under/second.txt')"],
    ),
}


@pytest.mark.parametrize("name", MISDEEDS)
def test_a_failed_stage_changes_nothing(make: Make, name: str) -> None:
    """Exit 1 and a reason; outs and locks are as they were, and what depends on the stage does not run."""
    misdeed, told = MISDEEDS[name]
    project = working(make, misdeed)
    before = content(project)

    done = project.pivot("repro", "--keep-going", code=1)

    assert [part for part in told if part not in done.stderr] == []
    assert "depends on work" in done.stderr
    assert "Not done: 1 failed, 1 blocked, 1 ran" in done.stdout
    after = content(project)
    assert after.pop("aside.txt") == b"bad"
    assert after.pop(".pivot/stages/p.aside.lock") != before.pop(".pivot/stages/p.aside.lock")
    del before["aside.txt"]
    assert after == before


def test_the_way_back_after_a_failure_runs_nothing(make: Make) -> None:
    """With the old data, what failed is as it was, and what ran meanwhile is restored."""
    project = working(make, "raise ValueError")
    project.pivot("repro", "--keep-going", code=1)
    project.write("data.txt", "fine")

    assert "1 restored, 2 cached" in project.pivot("repro").stdout


def test_a_first_run_that_fails_leaves_nothing(make: Make) -> None:
    """Partial outs are removed, and so is the need to know of them."""
    project = make(WORK + "    raise ValueError")
    project.write("data.txt", "bad")
    before = content(project)

    project.pivot("repro", "work", code=1)

    assert content(project) == before


def test_an_out_that_the_user_wrote_survives_a_failure(make: Make) -> None:
    """A failed stage puts back also what was edited by hand."""
    project = working(make, "raise ValueError")
    project.write("first.txt", "by hand")

    project.pivot("repro", code=1)

    assert project.read("first.txt") == "by hand"


def test_a_running_stage_finishes_after_another_one_failed(make: Make) -> None:
    """Fail-fast starts nothing new; what runs is recorded."""
    project = make(
        HEAD
        + """

def bad() -> Annotated[str, pivot.Out("bad.txt", Text())]:
    while not os.path.exists("running"):
        time.sleep(0.01)
    raise ValueError


def good() -> Annotated[str, pivot.Out("good.txt", Text())]:
    pathlib.Path("running").touch()
    while not os.path.exists("told"):
        time.sleep(0.01)
    return "good"


def more(good: Annotated[str, pivot.Dep("good.txt", Text())]) -> Annotated[str, pivot.Out("more.txt", Text())]:
    return good


for stage in (bad, good, more):
    pipeline.register(stage)
"""
    )
    running = project.start("repro", "-j", "2")
    assert running.stderr is not None
    while "FAILED" not in running.stderr.readline():
        assert running.poll() is None
    project.write("told", "")
    stdout, _ = running.communicate(timeout=60)

    assert running.returncode == 1
    assert "1 failed, 1 not started, 1 ran" in stdout
    assert project.states() == {"bad": "stale", "good": "cached", "more": "stale"}


def test_output_of_a_stage_goes_to_its_log(make: Make) -> None:
    """All of it, from children too, in order; nothing of it on the terminal while all goes well."""
    project = make(
        HEAD
        + """

def work() -> Annotated[str, pivot.Out("out.txt", Text())]:
    print("first")
    subprocess.run(["echo", "second"], check=True)
    os.write(2, b"third \\xff\\xfe\\n")
    print("x" * 1_000_000)
    print("last", file=sys.stderr)
    sys.stdout.fileno()
    return sys.stdin.read()


pipeline.register(work)
"""
    )

    done = project.pivot("repro")

    log = (project.root / ".pivot/state.db/logs/p.work.log").read_bytes()
    assert log == b"first\nsecond\nthird \xff\xfe\n" + b"x" * 1_000_000 + b"\nlast\n"
    assert "first" not in done.stderr + done.stdout
    assert project.read("out.txt") == ""


def test_the_end_of_what_it_printed_is_shown_when_it_fails(make: Make) -> None:
    """However much it was, whatever bytes it held, and however it ended; the log is named."""
    project = working(
        make,
        "for number in range(100_000): print('line', number)\n"
        "os.write(1, b'no \\xff text\\n')\nprint('the end')\nos.abort()",
    )

    done = project.pivot("repro", code=1)

    assert "line 99999\nno \ufffd text\nthe end\n" in done.stderr
    assert "line 5\n" not in done.stderr
    assert ".pivot/state.db/logs/p.work.log" in done.stderr
    assert len(done.stderr) < 10_000


LEFTOVERS = {
    "another sys.stdout": "import io\nsys.stdout = io.StringIO()",
    "no signal handlers": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "a child that holds its output": "if os.fork() == 0: time.sleep(1000)",
    "a daemon thread": "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
    "a pool of threads": "global POOL\nPOOL = ThreadPoolExecutor(2)\nPOOL.submit(int)",
    "a pool of processes": (
        "global POOL\nPOOL = multiprocessing.get_context('fork').Pool(2)\nassert POOL.map(abs, [-1]) == [1]"
    ),
}


@pytest.mark.parametrize("name", LEFTOVERS)
def test_leftovers_of_a_stage(make: Make, name: str) -> None:
    """None of this is a failure, nor does the run wait for it."""
    project = working(make, LEFTOVERS[name])

    assert "3 ran" in project.pivot("repro").stdout
    assert (project.read("first.txt"), project.read("after.txt")) == ("bad", "BAD")


def test_a_pipeline_that_starts_threads_while_it_is_imported(make: Make) -> None:
    """Its stages run nevertheless, without a warning about deprecated forks."""
    project = make(
        HEAD
        + """
threading.Thread(target=threading.Event().wait, daemon=True).start()


def work() -> Annotated[str, pivot.Out("out.txt", Text())]:
    return "out"


pipeline.register(work)
"""
    )

    assert "Warning" not in project.pivot("repro").stderr


def test_a_file_in_the_way_of_an_outs_directory(make: Make) -> None:
    """An error that names it, and everything stays as it was."""
    project = working(make, "pass")
    shutil.rmtree(project.root / "under")
    project.write("under", "a file of the user's")
    before = content(project)

    done = project.pivot("repro", "work", code=None)

    assert done.returncode in (1, 3)
    assert "under" in done.stderr
    assert "bug" not in done.stderr
    assert content(project) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory(make: Make) -> None:
    """An error that names it, and everything stays as it was."""
    project = working(make, "pass")
    (project.root / "under").chmod(0o555)
    before = content(project)
    try:
        done = project.pivot("repro", "work", code=None)
        assert done.returncode in (1, 3)
        assert "under" in done.stderr
        assert "bug" not in done.stderr
        assert content(project) == before
    finally:
        (project.root / "under").chmod(0o755)


def test_a_directory_that_the_user_put_where_an_out_belongs(make: Make) -> None:
    """It is named and never deleted."""
    project = working(make, "pass")
    (project.root / "first.txt").unlink()
    project.write("first.txt/precious.txt", "precious")

    done = project.pivot("repro", code=1)

    assert "first.txt" in done.stderr
    assert "is a directory" in done.stderr
    assert project.read("first.txt/precious.txt") == "precious"


LOCK = ".pivot/stages/p.work.lock"
DAMAGE: dict[str, Callable[[str], str]] = {
    "a merge conflict": lambda text: text.replace('"observed"', '<<<<<<< HEAD\n"observed"\n=======\n>>>>>>> theirs\n'),
    "a wrong type": lambda text: text.replace('"size":', '"size":"x","was":'),
    "a path outside": lambda text: text.replace('"first.txt"', '"../first.txt"'),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_lock_file_among_good_ones(make: Make, name: str) -> None:
    """It is named, and counts as none; what it says is not respected."""
    project = working(make, "pass")
    right = project.read(LOCK)
    project.write(LOCK, DAMAGE[name](right))
    before = content(project)

    done = project.pivot("status")
    assert f"note: {LOCK} is damaged" in done.stderr
    assert "hint: " in done.stderr
    assert content(project) == before

    project.pivot("repro")
    assert project.lock("p.work")["outs"].keys() == {"first.txt", "under/second.txt"}
    assert project.read("after.txt") == "BAD"


def test_a_state_directory_that_cannot_be_used(make: Make) -> None:
    """A file where Pivot's state belongs is an error with two lines."""
    project = working(make, "pass")
    shutil.rmtree(project.root / ".pivot/state.db")
    project.write(".pivot/state.db", "a file")

    done = project.pivot("repro", code=3)

    assert "state.db" in done.stderr
    assert "hint: " in done.stderr
    assert "bug" not in done.stderr


def limited(size: int) -> Callable[[], None]:
    """Let a process write files of at most ``size`` bytes, which is what a full disk looks like."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    return limit


def test_a_disk_that_is_full_for_the_stage(make: Make) -> None:
    """The stage fails, and its outs are as before."""
    project = working(make, "pathlib.Path('first.txt').write_bytes(bytes(1 << 20))")
    running = project.start("repro", "work", preexec_fn=limited(1 << 16))
    _, stderr = running.communicate(timeout=60)

    assert running.returncode == 1
    assert "File too large" in stderr
    assert (project.read("first.txt"), project.read("under/second.txt")) == ("fine", "fine")


def test_a_disk_that_is_full_for_the_lock(make: Make) -> None:
    """The stage ran, nothing is recorded, and the next run makes it good."""
    project = working(make, "pass")
    before = project.read(LOCK)
    running = project.start("repro", "work", preexec_fn=limited(100))
    _, stderr = running.communicate(timeout=60)

    assert running.returncode == 3
    assert "error: cannot write" in stderr
    assert "Traceback" not in stderr
    assert project.read(LOCK) == before

    project.pivot("repro")
    assert project.read("after.txt") == "BAD"
