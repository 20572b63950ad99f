"""A command's context: what it finds, resolves once, records and reports."""

import pathlib

import pytest

from pivot_core.errors import PivotError
from pivot_runtime.context import CommandContext, Notice, Notices
from pivot_runtime.errors import ConfigError
from pivot_runtime.freshness.stamps import ABSENT, ReadSet
from pivot_runtime.project.project import Project, init


def test_settings_are_resolved_once_and_their_files_are_in_the_read_set(tmp_path: pathlib.Path) -> None:
    init(tmp_path)
    context = CommandContext.find(tmp_path, {"HOME": str(tmp_path / "home"), "PIVOT_RUN_JOBS": "3"})
    assert context.settings.run_jobs == 3

    context.project.layout.config_file.write_text("run.silence: 5\n")
    assert context.settings.silence_seconds == 60
    files = (context.project.layout.config_file, tmp_path / "home/.config/pivot/config.yaml")
    assert {context.read_set.stamps[str(file)] for file in files} == {ABSENT}
    assert CommandContext.find(tmp_path, {}).settings.silence_seconds == 5


def test_wrong_settings_are_wrong_each_time(tmp_path: pathlib.Path) -> None:
    init(tmp_path)
    context = CommandContext.find(tmp_path, {"PIVOT_RUN_JOBS": "none"})
    for _ in range(2):
        with pytest.raises(ConfigError):
            _ = context.settings


def test_the_cache_is_where_the_settings_say(tmp_path: pathlib.Path) -> None:
    init(tmp_path)
    project = Project(tmp_path, tmp_path)
    assert CommandContext(project, {}).cache_layout.cache_dir == project.layout.cache_dir
    shared = CommandContext(project, {"PIVOT_CACHE_DIR": "$SHARED/cache", "SHARED": "/shared"}).cache_layout
    assert (shared.root, shared.cache_dir) == (tmp_path, pathlib.Path("/shared/cache"))


def test_the_search_for_the_root_is_in_the_read_set(tmp_path: pathlib.Path) -> None:
    init(tmp_path)
    (tmp_path / "a/b").mkdir(parents=True)
    context = CommandContext.find(tmp_path / "a/b", {})
    assert context.project == Project(tmp_path, tmp_path / "a/b")
    assert context.read_set.stamps.keys() >= {f"{tmp_path}{below}/.pivot" for below in ("", "/a", "/a/b")}


def test_a_context_does_not_show_its_environment(tmp_path: pathlib.Path) -> None:
    assert "secret" not in repr(CommandContext(Project(tmp_path, tmp_path), {"TOKEN": "secret"}))


def test_each_notice_is_reported_once() -> None:
    reported: list[Notice] = []
    notices = Notices(reported.append)
    notices.add(Notice("git ignores it"))
    assert not notices.left_out
    for _ in range(2):
        notices.leave_out(PivotError("damaged", hint="delete it"))
    assert reported == [Notice("git ignores it"), Notice("damaged", "delete it", left_out=True)]
    assert notices.left_out


def test_the_first_reason_why_a_read_set_is_incomplete_is_kept() -> None:
    assert not ReadSet().incomplete
    read_set = ReadSet()
    read_set.mark_incomplete("a path cannot be read")
    read_set.mark_incomplete("a pipeline cannot be loaded")
    assert read_set.incomplete == "a path cannot be read"
