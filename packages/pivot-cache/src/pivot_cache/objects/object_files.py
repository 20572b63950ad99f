"""The files of a store: how they are published, verified and quarantined.

An object is written under a temporary name while exactly its bytes are hashed, and published by a hard link, which
never replaces an object that another process published first. It is flushed to the disk only if its bytes exist nowhere
else (`ObjectFiles.persist`); for all others, the modification time, which objects do not need otherwise, shows how far
the bytes can be trusted:

    mtime of this boot      as published (see `pivot_cache.files.signatures`): good until the machine starts again
    VERIFIED_NS             flushed to the disk, or verified after a start, so read from the disk itself: good
    mtime of another boot   published before the last start, or by another machine: verified before it counts as present
    anything else           written to in place, or copied here by hand: verified as well
"""

import contextlib
import errno
import functools
import itertools
import os
import stat
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from pivot_cache.errors import ArtifactError, MissingObjectError, as_cache_errors
from pivot_cache.files import syscalls
from pivot_cache.files.atomic import create_temporary, make_directory, staging, write_all
from pivot_cache.files.hashing import Hashed, hash_bytes, hash_descriptor, hash_file, open_artifact
from pivot_cache.files.signatures import boot_id, boot_time_ns, is_mtime_of_boot, mtime_of_boot, stat_signature
from pivot_cache.layout import shard
from pivot_core.lock import Artifact

VERIFIED_NS = 1_000_000_000
"""The modification time, in ns since the epoch, of objects that are known to be on the disk."""

MODE = 0o444
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_MARGIN_NS = 60_000_000_000
"""The possible change of the clock since an object was published; younger objects are not assumed to be on the disk."""

_TURNS = 10
"""The number of attempts to restore an object that other processes collect repeatedly."""
_SMALL = 4096
"""The size of one block: files that are no larger are read at once, and gain nothing from sharing blocks."""
_MOST_PENDING = 256
"""The most objects that wait to be written, which bounds their memory."""
_SHARED = stat.S_IRWXG | stat.S_ISGID


class Digests(Protocol):
    """A record of the digests of files by stat signature: a `pivot_cache.state.stat_cache.StatCache`."""

    def known(self, path: str) -> Artifact | None:
        """The recorded digest of a file that has not changed since."""
        ...

    def artifact(self, path: str) -> Artifact | None:
        """The same, but computes and records an unknown digest."""
        ...


class ObjectFiles:
    """The files ``ab/cdef...`` in a directory; several threads and processes may use them at the same time."""

    def __init__(
        self,
        directory: Path,
        quarantine: Path,
        rescue: Callable[[str, Path], bool],
        *,
        boot_id: str | None = None,
        boot_time_ns: int | None = None,
        files: Digests | None = None,
    ) -> None:
        self._directory = directory
        self._prefix = f"{directory}/"
        self._quarantine = quarantine
        self._boot_id = boot_id
        self._files = files
        self._boot_time_ns = boot_time_ns
        self._rescue = rescue
        self.losing: Callable[[str], object] = lambda _: None
        self._numbers = itertools.count()  # its `next` is atomic under the interpreter's lock
        self._verified: dict[str, str] = {}
        self._pending: dict[str, tuple[bytes, Hashed]] = {}
        self._guard = threading.RLock()
        self._writing = False

    def path(self, digest: str) -> str:
        """The path of an existing object; if it was to be written later, it is written now.

        Raises:
            CacheError: The text is not a digest, or the object cannot be written.
        """
        if digest in self._pending:
            self.write_pending()
        return self._prefix + shard(digest)

    def write_pending(self) -> None:
        """Write the objects that were to be written later.

        Raises:
            CacheError: The store cannot be written.
        """
        with self._guard, as_cache_errors("write to", self._directory):
            if self._writing:  # `path` is called meanwhile
                return
            self._writing = True
            try:
                while self._pending:
                    digest, (data, hashed) = next(iter(self._pending.items()))
                    if not self.intact(digest, hashed.size):
                        self.insert_bytes(data, hashed)
                    del self._pending[digest]
            finally:
                self._writing = False

    def insert(
        self, source: int, size: int, place: str | Path | None, *, with_sha256: bool = False, later: bool = False
    ) -> Hashed:
        """Store the rest of an open file; every file enters the store through this function.

        A file of at most one block is read before anything is written, so that nothing is if the store has its bytes.

        Args:
            source: An open descriptor.
            size: The expected number of bytes.
            place: A directory on the same file system that only this process uses, for callers that store many files.
            with_sha256: Whether to compute the SHA-256, too.
            later: Whether the bytes of a file of one block may wait for `write_pending`.
        """
        if size <= _SMALL:
            data = os.read(source, _SMALL)
            if len(data) == size and not os.read(source, 1):
                hashed = hash_bytes(data, with_sha256=with_sha256)
                if later and len(self._pending) < _MOST_PENDING:
                    self._pending[hashed.digest] = (data, hashed)
                elif not self.intact(hashed.digest, hashed.size):
                    self.insert_bytes(data, hashed, place)
                return hashed
            os.lseek(source, 0, os.SEEK_SET)  # it has just changed
        copy, temp = self._create(place)
        try:
            hashed = copy_bytes(source, copy, size, with_sha256=with_sha256)
            self.publish(copy, temp, hashed)
        finally:
            os.close(copy)
            _discard(temp)
        return hashed

    def insert_bytes(self, data: bytes, hashed: Hashed, place: str | Path | None = None) -> None:
        """Store bytes whose digest is known to be this one."""
        copy, temp = self._create(place)
        try:
            write_all(copy, data)
            self.publish(copy, temp, hashed)
        finally:
            os.close(copy)
            _discard(temp)

    def _create(self, place: str | Path | None) -> tuple[int, str]:
        """A new file for an object, and its path."""
        if place is None:
            return create_temporary(self._directory, 0o600)
        temp = f"{place}/{next(self._numbers)}"
        return syscalls.create(temp, 0o600), temp

    def publish(self, descriptor: int, temp: str, hashed: Hashed) -> None:
        """Give a file with these bytes its name; an existing intact object is kept."""
        syscalls.fchmod(descriptor, MODE)
        syscalls.utime(descriptor, self.unflushed_mtime_ns)
        path = self.path(hashed.digest)
        if not self._link(temp, path) and not self.intact(hashed.digest, hashed.size):
            if os.path.isdir(path) and not os.path.islink(path):  # not one of ours
                make_directory(self._quarantine)
                syscalls.rename(path, self._quarantine / f"{hashed.digest}.{time.time_ns()}")
            elif os.path.lexists(path):
                self.losing(path)
            syscalls.rename(temp, path)

    @functools.cached_property
    def unflushed_mtime_ns(self) -> int:
        """The modification time of objects published during this boot."""
        return mtime_of_boot(boot_id() if self._boot_id is None else self._boot_id)

    def intact(self, digest: str, size: int | None = None) -> bool:
        """Whether the object exists, has this size, and can be trusted."""
        path = self.path(digest)
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return self.restore_from_trash(digest) and self.intact(digest, size)
        except OSError:
            return False
        if not stat.S_ISREG(status.st_mode) or size not in (None, status.st_size):
            return False
        if status.st_mode & MODE != MODE and not os.access(path, os.R_OK):
            return False
        if self._relied_on(status) or self._verify(digest, path, status):
            return True
        return not os.path.lexists(path) and self.intact(digest, size)  # collected while it was being read

    def restore_from_trash(self, digest: str) -> bool:
        """Move a missing object back from the trash; returns whether it is in place now."""
        path = self.path(digest)
        try:
            for _ in range(_TURNS):  # other processes may collect it again immediately
                if not self._rescue(digest, Path(path)):
                    return False
                if os.path.exists(path):
                    return True
                if os.path.islink(path):  # a dangling link, which is not Pivot's
                    return False
        except OSError:
            return False
        return False

    def renew(self, digest: str) -> None:
        """Replace an object by a copy, which no longer shares its inode with links in workspaces."""
        with open_artifact(self.path(digest)) as (source, status), staging(self._directory) as place:
            temp = f"{place}/new"
            copy = syscalls.create(temp, 0o600)
            try:
                if copy_bytes(source, copy, status.st_size).digest == digest:
                    syscalls.fchmod(copy, MODE)
                    syscalls.utime(copy, self.unflushed_mtime_ns)
                    syscalls.rename(temp, self.path(digest))
            finally:
                os.close(copy)

    def persist(self, digests: Collection[str]) -> None:
        """Flush objects and their names to the disk, and set the mtime that marks them as verified.

        Those that have it are on the disk already.

        Raises:
            MissingObjectError: An object is missing.
            CacheError: The flush failed.
        """
        from pivot_cache.files import durable  # lazy

        paths: dict[str, os.stat_result] = {}
        for digest in digests:
            path = self.path(digest)
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                raise MissingObjectError(digest) from None
            if status.st_mtime_ns != VERIFIED_NS:
                paths[path] = status
        durable.flush_files(paths)
        for path, status in paths.items():
            if status.st_mtime_ns == self.unflushed_mtime_ns:
                with contextlib.suppress(OSError):  # it belongs to another user
                    syscalls.utime(path, VERIFIED_NS)

    def quarantine(self, digest: str, seen: os.stat_result) -> Path | None:
        """Move the object with the status ``seen`` to the quarantine, unless it has been replaced since."""
        path = self.path(digest)
        target = self._quarantine / digest
        try:
            if os.lstat(path).st_ino != seen.st_ino:
                return None
            self.losing(path)
            make_directory(self._quarantine)
            if os.path.lexists(target):
                target = self._quarantine / f"{digest}.{time.time_ns()}"
            syscalls.rename(path, target)
        except OSError:
            return None
        return target

    def _relied_on(self, status: os.stat_result) -> bool:
        """Whether the mtime shows that the bytes are as published or verified."""
        return status.st_mtime_ns in (VERIFIED_NS, self.unflushed_mtime_ns)

    def _verify(self, digest: str, path: str, status: os.stat_result) -> bool:
        """Hash the object and, if it is intact, mark it as verified by its mtime or in the record."""
        seen = stat_signature(status)
        if self._verified.get(digest) == seen or self._known(digest, path):
            return True
        try:
            if self._files is not None and self._is_foreign(status):
                found = self._files.artifact(path)
                return found is not None and found.digest == digest
            if hash_file(path).digest != digest:
                return False
        except (OSError, ArtifactError):
            return False
        before = is_mtime_of_boot(status.st_mtime_ns) and not self._is_recent(status)
        try:
            syscalls.utime(path, VERIFIED_NS if before else self.unflushed_mtime_ns)
        except OSError:  # it belongs to another user, or is not writable
            self._verified[digest] = seen
        return True

    def _known(self, digest: str, path: str) -> bool:
        found = None if self._files is None else self._files.known(path)
        return found is not None and found.digest == digest

    def _is_foreign(self, status: os.stat_result) -> bool:
        """Whether another machine or user published it, or it was copied here with its mtime."""
        copied = is_mtime_of_boot(status.st_mtime_ns) and self._is_recent(status)
        return copied or os.geteuid() not in (0, status.st_uid)

    def _is_recent(self, status: os.stat_result) -> bool:
        """Whether it was changed after the machine booted, so that its bytes may not be on the disk yet."""
        return status.st_ctime_ns >= self._started() - _MARGIN_NS

    def _started(self) -> int:
        return boot_time_ns() if self._boot_time_ns is None else self._boot_time_ns

    def _link(self, temp: str, path: str) -> bool:
        """Give the file its name; False if the name exists."""
        try:
            try:
                syscalls.link(temp, path)
            except FileNotFoundError:
                self._make_shard(os.path.dirname(path))
                syscalls.link(temp, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if os.path.lexists(path):
                return False
            self._make_shard(os.path.dirname(path))
            syscalls.rename(temp, path)
        return True

    def _make_shard(self, directory: str) -> None:
        """Create a directory for objects with the group permissions of the store, whatever the umask."""
        make_directory(Path(directory))
        wanted = self._directory.stat().st_mode & _SHARED
        mode = os.stat(directory).st_mode
        if wanted & ~mode:
            try:
                syscalls.chmod(directory, stat.S_IMODE(mode) | wanted)
            except PermissionError:
                return  # another user has just created it


def copy_bytes(
    source: int,
    target: int,
    size: int,
    *,
    with_sha256: bool = False,
    also: Callable[[memoryview], object] | None = None,
) -> Hashed:
    """Copy by sharing blocks if the file system supports it, and hash the copy; ``also`` gets its bytes."""
    try:
        syscalls.clone(source, target)
    except OSError:
        return hash_descriptor(source, size, copy_to=target, with_sha256=with_sha256, also=also)
    return hash_descriptor(target, size, with_sha256=with_sha256, also=also)


def _discard(temp: str) -> None:
    try:
        syscalls.unlink(temp)
    except OSError:
        return  # it has been renamed, or is swept with its directory
