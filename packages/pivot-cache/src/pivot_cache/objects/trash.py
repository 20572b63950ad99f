"""The trash of a store: collected objects until the end of their grace period.

    trash/<time>/files/ab/cdef...    objects
    trash/<time>/runs/ab/cdef...     run records

Each collection has a directory named by its time, so that the newest can be undone and the oldest deleted. Objects
enter and leave by renaming or linking within one file system: at any moment, each is in its place, here, or in both. A
directory whose name ends in `-dropped` contains objects that a user dropped; they are not restored when they are
missing.
"""

import contextlib
import datetime as dt
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import attrs

from pivot_cache.files import syscalls
from pivot_cache.files.atomic import make_directory, remove_tree
from pivot_cache.files.shards import files
from pivot_cache.layout import sharded
from pivot_core.values import Value

OBJECTS = "files"
RUNS = "runs"

_FORM = "%Y%m%dT%H%M%S.%fZ"
_DROPPED = "-dropped"
_DOUBTED_NS = 2_000_000_000
"""A modification time that makes a store verify an object before use."""

_SHARED = stat.S_IWGRP | stat.S_ISGID
_TURNS = 10
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})


@attrs.frozen(eq=False, repr=False)
class Batch(Value):
    """The objects of one collection; its directory is created with the first of them.

    Attributes:
        directory: Its directory.
        taken_ns: The time of the collection in ns since the epoch.
        dropped: Whether a user dropped the objects.
        like: A directory with the group permissions to copy.
    """

    directory: Path
    taken_ns: int
    dropped: bool
    like: Path

    def take(self, kind: str, digest: str, source: Path) -> bool:
        """Move a file into the batch; False if it no longer exists."""
        target = sharded(self.directory / kind, digest)
        for _ in range(2):
            try:
                syscalls.rename(source, target)
            except FileNotFoundError:
                if not os.path.lexists(source):
                    return False
                self._make(target.parent)
            else:
                return True
        return False

    def contents(self, kind: str) -> Iterator[tuple[str, int]]:
        """The digest and size of every file of a kind."""
        for digest, status in files(self.directory / kind):
            yield digest, status.st_size

    def give_back(self, kind: str, digest: str, target: Path) -> bool:
        """Move a file back to its place, unless one exists there; False if it is not in the batch."""
        source = sharded(self.directory / kind, digest)
        try:
            if kind == OBJECTS:
                with contextlib.suppress(PermissionError):  # another user's object
                    syscalls.utime(source, _DOUBTED_NS)
            self._make(target.parent)
            try:
                syscalls.link(source, target)
            except FileExistsError:
                pass
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                if not os.path.lexists(target):
                    syscalls.rename(source, target)
                    return True
            syscalls.unlink(source)
        except FileNotFoundError:
            return False
        return True

    def _make(self, directory: Path) -> None:
        """Create a directory and its parents with the group permissions of ``like``, whatever the umask."""
        missing = [parent for parent in (directory, *directory.parents) if not parent.exists()]
        make_directory(directory)
        wanted = self.like.stat().st_mode & _SHARED if missing and self.like.exists() else 0
        for made in missing:
            mode = made.stat().st_mode
            if wanted & ~mode:
                with contextlib.suppress(PermissionError):  # another user has just created it
                    syscalls.chmod(made, stat.S_IMODE(mode) | wanted)

    def objects(self) -> Iterator[tuple[str, int]]:
        """The digest and the size of each object in it."""
        return self.contents(OBJECTS)

    def remove(self) -> None:
        """Delete the batch with its contents."""
        remove_tree(self.directory)

    def remove_empty(self) -> None:
        """Remove the empty directories in it."""
        for directory, _, _ in os.walk(self.directory, topdown=False):
            with contextlib.suppress(OSError):
                syscalls.rmdir(directory)


class Trash:
    """All batches; several processes may use them at the same time.

    Attributes:
        directory: The directory of the batches; created on demand.
    """

    def __init__(self, directory: Path, *, like: Path) -> None:
        """Create the object; nothing is read or written.

        Args:
            directory: Where it is.
            like: The directory of the objects, whose writers may also write to the trash.
        """
        self.directory = directory
        self._like = like

    def batch(self, now_ns: int, *, dropped: bool = False) -> Batch:
        """A batch for a collection that begins now; nothing is created yet."""
        seconds, rest = divmod(now_ns, 1_000_000_000)
        moment = dt.datetime.fromtimestamp(seconds, dt.UTC).replace(microsecond=rest // 1000)
        name = f"{moment.strftime(_FORM)}{_DROPPED if dropped else ''}"
        return Batch(self.directory / name, now_ns // 1000 * 1000, dropped, self._like)

    def batches(self) -> list[Batch]:
        """All batches, the oldest first; other names are ignored."""
        try:
            names = sorted(os.listdir(self.directory))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [batch for name in names if (batch := self._parse(name)) is not None]

    def find(self, digest: str) -> Path | None:
        """The path of a collected object; dropped ones are not found."""
        for batch in reversed(self._collected()):
            path = sharded(batch.directory / OBJECTS, digest)
            if path.exists():
                return path
        return None

    def rescue(self, digest: str, target: Path) -> bool:
        """Restore a missing object that was collected and not dropped.

        Returns:
            Whether it is in place now, even by another process.
        """
        for _ in range(_TURNS):  # other processes restore and collect it at the same time
            collected = self._collected()
            if any(batch.give_back(OBJECTS, digest, target) for batch in reversed(collected)):
                return True
            if os.path.lexists(target):
                return True
            if not collected:
                return False
        return False

    def _collected(self) -> list[Batch]:
        return [batch for batch in self.batches() if not batch.dropped]

    def _parse(self, name: str) -> Batch | None:
        text = name.removesuffix(_DROPPED)
        try:
            moment = dt.datetime.strptime(text, _FORM).replace(tzinfo=dt.UTC)
        except ValueError:
            return None
        taken = int(moment.replace(microsecond=0).timestamp()) * 1_000_000_000 + moment.microsecond * 1000
        return Batch(self.directory / name, taken, name.endswith(_DROPPED), self._like)
