"""A wait ends once edits have settled; where the system reports no events, directories are polled."""

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import watchfiles

from pivot_runtime.freshness import file_events
from pivot_runtime.freshness.file_events import EditSeries, Waiter, polling_reason


class Changes:
    """Says that something has changed when it is asked for the second time."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked > 1


def test_a_limit_of_the_system_is_reported_once_and_files_are_polled(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Any, ...]] = []

    def refused(*places: str, **_: Any) -> Iterator[set[Any]]:
        calls.append(places)
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(watchfiles, "watch", refused)
    monkeypatch.setattr(file_events, "_LOOK_MS", 1)
    said: list[str] = []
    waiter = Waiter()
    for _ in range(2):
        changes = Changes()
        waiter.wait([str(tmp_path), str(tmp_path / "absent")], changes, 1, said.append)
        assert changes.asked == 2

    assert calls == [(str(tmp_path),)]
    assert said[0] == "the system cannot watch so many directories (OS file watch limit reached)"


def test_changes_before_the_watch_began_are_found(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_events, "_LOOK_MS", 20)
    changes = Changes()
    Waiter().wait([str(tmp_path)], changes, 1, pytest.fail)
    assert changes.asked == 3, "before the first event, at the look that finds it, and once edits have settled"


def test_changes_before_the_first_event_are_found_without_one(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = Changes()
    changes()

    def quiet(*_: str, **__: Any) -> Iterator[set[Any]]:
        yield from (set[Any]() for _ in range(1000))

    monkeypatch.setattr(watchfiles, "watch", quiet)
    monkeypatch.setattr(file_events, "_LOOK_MS", 3_600_000)
    Waiter().wait([str(tmp_path)], changes, 0, pytest.fail)
    assert changes.asked == 3


def test_an_edit_that_is_undone_before_it_has_settled_is_none(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, False, True])

    def reports(*_: str, **__: Any) -> Iterator[set[Any]]:
        yield {"edit"}
        yield {"edit"}

    monkeypatch.setattr(watchfiles, "watch", reports)
    Waiter().wait([str(tmp_path)], lambda: next(answers), 0, pytest.fail)
    assert next(answers, None) is None


def test_a_series_of_edits_ends_when_nothing_new_was_written_for_the_time() -> None:
    series = EditSeries(0.1, 0.02)
    assert not series
    assert not series.are_settled(1.0)
    series.reported({"a"}, 1.0)
    assert series
    assert not series.are_settled(1.07)
    series.reported({"b"}, 1.07)
    assert not series.are_settled(1.14)
    series.reported({"a"}, 1.14)  # as a log that is written all the time
    assert series.are_settled(1.16)
    series.clear()
    assert not series
    assert not series.are_settled(9.0)
    series.found(9.0)
    assert not series.are_settled(9.09)
    series.found(9.09)
    assert series.are_settled(9.2)


def test_a_series_of_edits_ends_after_some_time() -> None:
    series = EditSeries(0.1, 0.02)
    ends = next(number for number in range(1000) if _settled_after(series, number))
    assert 5.0 <= ends * 0.05 <= 5.1


def _settled_after(series: EditSeries, number: int) -> bool:
    series.reported({number}, number * 0.05)
    return series.are_settled(number * 0.05)


def test_file_systems_of_other_machines(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    far = tmp_path / "far away"
    mounts.write_text(
        f"/dev/sda1 / ext4 rw 0 0\nserver:/x {str(far).replace(' ', chr(92) + '040')} nfs4 rw 0 0\nbroken\n"
    )
    monkeypatch.setattr(file_events, "_MOUNTS", str(mounts))
    assert polling_reason([str(tmp_path), "/"]) == ""
    assert polling_reason([str(far / "deep")]) == f"{far / 'deep'} is on a file system of another machine (nfs4)"
    monkeypatch.setattr(file_events, "_MOUNTS", str(tmp_path / "absent"))
    assert polling_reason([str(far)]) == ""
