"""Fixtures of several test modules."""

from pathlib import Path

import pytest
import xxhash

from pivot_cache import ObjectStore


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """An empty store."""
    return ObjectStore(tmp_path / "cache" / "files")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The place of a stat cache."""
    return tmp_path / "state.db" / "statcache.sqlite"


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One item for each time that bytes were hashed."""
    calls: list[int] = []
    actual = xxhash.xxh3_128

    def counting() -> object:
        calls.append(1)
        return actual()

    monkeypatch.setattr(xxhash, "xxh3_128", counting)
    return calls
