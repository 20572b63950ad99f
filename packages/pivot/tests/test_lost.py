"""Objects that the cache lacks or has damaged while the outs are in place: all commands agree, and a run repairs it."""

import os
import pathlib
import shutil
from collections.abc import Callable

import pytest
from harness import Project
from test_remote import Team, s3, team

__all__ = ["s3", "team"]


def _objects(project: Project) -> list[pathlib.Path]:
    return sorted((project.root / ".pivot/cache/files").glob("??/*"))


def _cut(project: Project) -> None:
    file = _objects(project)[0]
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1])


def _no_cache(project: Project) -> None:
    shutil.rmtree(project.root / ".pivot/cache")


@pytest.mark.parametrize("harm", [_cut, _no_cache])
def test_all_commands_agree_on_what_the_cache_has_lost_and_one_run_mends_it(
    team: Team, harm: Callable[[Project], None]
) -> None:
    project = team.first
    assert "Everything is up to date" in project.pivot("repro").stdout  # an answer that is kept
    assert "stale" not in project.pivot("status").stdout
    harm(project)

    stale = {name for name, state in project.states().items() if state == "stale"}
    assert stale
    assert "Output not in the cache" in project.pivot("status").stdout
    project.pivot("status", "--quiet", code=1)
    explained = {each["name"]: each for each in project.json("status", "--explain", "--json")["stages"]}
    assert {name for name, each in explained.items() if each["reasons"] == ["Output not in the cache"]} == stale
    assert {explained[name]["action"] for name in stale} == {"restore"}
    planned = project.pivot("repro", "--dry-run").stdout
    assert all(f"would restore  {name}" in planned for name in stale)
    failed = {line.split()[1] for line in project.pivot("verify", code=1).stdout.splitlines() if "FAILED" in line}
    assert failed == stale
    told = team.pivot("push", code=1)
    assert "pivot repro" in told

    mended = project.pivot("repro")
    assert f"{len(stale)} restored" in mended.stdout
    assert "stored again" in mended.stderr
    assert set(project.states().values()) == {"cached"}
    assert "Everything is up to date" in project.pivot("repro").stdout
    project.pivot("verify")
    assert "0 failed" in team.pivot("push")
    for name in ("clean.json", "summary.json"):
        (project.root / name).unlink()
    project.pivot("checkout")


def test_tracked_data_that_the_cache_has_lost_are_not_clean(empty: Project) -> None:
    empty.pivot("init")
    empty.write("data/1", "one")
    empty.pivot("track", "data")
    empty.pivot("status", "--quiet")
    _objects(empty)[0].unlink()
    empty.pivot("status", "--quiet", code=1)
    told = empty.pivot("status").stdout
    assert "data  not in the cache  3 B" in told
    assert "run 'pivot track' on data that are not in the cache" in told
    empty.pivot("verify", code=1)
    empty.pivot("track", "data")
    empty.pivot("status", "--quiet")
    empty.pivot("verify")


UNREADABLE = """\
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import PathOnly, Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def fill() -> Annotated[dict[str, str], pivot.DirectoryOut("d", Text())]:
    return {"a": "a"}


@pipeline.register
def count(
    data: Annotated[pathlib.Path, pivot.Dep("data", PathOnly())],
) -> Annotated[str, pivot.Out("count.txt", Text())]:
    return str(len(list(data.iterdir())))
"""


def test_unreadable_files_stop_nothing_else(make: Callable[[str], Project]) -> None:
    """And all commands say the same of it."""
    project = make(UNREADABLE)
    project.write("data/1", "one")
    project.pivot("track", "data")
    project.pivot("repro")
    pipes = [project.root / "d/pipe", project.root / "data/pipe"]

    os.mkfifo(pipes[0])
    taken = "Output path is taken: d (pipe in it is a named pipe, not a file)"
    assert taken in project.pivot("status").stdout
    assert f"blocked        fill   {taken}" in project.pivot("repro", "-n").stdout
    assert f"FAILED  fill   {taken}" in project.pivot("verify", code=1).stdout
    done = project.pivot("repro", "-k", code=1)
    assert "1 blocked, 1 cached" in done.stdout
    assert "hint: remove it" in done.stderr
    pipes[0].unlink()
    assert "all cached" in project.pivot("status").stdout

    os.mkfifo(pipes[1])
    told = project.pivot("status")
    assert "count  stale   Input missing: data" in told.stdout
    assert "data  modified" in told.stdout
    assert "data/pipe: is a named pipe, not a file\nhint: remove it" in told.stderr
    assert "FAILED  count  Input missing: data" in project.pivot("verify", code=1).stdout
    assert "data cannot be read: pipe in it is a named pipe" in project.pivot("repro", code=1).stderr
    pipes[1].unlink()
    assert "Everything is up to date" in project.pivot("repro").stdout
