"""Cached outs stay out of git, and those that git tracks are named."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from harness import Project

PIPELINE = """\
import pathlib
from typing import Annotated, TypedDict

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


class Outs(TypedDict):
    inside: Annotated[str, pivot.Out("data/a.txt", Text())]
    special: Annotated[str, pivot.Out("b*.txt", Text())]
    known: Annotated[str, pivot.Out("known.log", Text())]
    tracked: Annotated[str, pivot.Out("tracked.txt", Text())]
    score: Annotated[int, pivot.Metric("score.json")]
    report: Annotated[str, pivot.Out("report.md", Text(), cache=False)]


@pipeline.register
def first(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Outs:
    return Outs(inside=text, special=text, known=text, tracked=text, score=1, report=text)


@pipeline.register
def second(
    inside: Annotated[str, pivot.Dep("data/a.txt", Text())],
) -> Annotated[dict[str, str], pivot.DirectoryOut("sub/parts", Text())]:
    return {"k": inside}


@pipeline.register
def third(data: Annotated[pathlib.Path, pivot.Dep("data")]) -> Annotated[str, pivot.Out("names.txt", Text())]:
    return " ".join(sorted(file.name for file in data.iterdir()))
"""


def git(project: Project, *arguments: str) -> str:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", *arguments]
    return subprocess.run(command, cwd=project.root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(make: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in a git repository; nothing has run."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    project = make(PIPELINE)
    project.write("in.txt", "text")
    project.write(".gitignore", "*.log")
    project.write("tracked.txt", "older")
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "start")
    return project


def test_cached_outs_are_ignored_when_they_are_first_recorded(project: Project) -> None:
    ran = project.pivot("repro").stderr
    assert "note: git tracks tracked.txt, which Pivot stores in its cache\nhint: git rm --cached tracked.txt\n" in ran
    # The line for data/a.txt is not in data/, which a stage reads.
    assert project.read(".gitignore") == "*.log\n/b\\*.txt\n/data/a.txt\n/names.txt\n/tracked.txt\n"
    assert project.read("sub/.gitignore") == "/parts\n"
    assert project.read("names.txt") == "a.txt"
    new = git(project, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert [line for line in new if ".pivot/" not in line] == [
        " M .gitignore",
        " M tracked.txt",
        "?? report.md",
        "?? score.json",
        "?? sub/.gitignore",
    ]  # nothing is staged

    before = project.snapshot()
    assert "git" not in project.pivot("repro").stderr
    for _ in range(2):  # the second answer is a kept one
        assert "hint: git rm --cached tracked.txt\n" in project.pivot("status").stderr
    assert "git rm --cached tracked.txt" in project.pivot("doctor", code=None).stdout
    git(project, "rm", "-q", "--cached", "tracked.txt")
    assert "git" not in project.pivot("status").stderr
    # Whoever removes a line wants the out in git. Pivot removes its line of an out that is for git from now on.
    project.write(".gitignore", "/names.txt\n*.log\n/score.json\n")
    source = project.read("pipeline.py")
    project.write("pipeline.py", source.replace('"names.txt", Text()', '"names.txt", Text(), cache=False'))
    project.write("in.txt", "other")
    project.pivot("repro")
    assert project.read(".gitignore") == "*.log\n/score.json\n"
    assert before.keys() == project.snapshot().keys()
    git(project, "add", "-A")
    assert "--cached b*.txt" not in (told := project.pivot("status").stderr)
    assert "git rm --cached 'b*.txt' data/a.txt tracked.txt, and add to .gitignore: /b\\*.txt /data" in told


def test_files_that_pivot_may_not_write_are_left_alone(project: Project) -> None:
    file, locks = project.root / ".gitignore", project.root / ".pivot/stages"
    lines = "add the lines yourself: /b\\*.txt /data/a.txt"
    for name in ("data/a.txt", "b*.txt", "known.log", "score.json", "report.md"):
        project.write(name, "1")
    file.chmod(0o444)
    told = project.pivot("commit", "--force", "first").stderr
    assert "note: .gitignore is read-only, so that git does not ignore the new outs\n" in told
    assert f"hint: {lines} /names.txt /tracked.txt; or set git.ignore_outs to false\n" in told

    for entry in locks.iterdir():
        entry.unlink()
    file.rename(project.root / "patterns")
    file.symlink_to("patterns")
    assert "note: .gitignore is a symbolic link, so" in (told := project.pivot("repro", "first").stderr)
    assert f"hint: {lines} /known.log" in told  # git does not follow the link either

    (locks / "p.first.lock").unlink()
    told = project.pivot("repro", "first", env={"PIVOT_GIT_IGNORE_OUTS": "false"}).stderr
    assert "restored" in told
    assert "not ignore" not in told
    (locks / "p.first.lock").unlink()
    (project.root / ".git").rename(project.root / "away")
    assert "git" not in project.pivot("repro", "first").stderr
    assert project.read("patterns") == "*.log"
    file.unlink()
    (project.root / "away").rename(project.root / ".git")
    (locks / "p.first.lock").unlink()
    project.pivot("repro", "first")
    assert "/data/a.txt\n" in file.read_text()


def git_calls(project: Project) -> pathlib.Path:
    """A log of the calls of the git that is beside it."""
    log = project.root.parent / "git-calls" / "log"
    log.parent.mkdir()
    (log.parent / "git").write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {shutil.which("git")} "$@"\n')
    (log.parent / "git").chmod(0o755)
    log.write_text("")
    return log


def settle(file: pathlib.Path) -> None:
    """Wait until another change of a file would give it another time."""
    settled = file.stat().st_ctime_ns + 20_000_000
    while time.time_ns() < settled:
        os.sched_yield()


def test_of_gits_index_only_the_outs_matter_to_a_kept_answer(project: Project) -> None:
    git(project, "rm", "-q", "--cached", "tracked.txt")
    project.pivot("repro")
    for _ in range(2):  # what the run has just written may change without another stamp
        said = project.pivot("status").stdout
    (kept,) = project.root.glob(".pivot/state.db/noop_cache/*")
    kept.write_bytes(kept.read_bytes().replace(said.encode(), said.upper().encode()))

    git(project, "add", "score.json")
    assert project.pivot("status").stdout == said.upper()
    git(project, "add", "-f", "names.txt")
    settle(project.root / ".git/index")
    project.pivot("status", env={"PATH": str(project.root)})  # without git, nobody knows
    assert "note: git tracks names.txt" in project.pivot("status").stderr
    git(project, "rm", "-q", "--cached", "names.txt")
    settle(project.root / ".git/index")
    asked = git_calls(project)
    for text, calls in (("one", 1), ("two", 0)):  # only the index matters, not that the command is another one
        project.write("in.txt", text)
        project.pivot("status", env={"PATH": f"{asked.parent}:{os.environ['PATH']}"})
        assert asked.read_text().count("ls-files") == calls
        asked.write_text("")
    git(project, "add", "-f", "names.txt")
    assert "note: git tracks names.txt" in project.pivot("status").stderr


def test_what_a_user_does_to_a_gitignore_stays(project: Project) -> None:
    """Its mode, that it is a symbolic link, and that it is read-only; each error says what ends it."""
    file = project.root / ".gitignore"
    for name in ("mine.bin", "set/1.csv", "mine2.bin"):
        project.write(name, name)
    file.chmod(0o640)
    project.pivot("track", "mine.bin")
    assert (file.stat().st_mode & 0o777, project.read(".gitignore")) == (0o640, "*.log\n/mine.bin\n")

    file.chmod(0o440)
    before = project.snapshot()
    told = project.pivot("track", "mine2.bin", "set/1.csv", code=3).stderr
    hint = "hint: make git ignore /mine2.bin there, and repeat the command\n"
    assert told == f"error: {file} is read-only\n{hint}docs: pivot docs troubleshooting\n"
    assert "remove its line /mine.bin" in project.pivot("untrack", "mine.bin", code=3).stderr
    assert "remove its line /mine.bin" in project.pivot("mv", "mine.bin", "set/", code=3).stderr
    assert project.snapshot() == before

    link = project.root / "set/.gitignore"
    link.symlink_to("../patterns")
    project.write("patterns", "/x")
    told = project.pivot("track", "set/1.csv", code=3).stderr
    assert f"{link} is a symbolic link, which git does not follow\nhint: make git ignore /1.csv there" in told
    assert not (project.root / "set/1.csv.pvt").exists()
    project.write(".git/info/exclude", "1.csv\n/mine2.bin\n")
    project.pivot("track", "set/1.csv", "mine2.bin")
    assert (link.readlink().name, project.read("patterns")) == ("patterns", "/x")
    project.pivot("untrack", "set/1.csv", "mine2.bin")
    assert project.read(".gitignore") == "*.log\n/mine.bin\n"

    (project.root / ".gitattributes").symlink_to("patterns")
    told = project.pivot("init", "--git", code=2).stderr
    assert ".gitattributes is a symbolic link, which git does not follow\nhint: put a file there; add the lines" in told
    assert project.read("patterns") == "/x"


KILLED = """\
import os, signal, sys
from pivot_cache.files import syscalls
from pivot_cli import app

def before(operation, *of):
    if operation == "rename" and str(of[1]).endswith(".lock"):
        os.kill(os.getpid(), signal.SIGKILL)

syscalls.before = before
app.run(["repro", "first"])
"""


def test_a_run_that_is_killed_between_the_lines_and_the_lock_is_repeated(project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=project.root, check=False, capture_output=True, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    lines = "*.log\n/b\\*.txt\n/data/a.txt\n/names.txt\n/tracked.txt\n"
    assert sorted(project.read(".gitignore").split()) == sorted(lines.split())
    assert not list(project.root.glob(".pivot/stages/*.lock"))
    again = project.pivot("repro", "first")
    assert "Done: 1 restored" in again.stdout
    assert project.read("data/a.txt") == "text"
    assert sorted(project.read(".gitignore").split()) == sorted(lines.split())


def test_runs_at_once_add_each_line_once(project: Project) -> None:
    project.pivot("repro", "first")
    project.write(".gitignore", "*.log\n")
    for lock in project.root.glob(".pivot/stages/*.lock"):
        lock.unlink()
    both = [project.start("repro", "--all", name) for name in ("second", "third")]
    for each in both:
        out, err = each.communicate(timeout=120)
        assert each.returncode == 0, out + err
    assert sorted(project.read(".gitignore").split()) == sorted(set(project.read(".gitignore").split()))
    assert {"*.log", "/data/a.txt", "/names.txt"} <= set(project.read(".gitignore").split())
    assert project.read("sub/.gitignore") == "/parts\n"
