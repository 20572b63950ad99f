"""Watchers receive the progress of reading files."""

from pathlib import Path

import pytest

from pivot_cache.errors import ArtifactError
from pivot_cache.files import hashing


def test_reads_are_reported_block_by_block(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"x" * (3 << 20))
    told: list[tuple[int, int]] = []
    with hashing.report_progress(lambda read, more: told.append((read, more))):
        digest = hashing.hash_file(file).digest

    assert told[0] == (0, 3 << 20)
    assert len(told) >= 4
    assert sum(read for read, _ in told) == sum(more for _, more in told) == 3 << 20
    assert hashing.hash_file(file).digest == digest
    assert sum(read for read, _ in told) == 3 << 20  # no more reports


def test_the_sums_are_equal_whatever_becomes_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"x" * 100)

    def fails(*_: object) -> int:
        raise OSError(5, "input/output error")

    monkeypatch.setattr("os.readv", fails)
    told: list[tuple[int, int]] = []
    with hashing.report_progress(lambda read, more: told.append((read, more))), pytest.raises(ArtifactError):
        hashing.hash_file(file)

    assert sum(read for read, _ in told) == sum(more for _, more in told)
