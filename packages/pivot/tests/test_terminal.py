"""A run on a terminal: what is at work is drawn, and gone at the end; elsewhere there are plain lines."""

import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable

import pytest
from harness import PIVOT, Project

PIPELINE = """\
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def first() -> Annotated[str, pivot.Out("first.txt", Text())]:
    return "first"


@pipeline.register
def slow(text: Annotated[str, pivot.Dep("first.txt", Text())]) -> Annotated[str, pivot.Out("slow.txt", Text())]:
    print("half way\\nepoch 3: loss 0.12")
    with open("go") as go:
        go.read()
    return text
"""

SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """A command on a terminal, and what has come from it."""

    def __init__(self, project: Project, *arguments: str) -> None:
        self.fd, theirs = pty.openpty()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PIVOT_")}
        environment |= {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        self.process = subprocess.Popen(
            [PIVOT, *arguments],
            cwd=project.root,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            preexec_fn=lambda: os.login_tty(os.dup(0)),  # noqa: PLW1509  # a terminal that it can open
        )
        os.close(theirs)
        self.shown = ""

    def until(self, text: str) -> None:
        """Read until a text has come."""
        while text not in SEQUENCES.sub("", self.shown):
            assert self._read(), f"{text!r} did not come: {self.shown!r}"

    def end(self) -> int:
        """Read all that comes."""
        while self._read():
            pass
        os.close(self.fd)
        return self.process.wait()

    def _read(self) -> bool:
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # how the end of a terminal is reported
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    made = make(PIPELINE)
    os.mkfifo(made.root / "go")
    return made


def test_running_stages_are_drawn_and_erased_at_the_end(project: Project) -> None:
    terminal = Terminal(project, "repro")
    terminal.until("running   slow")
    terminal.until("epoch 3: loss 0.12")
    terminal.until("1 of 2 stages done")
    (project.root / "go").write_text("")

    assert terminal.end() == 0
    last = terminal.shown.rpartition("\x1b[?25h")[2]  # from where the cursor is shown again
    assert SEQUENCES.sub("", last).split() == ["Done:", "2", "ran", last.split()[-1]]
    assert terminal.shown.count("\x1b[?25l") == terminal.shown.count("\x1b[?25h") == 1
    ran = [line for line in SEQUENCES.sub("", terminal.shown).splitlines() if line.startswith("ran")]
    assert [line.split()[1] for line in ran] == ["first", "slow"]


def test_an_interrupted_run_leaves_the_terminal_in_order(project: Project) -> None:
    terminal = Terminal(project, "repro")
    terminal.until("running   slow")
    terminal.process.send_signal(signal.SIGINT)

    assert terminal.end() == 130
    assert terminal.shown.rstrip().endswith("interrupted")
    assert terminal.shown.rfind("\x1b[?25h") > terminal.shown.rfind("\x1b[?25l")


def test_a_stage_cannot_wait_for_the_terminal(make: Callable[[str], Project]) -> None:
    """It would be stopped, and nothing would report that it waits."""
    project = make(
        """\
import getpass
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def asks() -> Annotated[str, pivot.Out("out.txt", Text())]:
    return getpass.getpass()
"""
    )
    terminal = Terminal(project, "repro")

    assert terminal.end() == 1
    assert "stage 'asks' failed: EOFError" in terminal.shown
    assert "pivot run --in-process" in terminal.shown
