"""No command waits without a word: for a stage that prints nothing, nor for an import that does not end."""

from collections.abc import Callable

from harness import Project

STAGE = """
import time

import pivot

pipeline = pivot.Pipeline("p")


@pipeline.register
def still() -> None:
    time.sleep(2.3)
"""
LONG = "import time\n\ntime.sleep(2.3)\n" + STAGE.replace("time.sleep(2.3)", "pass")


def test_a_stage_that_prints_nothing(make: Callable[[str], Project]) -> None:
    project = make(STAGE)
    project.pivot("config", "set", "run.silence", "1")
    told = project.pivot("repro").stderr
    assert told.count("still running, no output for 1 s") == 1
    assert told.count("still running, no output for 2 s") == 1
    assert "still running" not in project.pivot("repro", "--force", env={"PIVOT_RUN_SILENCE": "0"}).stderr


def test_an_import_that_takes_long(make: Callable[[str], Project]) -> None:
    project = make(LONG)
    for command, told in (("list", 1), ("repro", 1)):
        done = project.pivot(command, env={"PIVOT_RUN_SILENCE": "2", "PIVOT_SNAPSHOT": "off"})
        assert done.stderr.count("note: still importing your pipeline, for 2 s now") == told
