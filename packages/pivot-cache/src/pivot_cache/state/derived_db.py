"""SQLite files of derived data: if one is missing, damaged, locked or newer, it counts as empty, and nothing fails.

The data can be computed again, so a damaged file is removed.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import xxhash

if TYPE_CHECKING:
    import sqlite3

type Row = tuple[str, str]
"""A signature, and the value for it."""

_BUSY_SECONDS: Final = 5.0
"""The longest wait for another process, where many digests or requests depend on it."""
_DAMAGED: Final = frozenset({1, 11, 26})
"""SQLITE_ERROR (no such table), SQLITE_CORRUPT, SQLITE_NOTADB."""

_VERSION = 1
_PLAIN = frozenset(b"/-._~")
_CREATE = "CREATE TABLE files (path BLOB PRIMARY KEY, signature TEXT, digest TEXT, seal TEXT) WITHOUT ROWID"
_ONE = "SELECT path, signature, digest, seal FROM files WHERE path = ?"
_SEVERAL = "SELECT path, signature, digest, seal FROM files WHERE path IN ({})"
_MOST = 500
"""The most keys of one query; SQLite allows at least 999."""
_RANGE = "SELECT path, signature, digest, seal FROM files WHERE path > ? AND path < ?"
_REPLACE = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM files WHERE path = ?"


class DerivedDatabase:
    """One table in one SQLite file, opened for each use; no method fails: at worst the work is not done."""

    def __init__(
        self, file: Path, *, version: int, create: str, flushed: bool = False, busy_seconds: float = 1.0
    ) -> None:
        """Describe it; the first `write` makes the file.

        Args:
            file: The database.
            version: The version of the table.
            create: The statement that makes the table.
            flushed: Whether a power cut must leave no row half written, since a wrong row does harm.
            busy_seconds: The longest wait for another process.
        """
        self._file = file
        self._version = version
        self._create = create
        self._flushed = flushed
        self._busy_seconds = busy_seconds

    def read(self, work: "Callable[[sqlite3.Connection], object]") -> None:
        """Read, if there is a database."""
        if self._file.exists():
            self._use(work)

    def write(self, work: "Callable[[sqlite3.Connection], object]") -> None:
        """Write in one transaction."""

        def in_transaction(database: "sqlite3.Connection") -> None:
            with database:
                database.execute("BEGIN IMMEDIATE")
                work(database)

        self._use(in_transaction)

    def _use(self, work: "Callable[[sqlite3.Connection], object]") -> None:
        import sqlite3  # lazy

        try:
            database = _connect(
                self._file, self._version, self._create, flushed=self._flushed, busy_seconds=self._busy_seconds
            )
            if database is not None:
                with contextlib.closing(database):
                    work(database)
        except (sqlite3.Error, OSError, ValueError) as error:
            if _is_damaged(error):
                _remove(self._file)


def _connect(
    file: Path,
    version: int,
    create: str | None,
    *,
    busy_seconds: float,
    flushed: bool = False,
) -> "sqlite3.Connection | None":
    """Open a database; None if its table has another version.

    Raises:
        sqlite3.Error: It is damaged, or locked.
        OSError: Its directory cannot be made.
    """
    import sqlite3  # lazy

    if create is not None:
        os.makedirs(file.parent, exist_ok=True)
    database = sqlite3.connect(
        f"file:{_escaped(file.absolute())}?mode={'ro' if create is None else 'rwc'}",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        if not flushed:
            database.execute("PRAGMA synchronous = OFF")
        fits = _has_version(database, version, create)
    except BaseException:
        database.close()
        raise
    if not fits:
        database.close()
        return None
    return database


def _is_damaged(error: Exception) -> bool:
    """Whether an error says that the file is no database, or not a whole one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def _remove(file: Path) -> None:
    """Remove a damaged database with its journal; never fails."""
    for name in (f"{file.name}-journal", file.name):
        with contextlib.suppress(OSError):
            file.with_name(name).unlink()


def _has_version(database: "sqlite3.Connection", version: int, create: str | None) -> bool:
    """Return whether a database has this version of its table, which ``create`` makes where there is none."""
    if create is not None and _version(database) == 0:
        with database:
            database.execute("BEGIN IMMEDIATE")
            if _version(database) == 0:
                database.execute(create)
                database.execute(f"PRAGMA user_version = {version}")
    return _version(database) == version


def _version(database: "sqlite3.Connection") -> object:
    return database.execute("PRAGMA user_version").fetchone()[0]


class Rows:
    """Rows by key in one SQLite file; for one thread at a time, and one process.

    If the database is locked, read-only or newer, there are no rows. It is never flushed, so each row has a checksum,
    and damaged rows are ignored.
    """

    def __init__(self, file: Path, *, readonly: bool) -> None:
        self._file = file
        self._readonly = readonly
        self._connection: sqlite3.Connection | None = None
        self._usable = True

    def get(self, key: bytes) -> Row | None:
        """The row of a key."""
        return next((row for _, row in self._read(_ONE, (key,))), None)

    def all_of(self, keys: Sequence[bytes]) -> dict[bytes, Row | None]:
        """The row of each of these keys, None where there is none, in few queries."""
        found: dict[bytes, Row | None] = dict.fromkeys(keys)
        for start in range(0, len(keys), _MOST):
            some = keys[start : start + _MOST]
            found.update(self._read(_SEVERAL.format(", ".join("?" * len(some))), some))
        return found

    def below(self, key: bytes) -> dict[bytes, Row]:
        """The rows of all keys that begin with ``key`` and a slash."""
        return dict(self._read(_RANGE, (key + b"/", key + b"0")))  # the character after a slash

    def write(self, new: Mapping[bytes, Row], gone: Iterable[bytes]) -> bool:
        """Write rows and remove others in one transaction; return whether that succeeded."""
        if self._readonly:
            return False
        rows = [(key, *row, _seal(key, *row)) for key, row in new.items()]
        # retried after a damaged database has been removed
        return any(self._usable and self._write(rows, [(key,) for key in gone]) for _ in range(2))

    def close(self) -> None:
        """Close the database; it is opened again on demand."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, query: str, arguments: Sequence[bytes]) -> Iterator[tuple[bytes, Row]]:
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
        """The open database; None if it is missing or has another version."""
        if self._connection is not None:
            return self._connection
        if not create and not self._file.exists():
            return None
        create_table = None if self._readonly else _CREATE
        self._connection = _connect(self._file, _VERSION, create_table, busy_seconds=_BUSY_SECONDS)
        self._usable = self._connection is not None
        return self._connection

    def _give_up(self, error: Exception) -> None:
        """Continue without the database; remove it first if it is damaged."""
        self.close()
        self._usable = not self._readonly and _is_damaged(error)
        if self._usable:
            _remove(self._file)


def _errors() -> tuple[type[Exception], ...]:
    """The errors that a database may raise; imported only after one was raised."""
    import sqlite3  # lazy

    return (sqlite3.Error, OSError)


def _seal(key: bytes, signature: str, digest: str) -> str:
    """The checksum that a row must have to be trusted, since the database is never flushed."""
    return xxhash.xxh3_64_hexdigest(b"\0".join((key, signature.encode(), digest.encode())))


def _escaped(path: Path) -> str:
    """A path as part of a URI; the standard library's function takes longer to import than the database."""
    return "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or byte in _PLAIN) else f"%{byte:02X}"
        for byte in os.fsencode(path)
    )
