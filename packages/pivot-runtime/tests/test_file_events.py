"""Where the system does not tell of changes, directories are polled, and that is reported once."""

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import watchfiles

from pivot_runtime.freshness import file_events
from pivot_runtime.freshness.file_events import Waiter, polling_reason


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
    assert changes.asked == 2


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
