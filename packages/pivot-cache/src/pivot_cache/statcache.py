"""The digests of files that have not changed since they were hashed, in one SQLite file that may be lost at any time.

A digest is remembered with the file's stat signature, and only if the file had already been left alone for
longer than one step of the file system's clock when hashing began: an edit after that must change the
signature, also one that keeps the size and sets the time of modification back. What was hashed within
`_FLUSHED_NS` of its last change is believed only until the machine starts again, since a power cut may keep
the signature of such a file and lose its bytes. The database holds nothing but what can be computed again, so
it is never flushed, and where it is damaged, locked, read-only or newer, the files are hashed instead.
"""

import contextlib
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import xxhash

from pivot_cache._boot import session
from pivot_cache.errors import ArtifactError, cannot
from pivot_cache.hashing import check_regular, hash_descriptor, opened, reading
from pivot_core.lock import Artifact

if TYPE_CHECKING:
    import sqlite3

_VERSION = 1
_BUSY_SECONDS = 5.0
_SECOND_NS = 1_000_000_000
_FINE_STEP_NS = 20_000_000
_COARSE_STEP_NS = 2 * _SECOND_NS
_FLUSHED_NS = 120 * _SECOND_NS
"""By then every kernel has begun, and finished, to write a changed file to the disk."""

_LARGE = 1 << 20
"""From this size on, in bytes, hashing a file twice costs more than waiting for the clock."""
_CREATE = "CREATE TABLE files (path BLOB PRIMARY KEY, signature TEXT, digest TEXT, seal TEXT) WITHOUT ROWID"
_DAMAGED = frozenset({1, 11, 26})
"""SQLITE_ERROR (no such table), SQLITE_CORRUPT, SQLITE_NOTADB."""

_SELECT = "SELECT signature, digest, seal FROM files WHERE path = ?"
_REPLACE = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)"


class StatCache:
    """The artifacts that lie at paths, hashed only where they may have changed.

    Any number of threads may use one; it belongs to the process that made it (not to its forks). Any
    number of processes may each have one on the same file.
    """

    def __init__(
        self, file: Path, *, readonly: bool = False, clock: Callable[[], int] = time.time_ns, boot: str | None = None
    ) -> None:
        """Describe a stat cache; the file is opened, or made, only when there is something to read or remember.

        Args:
            file: The database.
            readonly: Nothing is ever written, not even the database.
            clock: The present in ns since the epoch.
            boot: What another start of the machine does not share; by default the system is asked.
        """
        self._file = file
        self._readonly = readonly
        self._clock = clock
        self._boot = boot
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._usable = True
        self._new: dict[bytes, tuple[str, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def artifact(self, path: Path) -> Artifact | None:
        """What lies at an absolute path; None if nothing does.

        A symlink to a file means that file's content; one that leads nowhere is nothing.

        Raises:
            ArtifactError: What lies there is no regular file, or cannot be read.
        """
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
            raise ArtifactError(path, problem, hint=cannot("read", path, error).hint) from error
        check_regular(path, status)
        key = os.fsencode(path)
        digest = self._remembered(key, _signature(status))
        if digest is not None:
            return _artifact(digest, status.st_size, status)
        try:
            return self._hash(path, key)
        except FileNotFoundError:
            return None

    def storing(self, path: Path, put: Callable[[Path], Artifact]) -> Artifact:
        """What ``put`` returns for the file that it reads, remembered as its content: the file is read only once.

        A large file that has just been written is first left alone until the clock of the file system has moved on:
        less than 20 ms, or 2 s where that clock keeps whole seconds.
        """
        status = path.stat()
        if status.st_size >= _LARGE:
            time.sleep(max(0, _settles_at(status) - self._clock()) / _SECOND_NS)
        began = self._clock()
        artifact = put(path)
        self._learn(os.fsencode(path), artifact.digest, status, path.stat(), began)
        return artifact

    def flush(self) -> None:
        """Write what is new; never fails, at worst nothing is remembered."""
        with self._guard:
            if not self._new or self._readonly:
                return
            for _ in range(2):  # once more after a damaged database has been removed
                if self._usable and self._write():
                    self._new.clear()
                    return

    def close(self) -> None:
        """Write what is new and close the database; the stat cache can be used again."""
        self.flush()
        with self._guard:
            self._disconnect()

    def _hash(self, path: Path, key: bytes) -> Artifact:
        with opened(path) as (descriptor, status), reading(path):
            began = self._clock()
            hashed = hash_descriptor(descriptor, status.st_size)
            self._learn(key, hashed.digest, status, os.fstat(descriptor), began)
        return _artifact(hashed.digest, hashed.size, status)

    def _learn(self, key: bytes, digest: str, before: os.stat_result, after: os.stat_result, began: int) -> None:
        signature = _signature(before)
        if _settles_at(before) <= began and signature == _signature(after):
            flushed = before.st_ctime_ns + _FLUSHED_NS <= began
            with self._guard:
                self._new[key] = signature if flushed else self._until_restart(signature), digest

    def _remembered(self, key: bytes, signature: str) -> str | None:
        with self._guard:
            row = self._new.get(key) or (self._read(key) if self._usable else None)
        return row[1] if row is not None and row[0] in (signature, self._until_restart(signature)) else None

    def _until_restart(self, signature: str) -> str:
        return f"{signature} {session() if self._boot is None else self._boot}"

    def _read(self, key: bytes) -> tuple[str, str] | None:
        try:
            database = self._database(create=False)
            row = None if database is None else database.execute(_SELECT, (key,)).fetchone()
        except _errors() as error:
            self._give_up(error)
            return None
        if row is None or not (isinstance(row[0], str) and isinstance(row[1], str)):
            return None
        signature, digest, seal = row
        return (signature, digest) if seal == _seal(key, signature, digest) else None

    def _write(self) -> bool:
        rows = [(key, *row, _seal(key, *row)) for key, row in self._new.items()]
        try:
            database = self._database(create=True)
            if database is None:
                return False
            with database:
                database.execute("BEGIN IMMEDIATE")
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
            f"{self._file.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        database.execute("PRAGMA synchronous = OFF")
        if _version(database) == 0 and not self._readonly:
            with database:
                database.execute("BEGIN IMMEDIATE")
                if _version(database) == 0:
                    database.execute(_CREATE)
                    database.execute(f"PRAGMA user_version = {_VERSION}")
        if _version(database) != _VERSION:
            self._disconnect()
            self._usable = False
        return self._connection

    def _give_up(self, error: Exception) -> None:
        """Go on without the database; remove it first if it is damaged."""
        self._disconnect()
        self._usable = not self._readonly and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
        if self._usable:
            for name in (f"{self._file.name}-journal", self._file.name):
                with contextlib.suppress(OSError):
                    self._file.with_name(name).unlink()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _errors() -> tuple[type[Exception], ...]:
    """What a database may raise; asked for only once something has been raised."""
    import sqlite3  # noqa: PLC0415 - start-up time

    return (sqlite3.Error, OSError)


def _version(database: "sqlite3.Connection") -> object:
    return database.execute("PRAGMA user_version").fetchone()[0]


def _signature(status: os.stat_result) -> str:
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _settles_at(status: os.stat_result) -> int:
    """From when on any later change must give the file another signature."""
    coarse = status.st_ctime_ns % _SECOND_NS == 0  # the only sign of a file system that keeps whole seconds
    return status.st_ctime_ns + (_COARSE_STEP_NS if coarse else _FINE_STEP_NS)


def _seal(key: bytes, signature: str, digest: str) -> str:
    """What a row must carry to be believed, since the database is never flushed."""
    return xxhash.xxh3_64_hexdigest(b"\0".join((key, signature.encode(), digest.encode())))


def _artifact(digest: str, size: int, status: os.stat_result) -> Artifact:
    return Artifact(digest, size, bool(status.st_mode & stat.S_IXUSR))
