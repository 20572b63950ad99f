"""SQLite files of derived data: where one is missing, damaged, locked or newer, nothing is known, and nothing fails.

The data in such a file can be computed again, so a damaged file is removed.
"""

import contextlib
import os
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

_BUSY_SECONDS: Final = 1.0
_DAMAGED: Final = frozenset({1, 11, 26})
"""SQLITE_ERROR (no such table), SQLITE_CORRUPT, SQLITE_NOTADB."""


def use(file: pathlib.Path, work: "Callable[[sqlite3.Connection], object]") -> None:
    """Do something with a database, which is made if need be. Never fails: it may not have been done."""
    import sqlite3  # noqa: PLC0415  # start-up time: most commands do not come here

    try:
        os.makedirs(file.parent, exist_ok=True)
        database = sqlite3.connect(file, timeout=_BUSY_SECONDS)
        try:
            database.execute("PRAGMA synchronous = OFF")
            work(database)
        finally:
            database.close()
    except (sqlite3.Error, OSError, ValueError):
        return


def has_version(database: "sqlite3.Connection", version: int, create: str | None) -> bool:
    """Whether a database has this version of its table.

    Args:
        database: A connection without implicit transactions.
        version: The version of the table.
        create: The statement that makes the table where there is none; None if nothing may be written.
    """
    if create is not None and _version(database) == 0:
        with database:
            database.execute("BEGIN IMMEDIATE")
            if _version(database) == 0:
                database.execute(create)
                database.execute(f"PRAGMA user_version = {version}")
    return _version(database) == version


def is_damaged(error: Exception) -> bool:
    """Whether an error says that the file is no database, or not a whole one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def remove(file: pathlib.Path) -> None:
    """Remove a damaged database with its journal; never fails."""
    for name in (f"{file.name}-journal", file.name):
        with contextlib.suppress(OSError):
            file.with_name(name).unlink()


def _version(database: "sqlite3.Connection") -> object:
    return database.execute("PRAGMA user_version").fetchone()[0]
