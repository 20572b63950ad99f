"""A database of derived data is used where that is possible, and nothing fails where it is not."""

import sqlite3
from pathlib import Path

import pytest

from pivot_cache.state.derived_db import DerivedDatabase

CREATE = "CREATE TABLE names (name TEXT PRIMARY KEY)"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db" / "names.sqlite"


def database(file: Path, version: int = 1) -> DerivedDatabase:
    return DerivedDatabase(file, version=version, create=CREATE, busy_seconds=0.0)


def add(file: Path, name: str, version: int = 1) -> None:
    database(file, version).write(lambda each: each.execute("INSERT INTO names VALUES (?)", (name,)))


def names(file: Path, version: int = 1) -> list[str]:
    found: list[str] = []
    database(file, version).read(lambda each: found.extend(row[0] for row in each.execute("SELECT name FROM names")))
    return found


def test_the_first_write_makes_it(file: Path) -> None:
    assert names(file) == []
    assert not file.parent.exists()
    add(file, "one")
    add(file, "two")

    assert names(file) == ["one", "two"]


def test_a_transaction_is_done_whole_or_not_at_all(file: Path) -> None:
    def half(each: sqlite3.Connection) -> None:
        each.execute("INSERT INTO names VALUES ('one')")
        each.execute("INSERT INTO names VALUES ('one')")

    add(file, "two")
    database(file).write(half)

    assert names(file) == ["two"]


@pytest.mark.parametrize("content", [b"damaged" * 1000, b"SQLite format 3\0"])
def test_a_damaged_one_is_replaced(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)

    assert names(file) == []
    add(file, "one")
    assert names(file) == ["one"]


def test_a_newer_one_is_left_alone(file: Path) -> None:
    add(file, "one", version=2)
    before = file.read_bytes()
    add(file, "two")

    assert names(file) == []
    assert file.read_bytes() == before
    assert names(file, version=2) == ["one"]


def test_a_locked_one_is_bypassed(file: Path) -> None:
    add(file, "one")
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        add(file, "two")
        assert names(file) == []
    finally:
        connection.close()
    assert names(file) == ["one"]


def test_an_uncreatable_database_is_no_error(file: Path) -> None:
    file.parent.write_bytes(b"in the way")
    add(file, "one")

    assert names(file) == []
