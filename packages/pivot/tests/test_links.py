"""A repository in which something of Pivot's own is a symbolic link: nothing is written through it."""

import pathlib
import shutil
import subprocess

import pytest
from harness import Project

COMMANDS = (
    "status", "repro", "verify", "verify --static", "push", "pull", "checkout", "track data.txt", "cache gc", "init",
    "doctor", "config set run.keep_going true", "config list", "list",
)  # fmt: skip
PLACES = (
    ".pivot", ".pivot/stages", ".pivot/state.db", ".pivot/state.db/logs", ".pivot/cache", ".pivot/cache/files",
    ".pivot/config.yaml", ".pivot/stages/d.a.lock", ".pivot/.gitignore", ".pivotignore",
)  # fmt: skip


@pytest.fixture
def project(empty: Project) -> Project:
    empty.pivot("init")
    empty.pivot("config", "set", "run.keep_going", "false")
    empty.write("pivot.yaml", "pipeline: d\nstages:\n  a: {cmd: echo 1 > out, outs: [out]}\n")
    empty.write("data.txt", "1")
    empty.pivot("repro")
    empty.pivot("status")
    return empty


def moved(project: Project, name: str, outside: pathlib.Path) -> pathlib.Path:
    """Move what is at a path out of the project, with a link in its place; where it is now."""
    there = outside / name.replace("/", "_")
    shutil.move(project.root / name, there)
    (project.root / name).symlink_to(there)
    return there


def back(project: Project, name: str, there: pathlib.Path) -> None:
    (project.root / name).unlink()
    shutil.move(there, project.root / name)


def content(outside: pathlib.Path) -> dict[str, tuple[int, int]]:
    return {str(file): (file.lstat().st_size, file.lstat().st_ctime_ns) for file in outside.rglob("*")}


def test_every_command_refuses_before_anything_is_written(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    for number, name in enumerate(PLACES):
        there = moved(project, name, outside)
        before = content(outside)
        asked = COMMANDS if name == ".pivot/stages" else ("status", COMMANDS[number + 1])
        for command in asked:
            done = project.pivot(*command.split(" "), code=2)
            assert done.stderr.startswith(f"error: {name} is a symbolic link to "), (command, done.stderr)
            assert "hint: " in done.stderr
        assert content(outside) == before
        back(project, name, there)
    assert project.states() == {"a": "cached"}


def test_the_hints_lead_out(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    for name in reversed(PLACES):
        moved(project, name, outside)
        hint = project.pivot("repro", code=2).stderr.partition("hint: ")[2]
        words = hint.replace("; ", ": ").strip().split(": ")
        command = next(each for each in words if each.startswith(("rm ", "cp ")))
        subprocess.run(["/bin/sh", "-c", command], cwd=project.root, check=True)
        if "pivot init" in hint:
            project.pivot("init")
        assert not (project.root / name).is_symlink()
        project.pivot("repro", "--force")
        assert project.read("out") == "1\n"
    project.pivot("verify")
