"""The stat cache: digests of files that have not changed since they were hashed, in one SQLite file that may be lost.

A digest is stored with the file's stat signature, and only if the file had not changed for longer than one step of the
file system's clock when hashing began: then any later edit changes the signature, even one that keeps the size and
resets the modification time. A digest computed within `_FLUSHED_NS` of the file's last change is valid only until the
machine's next boot, since a power cut may keep the signature of such a file and lose its bytes. The database contains
only data that can be computed again, so it is never flushed; if it is damaged, locked, read-only or newer, the files
are hashed instead.

A directory has its own row in addition to those of its files: one signature of all of them. While that signature is
valid, one walk and one row suffice.
"""

import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from pivot_cache.errors import SHORTEN, TOO_LONG, ArtifactError, cache_error
from pivot_cache.files.hashing import as_artifact_errors, check_regular, hash_descriptor, open_artifact
from pivot_cache.files.signatures import boot_id, settles_at, stat_signature
from pivot_cache.formats.tree import Tree
from pivot_cache.state.derived_db import Row, Rows
from pivot_cache.state.scan import Scan, of_file, scan
from pivot_core.lock import Artifact

_SECOND_NS = 1_000_000_000
_FLUSHED_NS = 120 * _SECOND_NS
"""The time after which every kernel has written a changed file to the disk."""

_LARGE = 1 << 20
"""The size in bytes from which hashing a file twice costs more than waiting for the clock."""


class StatCache:
    """The artifacts at paths, hashed only if they may have changed.

    Attributes:
        walked: For each directory passed to `artifact`, by path: its signature, and the time after which any change
            gives it another one, in ns since the epoch.
        before_long_read: Called before `artifact` reads a directory or a large file.

    Several threads may use one; it belongs to the process that created it, and not to its forks. Several processes may
    use the same file.
    """

    def __init__(
        self, file: Path, *, readonly: bool = False, clock: Callable[[], int] = time.time_ns, boot_id: str | None = None
    ) -> None:
        """Create the object; the file is opened or created only when there is something to read or store.

        Args:
            file: The database.
            readonly: Whether nothing is written, not even the database.
            clock: Returns the current time in ns since the epoch.
            boot_id: A unique identifier of this boot; by default, the system provides it.
        """
        self._rows = Rows(file, readonly=readonly)
        self._clock = clock
        self._boot_id = boot_id
        self._guard = threading.Lock()
        self._new: dict[bytes, Row] = {}
        self._gone: set[bytes] = set()
        self._read: dict[bytes, Row | None] = {}
        self.walked: dict[str, tuple[str, int]] = {}
        self.before_long_read: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def artifact(self, path: Path | str) -> Artifact | None:
        """The file or directory at an absolute path; None if it does not exist.

        A symlink counts as its target; a dangling one counts as missing.

        Raises:
            ArtifactError: The path, or something in it, is not a regular file, or cannot be read.
        """
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            path = Path(path)
            if error.errno == errno.ENAMETOOLONG:
                raise ArtifactError(path, TOO_LONG, hint=SHORTEN) from error
            problem = f"cannot be read: {error.strerror or error}"
            raise ArtifactError(path, problem, hint=cache_error("read", path, error).hint) from error
        try:
            if stat.S_ISDIR(status.st_mode):
                self.before_long_read()
                return self._directory(Path(path))
            if not stat.S_ISREG(status.st_mode):
                check_regular(path, status)
            known = self._known(path, status)
            if known is None and status.st_size >= _LARGE:
                self.before_long_read()
            return known or self._hash(path)
        except FileNotFoundError:
            return None

    def tree(self, path: Path) -> Tree:
        """The contents of a directory.

        Raises:
            ArtifactError: The path is not a directory, or contains something that is not a regular file or cannot be
                read.
        """
        try:
            began = self._clock()
            return self._list(path, scan(path), began)
        except FileNotFoundError:
            raise ArtifactError(path, "there is no such directory") from None

    def known(self, path: Path | str, status: os.stat_result | None = None) -> Artifact | None:
        """The stored digest of a file that has not changed since; None if there is none. Nothing is hashed.

        Args:
            path: The file.
            status: Its status, if the caller has just asked for it.
        """
        try:
            return self._known(path, os.stat(path) if status is None else status)
        except OSError:
            return None

    def prefetch(self, paths: Iterable[str]) -> None:
        """Read the rows of these absolute paths together, since one query for each costs more; nothing is checked."""
        with self._guard:
            wanted = list(dict.fromkeys(key for key in map(os.fsencode, paths) if key not in self._read))
            if wanted:
                self._read.update(self._rows.all_of(wanted))

    def storing(
        self, path: Path | str, put: Callable[[str], Artifact], status: os.stat_result | None = None
    ) -> Artifact:
        """The result of ``put``, stored as the content of the file that it reads, so that the file is read only once.

        A large file that was just written is read only after the file system's clock has advanced: less than 20 ms, or
        2 s on file systems that store whole seconds.

        Args:
            path: The file.
            put: Reads it.
            status: Its status, if the caller has just asked for it.
        """
        path = os.fspath(path)
        status = os.stat(path) if status is None else status
        if status.st_size >= _LARGE:
            self.settle(settles_at(status.st_ctime_ns))
        began = self._clock()
        artifact = put(path)
        self._learn(os.fsencode(path), artifact.digest, status, os.stat(path), began)
        return artifact

    def now(self) -> int:
        """The current time in ns since the epoch."""
        return self._clock()

    def settle(self, until: int) -> None:
        """Wait until this time, in ns since the epoch, but at most for the coarsest step of a clock."""
        time.sleep(min(max(0, until - self._clock()), 2 * _SECOND_NS) / _SECOND_NS)

    def learn(self, path: Path, found: Scan, tree: Tree, began: int) -> None:
        """Store the digests of a directory whose files, all examined after ``began``, had the state ``found``."""
        self._remember_tree(path, found, tree.artifact(), began)

    def known_below(self, path: Path, found: Scan) -> dict[str, Artifact]:
        """The known digests of the files of a directory, by one query. Rows of deleted files are removed."""
        prefix = os.fsencode(path) + b"/"
        with self._guard:
            rows = self._rows.below(prefix[:-1])
            rows.update((key, row) for key, row in self._new.items() if key.startswith(prefix))
        known = {}
        for name, status in found.files:
            row = rows.pop(prefix + name.encode(), None)
            if row is not None and self._holds(row, stat_signature(status)):
                known[name] = _artifact(row[1], status.st_size, status)
        with self._guard:
            self._gone.update(key for key in rows if not key.endswith(b"/"))
        return known

    def flush(self) -> None:
        """Write new rows; never fails, but they may not be stored."""
        with self._guard:
            if self._new and self._rows.write(self._new, self._gone - self._new.keys()):
                self._read.update(dict.fromkeys(self._gone))
                self._read.update(self._new)
                self._new.clear()
                self._gone.clear()

    def close(self) -> None:
        """Write new rows and close the database; the stat cache can still be used."""
        self.flush()
        with self._guard:
            self._rows.close()

    def _directory(self, path: Path) -> Artifact:
        began = self._clock()
        found = scan(path)
        signed = found.signature()
        self.walked[os.fspath(path)] = (signed, found.settles_at())
        row = self._row(_tree_key(path))
        if row is not None and self._holds(row, signed):
            digest, _, size = row[1].partition(" ")
            return Artifact(digest, int(size), tree=True)
        return self._list(path, found, began).artifact()

    def _list(self, path: Path, found: Scan, began: int) -> Tree:
        known = self.known_below(path, found)
        unknown = [item for item in found.files if item[0] not in known]
        from pivot_cache.files.threads import map_parallel  # lazy

        hashed = map_parallel(lambda item: of_file(path, item[0], self._hash), unknown, lambda item: item[1].st_size)
        known.update((name, artifact) for (name, _), artifact in zip(unknown, hashed, strict=True))
        tree = Tree(known, tuple(found.empty))
        self._remember_tree(path, found, tree.artifact(), began)
        return tree

    def _remember_tree(self, path: Path, found: Scan, artifact: Artifact, began: int) -> None:
        if found.settles_at() <= began:
            flushed = found.settles_at() + _FLUSHED_NS <= began
            with self._guard:
                stamp = found.signature()
                value = f"{artifact.digest} {artifact.size}"
                self._new[_tree_key(path)] = stamp if flushed else self._until_restart(stamp), value

    def _hash(self, path: Path | str) -> Artifact:
        with open_artifact(path) as (descriptor, status), as_artifact_errors(path):
            began = self._clock()
            hashed = hash_descriptor(descriptor, status.st_size)
            self._learn(os.fsencode(path), hashed.digest, status, os.fstat(descriptor), began)
        return _artifact(hashed.digest, hashed.size, status)

    def _learn(self, key: bytes, digest: str, before: os.stat_result, after: os.stat_result, began: int) -> None:
        stamp = stat_signature(before)
        if settles_at(before.st_ctime_ns) <= began and stamp == stat_signature(after):
            flushed = before.st_ctime_ns + _FLUSHED_NS <= began
            with self._guard:
                self._new[key] = stamp if flushed else self._until_restart(stamp), digest

    def _known(self, path: Path | str, status: os.stat_result) -> Artifact | None:
        row = self._row(os.fsencode(path))
        return _artifact(row[1], status.st_size, status) if row and self._holds(row, stat_signature(status)) else None

    def _row(self, key: bytes) -> Row | None:
        with self._guard:
            row = self._new.get(key)
            if row is None:
                try:
                    row = self._read[key]
                except KeyError:
                    row = self._read[key] = self._rows.get(key)
            return row

    def _holds(self, row: Row, stamp: str) -> bool:
        return row[0] == stamp or row[0] == self._until_restart(stamp)

    def _until_restart(self, stamp: str) -> str:
        return f"{stamp} {boot_id() if self._boot_id is None else self._boot_id}"


def _tree_key(path: Path | str) -> bytes:
    return os.fsencode(path) + b"/"


def _artifact(digest: str, size: int, status: os.stat_result) -> Artifact:
    return Artifact(digest, size, bool(status.st_mode & stat.S_IXUSR))
