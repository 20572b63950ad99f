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


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(make: Callable[[str], Project], closed: str) -> None:
    """The output is lost; the work is done, and the exit code says so."""
    project = make(PIPELINE)
    commands = [f"'{PIVOT}' --version", f"'{PIVOT}' repro", f"'{PIVOT}' status --quiet", f"'{PIVOT}' status"]
    for command in commands:
        done = subprocess.run(
            f"{command} {closed}", shell=True, cwd=project.root, capture_output=True, text=True, check=False
        )
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), command

    assert project.read("out.txt") == "out"
    assert project.read(".pivot/state.db/logs/p.work.log") == "printed\n"


def test_opened_files_are_closed_without_the_garbage_collector(make: Callable[[str], Project]) -> None:
    """Two pipelines, so that hosts come from a seed; each command that has some reports what it leaves open.

    Those without are checked wherever a test uses them.
    """
    project = make(PIPELINE)
    project.write(
        "sub/pivot.yaml", "pipeline: q\nstages:\n  last: {cmd: cp ../out.txt end, deps: [../out.txt], outs: [end]}\n"
    )
    project.write("data.txt", "1")
    subprocess.run(["git", "init", "-q"], cwd=project.root, check=True)
    project.inside("track", "data.txt")
    for words in (
        "list --all",
        "status",
        "repro --all",
        "repro --all",
        "repro --all --force -j 2",
        "status --explain",
        "verify",
        "doctor",
    ):
        done = project.pivot(*words.split(), code=None, env={"PYTHONWARNINGS": "always::ResourceWarning"})
        assert done.returncode in (0, 1), (words, done.stderr)
        assert "ResourceWarning" not in done.stderr + done.stdout, (words, done.stderr)


def test_too_few_descriptors_are_reported_before_any_work(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    limits = [(limit, "repro") for limit in (8, 12, 16, 24)]
    for limit, command in [*limits, (12, "status"), (16, "checkout"), (24, "verify")]:
        done = subprocess.run(
            f"ulimit -n {limit}; exec '{PIVOT}' {command}",
            shell=True,
            cwd=project.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 3, (command, done)
        assert done.stderr.startswith("error: too many open files: "), (command, done)
        assert "hint: raise the limit on open files, as with 'ulimit -n 1024'\n" in done.stderr, (command, done)
        assert done.stderr.endswith("\ndocs: pivot docs troubleshooting#open-files\n"), (command, done)
    assert not (project.root / "out.txt").exists()
    project.pivot("repro")
