"""Texts of files and names are shown, and neither obeyed by a terminal nor taken for a command by a CI service."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
from typing import Any

import pytest
from harness import Project

BAD = "x\n::error::owned\x1b[31m\x1b]0;t\x07\u202e\x9b2J"
LOOKING = (
    "list",
    "status",
    "status --explain",
    "verify",
    "verify --static",
    "verify --format github",
    "verify --format junit",
    "doctor",
    "dag",
    "config list",
)


def tour(project: Project, *commands: str) -> None:
    for words in commands:
        done = project.pivot(*words.split(" "), code=None)
        for told in (done.stdout, done.stderr):
            for line in told.splitlines() if "junit" in words else told.split("\n"):
                assert line.isprintable(), (words, line)
                assert not line.lstrip().startswith("::error::"), (words, line)


@pytest.fixture
def hostile(empty: Project) -> Project:
    project = empty
    project.pivot("init")
    make = "mkdir -p o; echo 1 > o/\"$(printf 'f\\n::error::owned\\033[31m')\"; echo 1 > plain"
    stages = {
        "a": {"cmd": make, "outs": ["o/", "plain"], "params": {"p": BAD}},
        "b": {"cmd": "cat in* > out2", "deps": [f"in{BAD}"], "outs": ["out2"]},
    }
    project.write("pivot.yaml", json.dumps({"pipeline": "d", "stages": stages}))
    project.write(f"in{BAD}", "1")
    return project


def test_names_of_files_and_values(hostile: Project) -> None:
    tour(hostile, *LOOKING, "repro", "repro --explain", "history", "show", "fingerprint", "checkout")
    for file in (hostile.root / "o").iterdir():
        file.write_text("2")
    tour(hostile, *LOOKING, "repro --dry-run", f"repro {BAD}", f"config set {BAD} 1", f"checkout {BAD}", f"logs {BAD}")


def test_paths_in_the_lines_of_a_run(empty: Project) -> None:
    project = empty
    project.pivot("init")
    stages = {
        "a": {"cmd": 'printf 1 > "$(cat name)"', "deps": ["name"], "outs": [{"path": f"out{BAD}", "plot": True}]},
        "b": {"cmd": "cat missing* > out2", "deps": [f"missing{BAD}"], "outs": ["out2"]},
    }
    project.write("pivot.yaml", json.dumps({"pipeline": "d", "stages": stages}))
    project.write("name", f"out{BAD}")
    tour(project, "repro --keep-going")
    project.write(f"out{BAD}", "edited")
    tour(project, "repro a", "checkout --kept", f"checkout --kept out{BAD} --force", "repro --explain a", "show")
    pages = "dag --artifacts --format html", "show --format html", "report -o -", "plots show -o -", "plots show --json"
    tour(project, "dag --artifacts --format mermaid", "dag --artifacts --format dot", *pages)


def test_texts_in_files_of_strangers(hostile: Project) -> None:
    hostile.pivot("repro")
    lock = hostile.root / ".pivot/stages/d.a.lock"
    (hostile.root / f".pivot/stages/d.{BAD.replace('/', '')}.lock").write_bytes(lock.read_bytes())
    lock.write_text(json.dumps(spoiled(json.loads(lock.read_text()))))
    tour(hostile, *LOOKING[1:6])
    text = '"a\\n::error::owned\\e[31m\\u202e": "c\\n::error::d"\n'
    for name in ("params.yaml", ".pivot/config.yaml", "q.pvt", ".pivotignore", "pivot.yaml"):
        before = (hostile.root / name).read_bytes() if (hostile.root / name).exists() else None
        hostile.write(name, text)
        tour(hostile, "verify --static", "doctor")
        restore(hostile.root / name, before)


@pytest.mark.parametrize("kind", ["pipe", "socket", "deep"])
def test_damaged_derived_state_costs_only_time(empty: Project, kind: str) -> None:
    project = empty
    project.pivot("init")
    project.write(
        "pivot.yaml",
        "pipeline: d\nstages:\n  a: {cmd: echo 1 > out, outs: [out]}\n  b: {cmd: cp out b, deps: [out], outs: [b]}\n",
    )
    for command in ("repro", "status", "doctor"):
        project.pivot(command)
    state = project.root / ".pivot/state.db"
    for file in sorted(state.rglob("*")):
        if file.is_file() and file.suffix not in {".sqlite", ".lock"} and "-" not in file.suffix:
            file.unlink()
            if kind == "pipe":
                os.mkfifo(file)
            elif kind == "socket":
                bind(file)
            else:
                file.write_text("[" * 100_000)

    for command in ("status", "repro", "verify", "doctor", "history"):
        assert project.pivot(command, code=None).returncode in (0, 3), command
    assert project.states() == {"a": "cached", "b": "cached"}


def test_a_socket_that_is_in_the_way_is_named(empty: Project) -> None:
    project = empty
    project.pivot("init")
    project.write("pivot.yaml", "pipeline: d\nstages:\n  a: {cmd: echo 1 > out, outs: [out]}\n")
    for name, code in {
        ".pivot/config.yaml": 2,
        ".pivot/state.db": 3,
        ".pivot/state.db/run.guard": 3,
        ".pivot/state.db/logs": 3,
        ".pivot/stages": 3,
        ".pivot/cache/files": 3,
    }.items():
        file = project.root / name
        shutil.rmtree(file, ignore_errors=True)
        file.unlink(missing_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        bind(file)
        told = project.pivot("repro", "--force", code=code).stderr
        assert "Traceback" not in told
        assert "is a socket" in told, (name, told)
        assert name in told
        file.unlink()
    (project.root / ".pivot/stages").mkdir(exist_ok=True)
    project.pivot("repro", "--force")


LONG_NAMES = {"name": "n" * 256, "path": "/".join(["d" * 200] * 21)}


@pytest.mark.parametrize("long", LONG_NAMES.values(), ids=LONG_NAMES)
def test_a_path_that_no_file_can_have_stops_only_its_stage(empty: Project, long: str) -> None:
    project = empty
    project.pivot("init")
    stages = {
        "good": {"cmd": "echo 1 > good", "outs": ["good"]},
        "dep": {"cmd": "echo 1 > a", "deps": [long], "outs": ["a"]},
        "some": {"cmd": "echo 1 > b", "deps": [f"{long}/*.csv"], "outs": ["b"]},
        "out": {"cmd": "echo 1 > c", "outs": ["c", f"{long}x/c"]},
        "metric": {"cmd": "echo 1 > d", "outs": ["d"], "metrics": [long + ".json"]},
        "keys": {"cmd": "echo 1 > e", "params": [{f"{'n' * 256}.yaml": ["a"]}], "outs": ["e"]},
        "next": {"cmd": "echo 1 > f", "deps": ["c"], "outs": ["f"]},
    }
    project.write("pivot.yaml", json.dumps({"pipeline": "d", "stages": stages}))
    project.write("good.txt", "1")
    project.pivot("remote", "add", "drive", f"file://{project.root}-remote")
    os.mkdir(f"{project.root}-remote")

    told = project.pivot("repro", "--keep-going", code=1).stderr
    assert f"stage 'dep' cannot run: {long} cannot be read: it has a longer path than a file can have" in told
    assert f"stage 'some' cannot run: {long}/*.csv matches no file" in told
    assert f"stage 'out' cannot run: {long}x/c cannot be written: it has a longer path than a file can have" in told
    assert "hint: shorten it, or declare another path" in told
    stale = dict.fromkeys(("dep", "some", "out", "metric", "keys", "next"), "stale")
    assert project.states() == {"good": "cached"} | stale
    for code, *words in (
        (0, "status", "--explain"),
        (0, "repro", "good"),
        (1, "repro", "dep"),
        (0, "repro", "--dry-run"),
        (1, "verify"),
        (0, "verify", "good"),
        (0, "push"),
        (0, "list"),
        (0, "metrics", "show"),
        (0, "params", "show"),
        (0, "doctor"),
        (2, "track", long),
        (2, "status", long),
        (2, "checkout", long),
        (1, "check-ignore", long),
        (2, "commit"),
        (0, "track", "good.txt"),
    ):
        assert "check the permissions" not in project.pivot(*words, code=code).stderr, words
    assert "hint: shorten it" in project.pivot("mv", "good.txt", long, code=None).stderr


def bind(file: pathlib.Path) -> None:
    """Put a socket at a path, however long that is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(file.parent), socket.socket(socket.AF_UNIX) as made:
        made.bind(file.name)


def restore(file: pathlib.Path, content: bytes | None) -> None:
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)


def spoiled(value: Any) -> Any:
    """With what is hostile at the end of every text but those without which it is no lock."""
    if isinstance(value, dict):
        return {key: spoiled(each) for key, each in value.items()}
    if isinstance(value, list):
        return [spoiled(each) for each in value]
    return value + BAD if isinstance(value, str) and not value.isalnum() else value
