"""The page of exit codes: each row is tried, and every command refuses what it does not know with 2."""

import contextlib
import importlib
import json
import os
import pathlib
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import click
import pytest

from pivot_cli import app

ROOT = pathlib.Path(__file__).parent.parent
sys.path.append(str(ROOT / "packages/pivot/tests"))
harness = importlib.import_module("harness")
PAGE = (ROOT / "docs/reference/exit-codes.md").read_text()
OF_JSON = (ROOT / "tests/test_json_outputs.py").read_text()

STAGES = """
pipeline: p
stages:
  ok:
    cmd: cat in.txt in.txt > ok.txt && echo 1 > m.json && echo a,1 > l.csv && echo done
    deps: [in.txt]
    outs: [ok.txt]
    metrics: [m.json]
    plots: [l.csv]
  bad: {cmd: "false", deps: [in.txt]}
  blocked: {cmd: cat none.txt, deps: [none.txt]}
  edits: {cmd: echo >> own.txt, deps: [own.txt]}
  other: {cmd: echo $RANDOM$RANDOM > other.txt, outs: [other.txt]}
  waits: {cmd: "echo began && touch began && while [ ! -e go ]; do sleep 0.01; done && false"}
"""
OTHERS = ["clean", "remote gc"]
"""Commands that another test below tries."""
# A line is a script for bash, or `CODE: ARGUMENTS`, a command and its exit code.
SCENARIO = """
    pivot init -q && echo 1 > in.txt && echo > own.txt
    1: verify ok
    0: status
    1: status --quiet
    0: repro ok
    0: verify ok
    0: run ok
    1: repro bad
    1: repro blocked
    1: repro edits
    1: run bad
    0: logs ok
    1: logs ok --back 2
    2: logs none
    0: repro other
    1: verify other --rerun
    git add -A && git commit -qm A
    echo edited > ok.txt
    1: checkout
    0: checkout --force
    0: apply RESULT
    echo edited > ok.txt
    1: apply RESULT
    0: checkout --force ok.txt
    echo '{' > m.json
    1: metrics show
    1: metrics diff
    1: report -o r.html
    0: params show
    0: params diff
    0: plots show -o p.html
    1: check-ignore x
    0: check-ignore x.pyc
    1: config get run.jobs
    1: config unset run.jobs
    0: doctor
    rm ok.txt
    1: cache drop ok.txt
    0: cache drop --dry-run other.txt
    echo changed > ok.txt && rm -rf .pivot/cache/files
    1: get ok.txt --rev HEAD -o -
    1: diff ok.txt
    1: plots show HEAD -o p.html
    1: plots diff -o p.html
    1: cache verify
    1: cache gc --undo
    1: checkout
    mkdir ../remote && pivot remote add main "file://$(realpath ../remote)" && rm ok.txt
    1: push
    1: fetch
    1: pull
    1: lock merge base ours theirs data.pvt
    rm -r ../remote
    3: fetch
    echo 'stages: [' > pivot.yaml
    2: repro
    1: doctor
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Any:
    project = harness.Project(tmp_path / "project")
    project.write("pivot.yaml", STAGES)
    for name, digit in {"base": "0", "ours": "1", "theirs": "2"}.items():
        record = {"format": 1, "algorithm": "xxh3-128", "digest": digit * 32, "executable": False, "size": 1}
        project.write(name, json.dumps(record))
    subprocess.run(["git", "init", "--quiet"], cwd=project.root, check=True)
    return project


def test_every_row_is_true(project: Any, tmp_path: pathlib.Path) -> None:
    git = {"GIT_AUTHOR_NAME": "A", "GIT_COMMITTER_NAME": "A", "EMAIL": "a@example.org"}
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    env = {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8", **git}
    for line in map(str.strip, SCENARIO.strip().splitlines()):
        code, _, arguments = line.partition(": ")
        if not code.isdigit():
            subprocess.run(["bash", "-c", line], cwd=project.root, env=env, check=True)
            continue
        if "RESULT" in arguments:
            arguments = arguments.replace("RESULT", project.json("results", "--json")["results"][0]["id"])
        done = project.pivot(*shlex.split(arguments), code=int(code), env=env)
        if code in "23":
            assert re.search("^error: ", done.stderr, re.MULTILINE), line

    tried = {line for line in SCENARIO.splitlines() + OF_JSON.splitlines() if re.match(r" *(\w[\w-]* )?1: ", line)}
    rows = {
        name
        for row in re.findall(r"^\| (`pivot .*?) \|", PAGE, re.MULTILINE)
        for name in re.findall(r"pivot ([a-z -]+)", row)
    }
    assert "no stage called 'bad' has a log here" in project.pivot("logs", "bad", code=2).stderr
    assert sorted(name for name in rows if not any(f": {name}" in f"{line} " for line in tried)) == OTHERS


def test_answers_of_no_to_a_question(project: Any) -> None:
    project.pivot("init")
    project.write("in.txt", "1")
    project.pivot("repro", "ok")
    (project.root.parent / "remote").mkdir()
    project.pivot("remote", "add", "main", f"file://{project.root.parent}/remote")
    project.pivot("push")
    project.write("in.txt", "2")
    project.pivot("repro", "ok")

    for command in (["clean", "--force"], ["remote", "gc", "--grace", "0s", "--force"]):
        ours, theirs = pty.openpty()
        with project.start(*command, stdin=theirs) as process:
            os.write(ours, b"n\n")
            _, said = process.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        assert process.returncode == 1, said


def test_interrupts_and_another_command_at_work(project: Any) -> None:
    project.pivot("init")
    with contextlib.ExitStack() as stack:
        run = stack.enter_context(project.start("repro", "waits"))
        while not (project.root / "began").exists():
            assert run.poll() is None
            time.sleep(0.01)
        follow = stack.enter_context(project.start("logs", "waits", "--follow"))
        assert follow.stdout.readline() == "began\n"
        project.pivot("repro", "--no-wait", code=3)
        (project.root / "go").touch()
        assert (run.wait(60), follow.wait(60)) == (1, 1)

    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        (project.root / "began").unlink()
        (project.root / "go").unlink(missing_ok=True)
        with project.start("repro", "waits") as run:
            while not (project.root / "began").exists():
                assert run.poll() is None
                time.sleep(0.01)
            run.send_signal(number)
            assert run.wait(60) == code


def test_every_command_refuses_an_unknown_option(tmp_path: pathlib.Path) -> None:
    project = harness.Project(tmp_path)
    for words in _commands(app.cli, ()):
        project.inside(*words, "--no-such-option", code=2)


def _commands(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        yield words
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        each = command.get_command(context, name)
        assert each is not None
        yield from _commands(each, (*words, name))
