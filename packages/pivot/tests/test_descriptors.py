"""Started by a daemon or a scheduler, a command may find its standard streams closed."""

import subprocess
from collections.abc import Callable

import pytest
from harness import PIVOT, Project

PIPELINE = """\
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("p")


@pipeline.register
def work() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    print("printed")
    return "out"
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(make: Callable[[str], Project], closed: str) -> None:
    """What would be told is lost; what is to be done is done, and the exit code says so."""
    project = make(PIPELINE)
    commands = [f"'{PIVOT}' --version", f"'{PIVOT}' repro", f"'{PIVOT}' status --quiet", f"'{PIVOT}' status"]
    for command in commands:
        done = subprocess.run(
            f"{command} {closed}", shell=True, cwd=project.root, capture_output=True, text=True, check=False
        )
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), command

    assert project.read("out.txt") == "out"
    assert project.read(".pivot/state.db/logs/p.work.log") == "printed\n"
