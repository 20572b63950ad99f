"""Commands that a long-lived program starts, and contexts for its threads."""

import os
import pathlib
import threading

import pytest

from pivot_cli.embedding.command_process import MOST_LINES, CommandProcess
from pivot_cli.embedding.contexts import embedded_context
from pivot_core.errors import DiscoveryError
from pivot_runtime.inspecting.status import StatusOptions, status
from pivot_runtime.project.project import init

DEADLINE = 120

DECLARED = """\
pipeline: shell
stages:
  upper:
    cmd: {command}
    deps: [words.txt]
    outs: [loud.txt]
"""


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """A project with one stage."""
    directory = tmp_path / "project"
    directory.mkdir()
    init(directory)
    (directory / "words.txt").write_text("a b c\n")
    declare(directory, "tr a-z A-Z < words.txt > loud.txt")
    return directory


def declare(directory: pathlib.Path, command: str) -> None:
    (directory / "pivot.yaml").write_text(DECLARED.format(command=command))


def test_a_command_does_its_work_and_its_output_is_kept(root: pathlib.Path) -> None:
    changes: list[str] = []

    started = CommandProcess(("repro",), root, os.environ, lambda: changes.append(started.state))

    assert started.wait(DEADLINE)
    assert (started.state, started.exit_code) == ("ended", 0)
    assert (root / "loud.txt").read_text() == "A B C\n"
    assert any("upper" in line for line in started.lines)
    assert changes[-1] == "ended"
    assert not started.stop()


def test_a_command_that_fails_says_so(root: pathlib.Path) -> None:
    started = CommandProcess(("repro", "nowhere"), root, os.environ)

    assert started.wait(DEADLINE)
    assert started.exit_code == 2
    assert any("nowhere" in line for line in started.lines)


def test_only_the_last_lines_are_kept_and_without_control_codes(root: pathlib.Path) -> None:
    declare(
        root, r"""i=0; while [ $i -lt 99 ]; do i=$((i+1)); printf '\033[31mline\033[2J %s\n' $i; done; > loud.txt"""
    )

    started = CommandProcess(("repro", "--verbose"), root, os.environ)

    assert started.wait(DEADLINE)
    assert len(started.lines) <= MOST_LINES
    assert "\x1b" not in "".join(started.lines)


def test_a_command_is_stopped_as_by_ctrl_c_and_records_nothing(root: pathlib.Path) -> None:
    declare(root, "mkfifo wait.fifo && cat wait.fifo > loud.txt")
    began = threading.Event()
    started = CommandProcess(("repro",), root, os.environ, began.set)

    while not (root / "wait.fifo").exists() and started.state == "running":
        began.wait(0.01)
    assert started.stop()

    assert started.wait(DEADLINE)
    assert started.exit_code == 130
    assert not (root / ".pivot/stages/shell.upper.lock").exists()


def test_a_command_and_its_stages_can_be_killed(root: pathlib.Path) -> None:
    declare(root, "mkfifo wait.fifo && cat wait.fifo > loud.txt")
    pause = threading.Event()
    started = CommandProcess(("repro",), root, os.environ)
    while not (root / "wait.fifo").exists() and started.state == "running":
        pause.wait(0.01)

    started.kill()

    assert started.wait(DEADLINE)
    assert started.exit_code == -9


def test_a_command_that_ends_can_be_stopped_and_killed_by_all_at_once(root: pathlib.Path) -> None:
    problems: list[BaseException] = []

    def end(started: CommandProcess) -> None:
        try:
            while started.state == "running":
                started.stop()
                started.kill()
        except BaseException as error:
            problems.append(error)
            raise

    for _ in range(10):
        started = CommandProcess(("--version",), root, os.environ)
        threads = [threading.Thread(target=end, args=(started,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert started.wait(DEADLINE)
        assert not started.stop()
        started.kill()

    assert problems == []


def test_a_command_has_ended_even_if_a_process_that_it_left_keeps_its_output_open(root: pathlib.Path) -> None:
    os.mkfifo(root / "wait.fifo")
    (root / "pivot.yaml").unlink()
    (root / "pipeline.py").write_text(
        "import subprocess\n"
        "subprocess.Popen(['cat', 'wait.fifo'], start_new_session=True)\n"
        "raise SystemExit('left it')\n"
    )

    started = CommandProcess(("repro",), root, os.environ)
    with (root / "wait.fifo").open("wb"):  # opens once the process reads
        ended = started.wait(DEADLINE)

    assert ended
    assert started.exit_code not in (None, 0)
    assert any("left it" in line for line in started.lines)


def test_threads_evaluate_with_contexts_of_their_own(root: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> None:
    found: list[str] = []

    def look() -> None:
        seen = status(embedded_context(root, os.environ), (), StatusOptions(all_pipelines=True, quiet=True))
        found.append(seen.stages[0].evaluation.stage.spec.address)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)

    assert found == ["shell.upper"] * 4
    assert capfd.readouterr() == ("", "")


def test_a_context_needs_a_project(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DiscoveryError):
        embedded_context(tmp_path, os.environ)
