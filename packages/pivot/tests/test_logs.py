"""The output of a stage can be seen while it runs."""

import signal
import subprocess
import time
from collections.abc import Callable

from harness import Project

STAGES = """
import pathlib, sys, time
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("p")


def wait(name):
    while not pathlib.Path(name).exists():
        time.sleep(0.01)


@pipeline.register
def good() -> None:
    wait("go")
    print("of good")
    wait("on")
    print("bye", end="")


@pipeline.register(retries=1)
def bad() -> None:
    wait("go")
    print("of bad")
    raise ValueError("no")
"""


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def follow(project: Project, *stages: str) -> subprocess.Popen[str]:
    return project.start("logs", "-f", *stages, stderr=subprocess.STDOUT)


def test_logs_of_stages_that_run(make: Callable[[str], Project]) -> None:
    project = make(STAGES)
    assert "note: no stage is running" in project.pivot("logs", "-f").stderr
    run = project.start("repro", "-j", "2", "--keep-going")
    try:
        until(lambda: "has been running for" in project.pivot("logs", "good", code=None).stderr)
        until(lambda: "has been running for" in project.pivot("logs", "bad", code=None).stderr)
        one, both, stopped = follow(project, "good"), follow(project), follow(project, "bad")
        assert stopped.stdout is not None
        assert "'bad' has been running for" in stopped.stdout.readline()
        assert both.stdout is not None
        followed = both.stdout.readline() + both.stdout.readline()
        assert "'good' has been running for" in followed
        assert "'bad' has been running for" in followed
        stopped.send_signal(signal.SIGINT)
        assert stopped.wait(60) == 130
        stopped.stdout.close()
        project.write("go", "")
        assert one.stdout is not None
        while "of good" not in one.stdout.readline():
            pass
        assert "(running for" in project.pivot("logs", "good").stderr
        project.write("on", "")
        told, everything = one.communicate(timeout=60)[0], both.communicate(timeout=60)[0]
    finally:
        run.kill()
        run.communicate()
    assert told == "bye\nnote: 'good' has ended: ran\n"
    assert one.returncode == 0
    assert "good | of good\n" in everything
    assert "good | bye\n" in everything
    assert "bad  | of bad\n" in everything
    assert "note: 'bad' has ended: failed" in everything
    assert both.returncode == 1

    ended = project.pivot("logs", "-f", "good")
    assert ended.stdout == "of good\nbye"
    assert "'p.good' is not running" in ended.stderr
    assert project.pivot("logs", "good", "bad").stdout == "of good\nbyeof bad\n"
    assert "no stage called" in project.pivot("logs", "-f", "goood", code=2).stderr
    project.pivot("logs", code=2)
    project.pivot("logs", "-f", "--back", "1", "good", code=2)
