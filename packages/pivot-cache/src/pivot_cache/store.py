"""Objects: bytes that are written once, read-only, and named by their digest.

An object is written under a temporary name while exactly its bytes are hashed, and published by a hard link,
which never replaces what another process published first. Nothing is flushed to the disk (see `pivot_cache.atomic`);
instead, the time of modification, which objects have no other use for, says how far the bytes can be relied on:

    FRESH_NS       as published: good until the machine starts again, then verified before it counts as present
    VERIFIED_NS    verified after such a start, so read from the disk itself: good
    anything else  written to in place, or copied here by hand: verified before it counts as present
"""

import contextlib
import errno
import fcntl
import os
import stat
import time
from pathlib import Path

from pivot_cache._boot import started_ns
from pivot_cache.atomic import temporary
from pivot_cache.errors import ArtifactError, CacheError, CorruptObjectError, MissingObjectError, reporting
from pivot_cache.hashing import Hashed, hash_descriptor, hash_file, opened
from pivot_cache.layout import sharded
from pivot_core.lock import Artifact

FRESH_NS = 0
VERIFIED_NS = 1_000_000_000
"""Times of modification of objects, in ns since the epoch."""

_FICLONE = 0x40049409
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_MARGIN_NS = 60_000_000_000
"""How far the clock may have been set since an object was published, without a wrong answer."""


class ObjectStore:
    """A directory of objects; any number of processes may use it at once.

    Attributes:
        directory: Where the objects lie, as ``ab/cdef...``; made when first needed.
        quarantine: Where damaged objects are moved; by default ``quarantine`` beside the directory.
    """

    def __init__(self, directory: Path, *, quarantine: Path | None = None, started_ns: int | None = None) -> None:
        """Describe a store; nothing is read or made.

        Args:
            directory: Where the objects lie.
            quarantine: Where damaged objects are moved.
            started_ns: When the machine started, in ns since the epoch; by default the system is asked.
        """
        self.directory = directory
        self.quarantine = directory.parent / "quarantine" if quarantine is None else quarantine
        self._started_ns = started_ns

    def path_of(self, digest: str) -> Path:
        """Where the object lies, if it does.

        Raises:
            CacheError: It is not a digest.
        """
        return sharded(self.directory, digest)

    def has(self, digest: str) -> bool:
        """Whether the object is there, and good: verified if it may have changed or suffered from a power cut.

        Raises:
            CacheError: It is not a digest.
        """
        return self._intact(digest, self.path_of(digest))

    def holds(self, artifact: Artifact) -> bool:
        """Whether this content, all of it, is there and good."""
        return self.has(artifact.digest)

    def put(self, source: Path) -> Artifact:
        """Store the bytes of a file; symlinks are followed, and an object that is there already is kept.

        Returns:
            The artifact, which describes exactly the stored bytes, even if the file changes meanwhile.

        Raises:
            ArtifactError: There is no regular file that can be read.
            CacheError: The store cannot be written; nothing of the object is visible.
        """
        try:
            with opened(source) as (descriptor, status), reporting(f"store {source} in", self.directory):
                hashed = self._ingest(descriptor, status.st_size)
        except FileNotFoundError:
            raise ArtifactError(source, "there is no such file") from None
        return Artifact(hashed.digest, hashed.size, bool(status.st_mode & stat.S_IXUSR))

    def restore(self, artifact: Artifact, target: Path) -> None:
        """Make ``target`` a file with this content: verified first, then swapped in at once.

        Missing parent directories are made. A file or a symlink at ``target`` is replaced; nothing
        is ever written through it. The mode is 0644 or 0755 under the usual umask.

        Raises:
            MissingObjectError: The object is not there.
            CorruptObjectError: Its bytes are wrong; they are moved to the quarantine.
            CacheError: The target is a directory or cannot be written. In every case what lay there stays.
        """
        path = self.path_of(artifact.digest)
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(target.lstat().st_mode):
                raise CacheError(
                    f"cannot restore {target}: a directory lies there",
                    hint="move the directory away and repeat the command",
                )
        try:
            with opened(path) as (descriptor, status), reporting("restore", target):
                mode = 0o777 if artifact.executable else 0o666
                with temporary(target.parent, mode) as (copy, temp):
                    if _copy(descriptor, copy, status.st_size).digest != artifact.digest:
                        raise CorruptObjectError(artifact.digest, quarantined=self._remove(artifact.digest, status))
                    temp.replace(target)
        except FileNotFoundError:
            raise MissingObjectError(artifact.digest) from None

    def _ingest(self, source: int, size: int) -> Hashed:
        with temporary(self.directory, 0o600) as (copy, temp):
            hashed = _copy(source, copy, size)
            os.fchmod(copy, 0o444)
            os.utime(copy, ns=(FRESH_NS, FRESH_NS))
            path = self.path_of(hashed.digest)
            if not _publish(temp, path) and not self._intact(hashed.digest, path, hashed.size):
                temp.replace(path)
        return hashed

    def _intact(self, digest: str, path: Path, size: int | None = None) -> bool:
        """Whether the object is there, has this size, and can be relied on."""
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or size not in (None, status.st_size):
                return False
            started = started_ns() if self._started_ns is None else self._started_ns
            recent = started + _MARGIN_NS <= status.st_ctime_ns <= time.time_ns()
            if status.st_mtime_ns == VERIFIED_NS or (recent and status.st_mtime_ns == FRESH_NS):
                return True
            if hash_file(path).digest != digest:
                return False
        except (OSError, ArtifactError):
            return False
        mark = VERIFIED_NS if status.st_ctime_ns < started - _MARGIN_NS else FRESH_NS
        with contextlib.suppress(OSError):  # an object that belongs to somebody else is verified each time
            os.utime(path, ns=(mark, mark), follow_symlinks=False)
        return True

    def _remove(self, digest: str, seen: os.stat_result) -> Path | None:
        """Move the object that was ``seen`` to the quarantine, unless it has been replaced since."""
        path = self.path_of(digest)
        target = self.quarantine / digest
        try:
            if path.lstat().st_ino != seen.st_ino:
                return None
            self.quarantine.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        except OSError:
            return None
        return target


def _copy(source: int, target: int, size: int) -> Hashed:
    """Copy by sharing blocks where the file system can, and hash what arrived."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return hash_descriptor(source, size, copy_to=target)
    return hash_descriptor(target, size)


def _publish(temp: Path, path: Path) -> bool:
    """Give the file its name; False if something has that name already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(temp, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            return False
        temp.replace(path)
    return True
