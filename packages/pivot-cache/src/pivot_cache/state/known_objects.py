"""Known objects: those seen on remotes by this machine, so that it need not ask again soon.

One SQLite file serves all remotes, separated by identity: a remote whose URL changes is another remote. An entry
records that an object was seen there and, for a listing, whether all its files were; it is valid for `LIFETIME_S`. The
remote's answer overrides it: callers that learn otherwise call `forget`. The file may be lost at any time; if it is
damaged, locked, read-only or newer, the remotes are asked.
"""

import time
from collections.abc import Callable, Collection, Iterable
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pivot_cache.state.derived_db import DerivedDatabase

if TYPE_CHECKING:
    import sqlite3

LIFETIME_S: Final = 24 * 3600
"""The lifetime of an entry, after which an emptied bucket is noticed; a refresh notices it immediately."""

_VERSION: Final = 1
_CREATE: Final = (
    "CREATE TABLE known (remote TEXT, digest TEXT, whole INTEGER, seen INTEGER, PRIMARY KEY (remote, digest))"
    " WITHOUT ROWID"
)
_SELECT: Final = "SELECT digest FROM known WHERE remote = ? AND seen BETWEEN ? AND ? AND whole >= ? AND digest IN (%s)"
_INSERT: Final = (
    "INSERT INTO known VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET whole = max(whole, excluded.whole),"
    " seen = excluded.seen"
)
_BATCH: Final = 500
_BUSY_SECONDS: Final = 5.0


class KnownObjects:
    """The objects seen on each remote; no method fails: at worst, nothing is known.

    Several processes may use the same file.
    """

    def __init__(self, file: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Create the object; its file is created when there is something to record.

        Args:
            file: The database.
            clock: Returns the current time in s since the epoch.
        """
        self._file = file
        # Flushed: an object that is only believed to be on the remote would never get there.
        self._database = DerivedDatabase(
            file, version=_VERSION, create=_CREATE, flushed=True, busy_seconds=_BUSY_SECONDS
        )
        self._clock = clock

    def among(self, remote: str, digests: Collection[str], *, whole: bool = False) -> set[str]:
        """The ones of these digests known to be on the remote; with ``whole``, listings with all their files."""
        known: set[str] = set()
        now = int(self._clock())
        facts = (remote, now - LIFETIME_S, now, int(whole))

        def select(database: "sqlite3.Connection") -> None:
            for batch in batched(digests, _BATCH, strict=False):
                marks = ",".join("?" * len(batch))
                known.update(row[0] for row in database.execute(_SELECT % marks, (*facts, *batch)))

        if digests:
            self._database.read(select)
        return known

    def add(self, remote: str, digests: Iterable[str], *, whole: bool = False) -> None:
        """Record that objects are on the remote; with ``whole``, also all files of listings."""
        now = int(self._clock())
        rows = [(remote, digest, int(whole), now) for digest in digests]

        def insert(database: "sqlite3.Connection") -> None:
            database.executemany(_INSERT, rows)
            database.execute("DELETE FROM known WHERE seen NOT BETWEEN ? AND ?", (now - LIFETIME_S, now))

        if rows:
            self._database.write(insert)

    def forget(self, remote: str, digests: Iterable[str] | None = None) -> None:
        """Forget that objects are on the remote (by default none), and that any listing there is complete."""
        pairs = None if digests is None else [(remote, digest) for digest in digests]

        def delete(database: "sqlite3.Connection") -> None:
            if pairs is None:
                database.execute("DELETE FROM known WHERE remote = ?", (remote,))
            else:
                database.executemany("DELETE FROM known WHERE remote = ? AND digest = ?", pairs)
                database.execute("UPDATE known SET whole = 0 WHERE remote = ?", (remote,))

        if pairs != [] and self._file.exists():
            self._database.write(delete)
