"""Actions of the page: which are allowed, and which not."""

import os
import pathlib
import stat
import threading
from collections.abc import Iterator

import pytest
from served import ServedProject, until

from pivot_ui.editor import LINK, find_editor, project_file
from pivot_ui.errors import NotAllowedError, NothingThereError
from pivot_ui.project import ProjectService


@pytest.fixture
def running(root: pathlib.Path) -> Iterator[ServedProject]:
    """A project whose page may run stages."""
    with ServedProject(root, allow_run=True) as found:
        yield found


def test_a_page_without_permission_runs_nothing(served: ServedProject) -> None:
    answer = served.act("repro", targets=[])

    assert answer.status == 409
    assert "--allow-run" in answer.plain["hint"]
    assert not (served.root / "loud.txt").exists()


def test_the_page_runs_all_stages_and_tells_how(running: ServedProject) -> None:
    with running.events() as events:
        answer = running.act("repro", targets=[])
        assert (answer.status, answer.plain["command"]["state"]) == (200, "running")

        ended = until(events, "command", lambda plain: plain["state"] == "ended")

    assert ended["exit_code"] == 0
    assert any("count" in line for line in ended["lines"])
    assert (running.root / "count.txt").exists()


def test_the_page_runs_one_stage_alone(running: ServedProject) -> None:
    with running.events() as events:
        assert running.act("repro", targets=["words.upper"], only=True).status == 200
        assert until(events, "command", lambda plain: plain["state"] == "ended")["exit_code"] == 0

    assert (running.root / "loud.txt").exists()
    assert not (running.root / "count.txt").exists()


def test_runs_are_recorded_as_a_person_types_them(running: ServedProject) -> None:
    def started(**fields: object) -> list[str]:
        with running.events() as events:
            found = running.act("repro", **fields).plain["command"]["words"]
            until(events, "command", lambda plain: plain["state"] == "ended" and plain["words"] == found)
        return list(found)

    assert started(targets=[]) == ["repro", "--all"]
    assert started(targets=["words.upper"]) == ["repro", "upper"]
    assert started(targets=["words.upper", "words.count"], only=True) == ["run", "upper", "count"]
    assert started(targets=["words.upper"], only=True, force=True) == ["run", "--force", "upper"]
    commands = [each["command"] for each in running.api("runs")["runs"]]
    assert (commands[0], commands[-1]) == ("pivot run --force upper", "pivot repro --all")


def test_stages_of_other_pipelines_are_run_by_names_that_are_theirs_alone(running: ServedProject) -> None:
    (running.root / "other").mkdir()
    stages = "  upper:\n    cmd: touch own\n    outs: [own]\n  x:\n    cmd: touch x\n    outs: [x]\n"
    (running.root / "other/pivot.yaml").write_text(f"pipeline: other\nstages:\n{stages}")
    with running.events() as events:
        answer = running.act("repro", targets=["other.upper", "other.x"])
        assert answer.plain["command"]["words"] == ["repro", "--all", "other.upper", "x"]
        assert until(events, "command", lambda plain: plain["state"] == "ended")["exit_code"] == 0
    assert (running.root / "other/x").exists()
    assert not (running.root / "loud.txt").exists()


def test_a_command_that_cannot_be_started_is_no_bug(running: ServedProject) -> None:
    running.api("status")
    running.root.rename(running.root.with_name("away"))

    answer = running.act("repro", targets=[])

    assert answer.status == 409
    assert "cannot be started" in answer.plain["error"]
    assert not running.bugs


def test_only_one_command_works_at_a_time_and_can_be_stopped(running: ServedProject) -> None:
    declared = (running.root / "pivot.yaml").read_text()
    waiting = "mkfifo wait.fifo && cat wait.fifo > loud.txt"
    (running.root / "pivot.yaml").write_text(declared.replace("tr a-z A-Z < words.txt > loud.txt", waiting))
    pause = threading.Event()

    assert running.act("stop").plain == {"stopped": False}
    assert running.act("repro", targets=[]).status == 200
    assert running.act("repro", targets=[]).status == 409
    while not (running.root / "wait.fifo").exists():
        pause.wait(0.01)
    with running.events() as events:
        assert running.act("stop").plain == {"stopped": True}
        assert until(events, "command", lambda plain: plain["state"] == "ended")["exit_code"] == 130


def test_all_lines_of_a_command_that_waits_are_heard(running: ServedProject) -> None:
    declared = (running.root / "pivot.yaml").read_text()
    waiting = "  last:\n    cmd: cat wait.fifo > last.txt\n    deps: [count.txt]\n    outs: [last.txt]\n"
    (running.root / "pivot.yaml").write_text(declared + waiting)
    os.mkfifo(running.root / "wait.fifo")

    running.act("repro", targets=[])

    with running.events() as events:
        until(events, "command", lambda plain: any("count" in line for line in plain["lines"]))
        assert running.act("stop").plain == {"stopped": True}
        until(events, "command", lambda plain: plain["state"] == "ended")


def test_the_command_of_the_page_ends_with_the_server(root: pathlib.Path) -> None:
    waiting = "mkfifo wait.fifo && cat wait.fifo > loud.txt"
    declared = (root / "pivot.yaml").read_text()
    (root / "pivot.yaml").write_text(declared.replace("tr a-z A-Z < words.txt > loud.txt", waiting))
    pause = threading.Event()
    with ServedProject(root, allow_run=True) as served:
        served.act("repro", targets=[])
        while not (root / "wait.fifo").exists():
            pause.wait(0.01)

    assert not served.command.stop()
    with pytest.raises(NotAllowedError):
        served.command.start(["repro"])
    assert not served.command.stop()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"targets": ["words.nowhere"]}, 404),
        ({"targets": ["--force"]}, 404),
        ({"targets": "words.upper"}, 400),
        ({"targets": [1]}, 400),
        ({"targets": [], "only": True}, 400),
        ({"targets": [], "force": "yes"}, 400),
    ],
)
def test_a_wrong_request_to_run_is_refused(running: ServedProject, fields: dict[str, object], status: int) -> None:
    assert running.act("repro", **fields).status == status


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"[" * 20000])
def test_a_body_that_is_no_object_starts_nothing(running: ServedProject, body: bytes) -> None:
    headers = {"Authorization": "Bearer a-token-of-the-tests", "Content-Type": "application/json"}

    assert running.ask("/api/open", "POST", headers, body).status == 400


def test_the_editor_is_the_users_if_it_has_a_window(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "code"
    program.write_text("#!/bin/sh\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = {"PATH": str(tmp_path)}

    assert find_editor({**path, "EDITOR": "code --wait"}).words == ("code", "--wait")
    assert find_editor({**path, "VISUAL": "vim", "EDITOR": "code"}).label == "VS Code"
    assert find_editor({**path, "EDITOR": "subl"}) == LINK
    assert find_editor({**path, "EDITOR": "'"}) == find_editor({}) == find_editor({"EDITOR": "vim"}) == LINK


def test_the_editor_opens_a_file_of_the_project(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    opened, program = tmp_path / "opened.fifo", tmp_path / "code"
    os.mkfifo(opened)
    program.write_text(f'#!/bin/sh\necho "$@" > {opened}\n')
    program.chmod(0o755)
    with ServedProject(root) as served:
        served.service.environment = {**os.environ, "VISUAL": str(program)}
        assert served.api("project")["editor"] == {"kind": "command", "label": "VS Code", "template": ""}

        assert served.act("open", file="pivot.yaml", line=3).status == 200
        assert opened.read_text() == f"--goto {root}/pivot.yaml:3\n"

        assert served.act("open", file="../outside", line=1).status == 404
        assert served.act("open", file="pivot.yaml", line="3").status == 400


def test_without_such_an_editor_nothing_is_started(root: pathlib.Path) -> None:
    with ServedProject(root) as served:
        served.service.environment = {}
        assert served.act("open", file="pivot.yaml", line=1).status == 409


@pytest.mark.parametrize(
    "file", ["/etc/passwd", "../x", "a/../../x", "", ".", "nowhere", "out/passwd", "a\0b", ".pivot/config.yaml"]
)
def test_files_outside_the_project_are_not_there(root: pathlib.Path, file: str) -> None:
    (root / "out").symlink_to("/etc")

    with pytest.raises(NothingThereError):
        project_file(ProjectService(root, os.environ), file)
