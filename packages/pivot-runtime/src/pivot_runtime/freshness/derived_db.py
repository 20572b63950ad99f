"""Databases of what can be found out again: where one is missing, damaged or locked, nothing is known, and no more."""

import os
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

_BUSY_SECONDS: Final = 1.0


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
