"""The database of the stat cache: rows that may be lost at any time, and are never believed unless whole.

Where the database is damaged, it is removed; where it is locked, read-only or newer, there is none. It is
never flushed, so each row carries a checksum.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

from pivot_cache.state import derived_db

if TYPE_CHECKING:
    import sqlite3

type Row = tuple[str, str]
"""A signature, and what had it."""

_VERSION = 1
_BUSY_SECONDS = 5.0
_PLAIN = frozenset(b"/-._~")
_CREATE = "CREATE TABLE files (path BLOB PRIMARY KEY, signature TEXT, digest TEXT, seal TEXT) WITHOUT ROWID"
_ONE = "SELECT path, signature, digest, seal FROM files WHERE path = ?"
_RANGE = "SELECT path, signature, digest, seal FROM files WHERE path > ? AND path < ?"
_REPLACE = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM files WHERE path = ?"


class Rows:
    """Rows by key in one SQLite file; for one thread at a time, and one process."""

    def __init__(self, file: Path, *, readonly: bool) -> None:
        self._file = file
        self._readonly = readonly
        self._connection: sqlite3.Connection | None = None
        self._usable = True

    def get(self, key: bytes) -> Row | None:
        """The row of a key."""
        return next((row for _, row in self._read(_ONE, (key,))), None)

    def below(self, key: bytes) -> dict[bytes, Row]:
        """The rows of all keys that begin with ``key`` and a slash."""
        return dict(self._read(_RANGE, (key + b"/", key + b"0")))  # what comes after a slash

    def write(self, new: Mapping[bytes, Row], gone: Iterable[bytes]) -> bool:
        """Write rows and remove others, all at once; whether it was done."""
        if self._readonly:
            return False
        rows = [(key, *row, _seal(key, *row)) for key, row in new.items()]
        # once more after a damaged database has been removed
        return any(self._usable and self._write(rows, [(key,) for key in gone]) for _ in range(2))

    def close(self) -> None:
        """Close the database; it is opened again when needed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, query: str, arguments: tuple[bytes, ...]) -> Iterator[tuple[bytes, Row]]:
        try:
            database = self._database(create=False) if self._usable else None
            rows = [] if database is None else database.execute(query, arguments).fetchall()
        except _errors() as error:
            self._give_up(error)
            return
        for key, signature, digest, seal in rows:
            if isinstance(signature, str) and isinstance(digest, str) and seal == _seal(key, signature, digest):
                yield key, (signature, digest)

    def _write(self, rows: list[tuple[bytes, str, str, str]], gone: list[tuple[bytes]]) -> bool:
        try:
            database = self._database(create=True)
            if database is None:
                return False
            with database:
                database.execute("BEGIN IMMEDIATE")
                database.executemany(_DELETE, gone)
                database.executemany(_REPLACE, rows)
        except _errors() as error:
            self._give_up(error)
            return False
        return True

    def _database(self, *, create: bool) -> "sqlite3.Connection | None":
        """The open database; None where there is none, or none of this version."""
        if self._connection is not None:
            return self._connection
        if not create and not self._file.exists():
            return None
        import sqlite3  # noqa: PLC0415 - start-up time: not every command has files to look up

        if create:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        mode = "ro" if self._readonly else "rwc"
        self._connection = database = sqlite3.connect(
            f"file:{_escaped(self._file.absolute())}?mode={mode}",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        database.execute("PRAGMA synchronous = OFF")
        if not derived_db.has_version(database, _VERSION, None if self._readonly else _CREATE):
            self.close()
            self._usable = False
        return self._connection

    def _give_up(self, error: Exception) -> None:
        """Go on without the database; remove it first if it is damaged."""
        self.close()
        self._usable = not self._readonly and derived_db.is_damaged(error)
        if self._usable:
            derived_db.remove(self._file)


def _errors() -> tuple[type[Exception], ...]:
    """The errors that a database may raise; asked for only once something has been raised."""
    import sqlite3  # noqa: PLC0415 - start-up time

    return (sqlite3.Error, OSError)


def _seal(key: bytes, signature: str, digest: str) -> str:
    """The seal that a row must carry to be believed, since the database is never flushed."""
    return xxhash.xxh3_64_hexdigest(b"\0".join((key, signature.encode(), digest.encode())))


def _escaped(path: Path) -> str:
    """A path as part of a URI; what the standard library has for that takes longer to import than the database."""
    return "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or byte in _PLAIN) else f"%{byte:02X}"
        for byte in os.fsencode(path)
    )
