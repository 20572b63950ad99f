"""Kept outlines of source files are found again, and never in the way."""

import os
import pathlib

import pytest

from pivot_runtime.definitions import outline_cache
from pivot_runtime.definitions.outline_cache import OutlineCache

KEY, OTHER = bytes(range(16)), bytes(16)


def test_the_next_process_finds_stored_entries(tmp_path: pathlib.Path) -> None:
    OutlineCache(tmp_path / "state/outlines").put(KEY, b"content")

    assert OutlineCache(tmp_path / "state/outlines").get(KEY) == b"content"
    assert OutlineCache(tmp_path / "state/outlines").get(OTHER) is None


def test_no_project_is_made_by_looking(tmp_path: pathlib.Path) -> None:
    OutlineCache(tmp_path / ".pivot/state.db/outlines").put(KEY, b"content")

    assert not list(tmp_path.iterdir())


def test_an_unwritable_directory_is_no_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("in the way")
    memo = OutlineCache(tmp_path / "file/outlines")

    memo.put(KEY, b"content")
    assert memo.get(KEY) is None


def test_the_older_half_goes_when_there_are_too_many(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline_cache, "_MOST", 3)
    for number in range(4):
        OutlineCache(tmp_path).put(bytes([number]), b"x")
        os.utime(tmp_path / bytes([number]).hex(), ns=(number, number))

    OutlineCache(tmp_path).put(KEY, b"new")
    assert sorted(os.listdir(tmp_path)) == sorted([KEY.hex(), "02", "03"])
