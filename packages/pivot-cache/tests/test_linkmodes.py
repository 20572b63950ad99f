"""The working link modes are found by trying, and nothing is left of it."""

import errno
from pathlib import Path

import pytest

from pivot_cache.files import syscalls
from pivot_cache.files.link_modes import HARDLINK, REFLINK, SYMLINK, probe


def test_links_work_within_one_file_system_and_nothing_is_left(tmp_path: Path) -> None:
    found = probe(tmp_path / "objects", tmp_path / "workspace")

    assert found.keys() == {REFLINK, HARDLINK, SYMLINK}
    assert found[HARDLINK]
    assert found[SYMLINK]
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["objects", "workspace"]


@pytest.mark.parametrize(("operation", "name"), [("link", HARDLINK), ("symlink", SYMLINK), ("clone", REFLINK)])
def test_refused_link_modes_do_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, name: str
) -> None:
    def before(given: str, *_: object) -> None:
        if given == operation:
            raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(syscalls, "before", before)

    assert not probe(tmp_path / "objects", tmp_path / "workspace")[name]


def test_nothing_works_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("in the way")

    assert set(probe(tmp_path / "objects", tmp_path / "workspace").values()) == {False}


def test_a_full_disk_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def before(given: str, *_: object) -> None:
        if given == "write":
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(syscalls, "before", before)

    assert probe(tmp_path / "objects", tmp_path / "workspace")[HARDLINK]
