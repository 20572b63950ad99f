"""`forget`, `clean`, `mv`, `check-ignore` and `list --untracked` through the executable."""

import subprocess
from collections.abc import Callable

from harness import Project

PIPELINE = """\
import pathlib
from typing import Annotated, TypedDict

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


class Outs(TypedDict):
    upper: Annotated[str, pivot.Out("upper.txt", Text())]
    parts: Annotated[dict[str, str], pivot.DirectoryOut("parts", Text())]
    metric: Annotated[int, pivot.Metric("metric.json")]


@pipeline.register
def shout(text: Annotated[str, pivot.Dep("data/in.txt", Text())]) -> Outs:
    return Outs(upper=text.upper(), parts={"a/1.txt": text, "2.txt": text * 2}, metric=len(text))


@pipeline.register
def last(text: Annotated[str, pivot.Dep("upper.txt", Text())]) -> Annotated[str, pivot.Out("last.txt", Text())]:
    return text[-1]
"""


def made(make: Callable[[str], Project]) -> Project:
    """A project that has run."""
    project = make(PIPELINE)
    project.write("data/in.txt", "abc")
    project.pivot("repro")
    return project


def test_forget(make: Callable[[str], Project]) -> None:
    """A forgotten stage runs again, also where the cache has its results; its outs stay, and no other record goes."""
    project = made(make)
    upper = (project.root / "upper.txt").stat().st_mtime_ns
    dry = project.json("forget", "-n", "--json", "upper.txt")
    assert dry == {"dry_run": True, "forgotten": ["p.shout"], "runs": 1, "unrecorded": []}
    assert "up to date" in project.pivot("repro").stdout

    assert project.pivot("forget", "shout").stdout == "Forgot p.shout\nForgot 1 run of it\n"
    assert (project.root / "upper.txt").stat().st_mtime_ns == upper
    assert project.json("status", "--json")["stages"][0]["reason"] == "No previous run"
    done = project.pivot("repro")
    assert "ran       shout" in done.stderr
    assert "upper.txt" not in done.stderr, "the cache still has the outs of the forgotten run"
    assert "1 ran, 1 cached" in done.stdout

    project.pivot("forget", "shout", "last")
    assert project.pivot("forget", "last").stderr == "note: nothing is recorded of p.last\n"
    assert "'pivot untrack'" not in project.pivot("forget", "nobody", code=2).stderr
    project.pivot("track", "data/in.txt")
    assert "data/in.txt is tracked data" in project.pivot("forget", "data/in.txt", code=2).stderr


def test_ignored_and_untracked_files(make: Callable[[str], Project]) -> None:
    project = made(make)
    for name in ("notes.txt", "data/stray.csv", "a.tmp", "build/x", "in git.md", "helper.py", "locally.log"):
        project.write(name, "x")
    project.write(".pivotignore", "# comment\n\n*.tmp\nbuild/\n!build/x\n!keep.tmp\n")
    subprocess.run(["git", "init", "-q"], cwd=project.root, check=True)
    project.write(".gitignore", "*.log\n")
    subprocess.run(["git", "add", "in git.md", "pipeline.py"], cwd=project.root, check=True)
    project.write("tracked.bin", "x")
    project.pivot("track", "tracked.bin")

    listed = project.json("list", "--untracked", "--json")["untracked"]
    assert {each["path"]: each["in_git"] for each in listed} == {
        "data/stray.csv": False,
        "helper.py": False,
        "in git.md": True,
        "notes.txt": False,
    }
    assert "in git.md  (in git)\nnotes.txt\n" in project.pivot("list", "--untracked").stdout
    assert "without TARGETS" in project.pivot("list", "--untracked", "shout", code=2).stderr

    shown = project.pivot("check-ignore", "a.tmp", "build", "build/x", "notes.txt", "keep.tmp").stdout
    assert shown == ".pivotignore:3:*.tmp  a.tmp\n.pivotignore:4:build/  build\n.pivotignore:4:build/  build/x\n"
    assert project.pivot("check-ignore", "-q", "../a.tmp", cwd="data").stdout == ""
    assert project.pivot("check-ignore", "--non-matching", "keep.tmp", code=1).stdout == "::  keep.tmp\n"
    assert project.pivot("check-ignore", "locally.log", code=1).stdout == ""
    assert project.pivot("check-ignore", "--git", "locally.log").stdout == ".gitignore:1:*.log  locally.log\n"
    (kept,) = project.json("check-ignore", "--json", "keep.tmp", code=1)["paths"]
    assert (kept["ignored"], kept["line"], kept["pattern"]) == (False, 6, "!keep.tmp")
    assert "is not a path in the project" in project.pivot("check-ignore", "..", code=2).stderr


def test_files_that_git_or_pivot_works_from_are_not_tracked(make: Callable[[str], Project]) -> None:
    project = make("")
    project.write("pivot.yaml", "stages: {}\n")
    names = (
        "pivot.yaml",
        "params.yaml",
        ".gitignore",
        ".pivotignore",
        ".gitattributes",
        ".lfsconfig",
        "sub/pivot.yaml",
    )
    for name in names:
        file = project.write(name, "")
        done = project.pivot("track", name, code=2)
        assert (
            f"{name} is a file that {'git' if '.git' in name or 'lfs' in name else 'Pivot'} works from" in done.stderr
        )
        assert "hint: " in done.stderr
        assert file.exists()
    for name in (".pivot/config.yaml", ".pivot/stages/p.x.lock", ".git/config"):
        project.write(name, "")
        assert "hint: " in project.pivot("track", name, code=2).stderr
    assert not list(project.root.rglob("*.pvt"))
