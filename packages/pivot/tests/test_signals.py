"""Real signals at the coordinator, the host and the stages: all ends, nothing is committed, the next run works."""

import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from harness import SLOW_IMPORTS, Project

PIPELINE = """\
import os
import pathlib
import signal
import subprocess
import time
from typing import Annotated

import pivot
from pivot import Dep, Out
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")
VERSION = 1


@pipeline.register
def first() -> Annotated[str, Out("first.txt", Text())]:
    return "first"


@pipeline.register
def long(text: Annotated[str, Dep("first.txt", Text())]) -> Annotated[str, Out("long.txt", Text())]:
    if pathlib.Path("quick").exists():
        return f"version {VERSION}"
    if pathlib.Path("stubborn").exists():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    pathlib.Path("long.txt").write_text("half")
    grandchild = subprocess.Popen(["sleep", "300"], start_new_session=pathlib.Path("daemon").exists())
    tell = pathlib.Path("pids.tmp")
    tell.write_text(f"{os.getpid()} {os.getppid()} {grandchild.pid}")
    tell.rename("pids")
    try:
        while True:
            time.sleep(0.01)
    finally:
        pathlib.Path("unwound").touch()
"""

ENDING = """\
import os
import pathlib
import sys
import time

import pivot

pipeline = pivot.Pipeline("p")


class Last:
    def __del__(self, exists=os.path.exists, open=open, sleep=time.sleep):
        open("ending", "w").close()
        while not exists("sent"):
            sleep(0.01)


@pipeline.register
def stage() -> None:
    sys.last = Last()
    pathlib.Path("ready").touch()
    while True:
        time.sleep(0.01)
"""

DEADLINE = 60.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll for something that another process does."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    return subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()[:1] not in ("", "Z")


class Running:
    """A `pivot repro` whose second stage is in the middle of its work."""

    def __init__(self, project: Project, **options: Any) -> None:
        self.project = project
        self.process = project.start("repro", **options)
        pids = project.root / "pids"
        wait_until(pids.exists, "the stage has started")
        self.stage, self.host, self.grandchild = map(int, pids.read_text().split())
        pids.unlink()

    def end(self) -> tuple[int, str]:
        """Wait for the coordinator: its exit code and its output."""
        told = self.process.communicate(timeout=DEADLINE)[1]
        return self.process.returncode, SLOW_IMPORTS.sub("", told)

    def assert_all_gone(self) -> None:
        for pid in (self.stage, self.host, self.grandchild):
            wait_until(lambda pid=pid: not alive(pid), f"process {pid} has ended")  # type: ignore[misc]


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    """A project that has run once; its second stage is stale again, and would now take forever."""
    made = make(PIPELINE)
    made.write("quick", "")
    made.pivot("repro")
    made.replace("pipeline.py", "VERSION = 1", "VERSION = 2")
    (made.root / "quick").unlink()
    return made


def assert_as_before(project: Project) -> None:
    """Nothing was committed, and the next run does what was left."""
    assert project.states() == {"first": "cached", "long": "stale"}
    project.write("quick", "")
    assert "1 ran, 1 cached" in project.pivot("repro").stdout
    assert project.read("long.txt") == "version 2"


def test_ctrl_c(project: Project) -> None:
    """Children end and clean up, exit 130, the previous outs are back, the stage is stale."""
    lock = project.read(".pivot/stages/p.long.lock")
    running = Running(project)
    running.process.send_signal(signal.SIGINT)
    code, told = running.end()

    assert code == 130
    assert "error: interrupted" in told
    assert "Traceback" not in told
    assert (project.root / "unwound").exists()
    running.assert_all_gone()
    assert project.read("long.txt") == "version 1"
    assert project.read(".pivot/stages/p.long.lock") == lock
    assert_as_before(project)


def test_ctrl_c_with_a_stage_that_does_not_listen(project: Project) -> None:
    project.write("stubborn", "")
    running = Running(project)
    running.process.send_signal(signal.SIGINT)
    code, _ = running.end()

    assert code == 130
    running.assert_all_gone()
    assert project.read("long.txt") == "version 1"


def test_a_second_ctrl_c_ends_at_once(project: Project) -> None:
    project.write("stubborn", "")
    running = Running(project)
    running.process.send_signal(signal.SIGINT)
    assert running.process.stderr is not None
    while "press Ctrl-C again to end at once" not in running.process.stderr.readline():
        pass
    running.process.send_signal(signal.SIGINT)
    code, told = running.end()

    assert code == 130
    assert "Traceback" not in told
    running.assert_all_gone()
    assert project.read("long.txt") == "version 1"


def test_sigterm(project: Project) -> None:
    running = Running(project)
    running.process.send_signal(signal.SIGTERM)
    code, told = running.end()

    assert code == 143
    assert "error: terminated" in told
    running.assert_all_gone()
    assert project.read("long.txt") == "version 1"
    assert_as_before(project)


def test_a_closed_terminal(project: Project) -> None:
    running = Running(project)
    running.process.send_signal(signal.SIGHUP)
    code, _ = running.end()

    assert code == 129
    running.assert_all_gone()
    assert project.read("long.txt") == "version 1"


def test_a_closed_terminal_under_nohup(project: Project) -> None:
    """Who ignores the signal goes on."""
    running = Running(project, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    running.process.send_signal(signal.SIGHUP)
    os.kill(running.stage, signal.SIGKILL)
    code, told = running.end()

    assert code == 1
    assert "killed by SIGKILL" in told


def test_the_coordinator_is_killed(project: Project) -> None:
    """Children die with it and commit nothing."""
    lock = project.read(".pivot/stages/p.long.lock")
    running = Running(project)
    running.process.kill()
    running.end()

    running.assert_all_gone()
    assert project.read(".pivot/stages/p.long.lock") == lock

    project.replace("pipeline.py", "VERSION = 2", "VERSION = 1")
    assert project.states()["long"] == "stale"  # it has written half of its out
    (project.root / "long.txt").unlink()
    before = project.snapshot()
    looked = project.pivot("status")
    assert "hint: a run was killed that had set aside long.txt: 'pivot repro' puts it back first\n" in looked.stderr
    assert "2 stages, all cached" in looked.stdout
    assert project.snapshot() == before
    assert "up to date" in project.pivot("repro").stdout
    assert project.read("long.txt") == "version 1"
    assert project.pivot("status").stderr == ""
    project.replace("pipeline.py", "VERSION = 1", "VERSION = 2")
    assert_as_before(project)


def test_the_host_is_killed(project: Project) -> None:
    running = Running(project)
    os.kill(running.host, signal.SIGKILL)
    code, told = running.end()

    assert code == 3
    assert "error: the process that runs your stages ended unexpectedly" in told
    assert "import" not in told
    running.assert_all_gone()
    assert_as_before(project)


@pytest.mark.parametrize("victim", ["process", "host", "stage"])
def test_a_daemon_ends_with_whatever_is_killed(project: Project, victim: str) -> None:
    """Also what a stage has put into a session of its own."""
    project.write("daemon", "")
    running = Running(project)
    os.kill({"process": running.process.pid, "host": running.host, "stage": running.stage}[victim], signal.SIGKILL)
    running.end()

    running.assert_all_gone()


def test_the_stage_is_killed(project: Project) -> None:
    running = Running(project)
    os.kill(running.stage, signal.SIGKILL)
    code, told = running.end()

    assert code == 1
    assert "stage 'long' failed: it was killed by SIGKILL" in told
    running.assert_all_gone()
    assert project.read("long.txt") == "version 1"
    assert_as_before(project)


def test_ctrl_c_again_while_the_interpreter_of_stages_ends(make: Callable[[str], Project]) -> None:
    """The exit code is that of the first."""
    project = make(ENDING)
    process = project.start("repro", "--in-process")
    wait_until((project.root / "ready").exists, "the stage has started")
    process.send_signal(signal.SIGINT)
    wait_until((project.root / "ending").exists, "objects are destroyed")
    process.send_signal(signal.SIGINT)
    (project.root / "sent").touch()

    process.communicate(timeout=DEADLINE)
    assert process.returncode == 130


def test_ctrl_c_while_the_pipeline_is_imported(make: Callable[[str], Project]) -> None:
    project = make(
        "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\n"
        "pathlib.Path('pid').rename('ready')\n"
        "while True:\n    time.sleep(0.01)\n"
    )
    process = project.start("repro")
    ready = project.root / "ready"
    wait_until(ready.exists, "the import has begun")
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=DEADLINE)[1]

    assert process.returncode == 130
    assert "Traceback" not in told
    host = int(pathlib.Path(ready).read_text())
    wait_until(lambda: not alive(host), "the host has ended")
