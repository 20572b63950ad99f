"""The trash of a store: collected objects, kept until their grace period is over.

    trash/<time>/files/ab/cdef...    objects
    trash/<time>/runs/ab/cdef...     run records

One directory per collection, named by its time, so that the newest can be undone and the oldest deleted. Everything
gets here and back by renaming or linking within one file system: at any moment it is in its place, here, or in both.
A time that ends in `-dropped` holds what somebody asked to drop; it is not brought back by being missed.
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
"""A time of modification that makes a store verify an object before it counts as present."""

_SHARED = stat.S_IWGRP | stat.S_ISGID
_TURNS = 10
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})


@attrs.frozen(eq=False, repr=False)
class Batch(Value):
    """The objects that one collection moved here; its directory is made when the first thing is.

    Attributes:
        directory: Where it is.
        taken_ns: When it was taken, in ns since the epoch.
        dropped: Somebody asked to drop it.
        like: The directory whose group may do what it may do there.
    """

    directory: Path
    taken_ns: int
    dropped: bool
    like: Path

    def take(self, kind: str, digest: str, source: Path) -> bool:
        """Move something here; False if it was gone already."""
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
        """Digest and size of everything of a kind."""
        for digest, status in files(self.directory / kind):
            yield digest, status.st_size

    def give_back(self, kind: str, digest: str, target: Path) -> bool:
        """Move something back to its place, unless there is something again; False if it is not here."""
        source = sharded(self.directory / kind, digest)
        try:
            if kind == OBJECTS:
                with contextlib.suppress(PermissionError):  # the object of another user
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
        """A directory and its parents: whoever may change ``like`` may change them, whatever the umask is."""
        missing = [parent for parent in (directory, *directory.parents) if not parent.exists()]
        make_directory(directory)
        wanted = self.like.stat().st_mode & _SHARED if missing and self.like.exists() else 0
        for made in missing:
            mode = made.stat().st_mode
            if wanted & ~mode:
                with contextlib.suppress(PermissionError):  # another user has made it in this moment
                    syscalls.chmod(made, stat.S_IMODE(mode) | wanted)

    def remove(self) -> None:
        """Delete it with all that is in it."""
        remove_tree(self.directory)

    def remove_empty(self) -> None:
        """Remove directories in which nothing is."""
        for directory, _, _ in os.walk(self.directory, topdown=False):
            with contextlib.suppress(OSError):
                syscalls.rmdir(directory)


class Trash:
    """All batches; any number of processes may use it at once.

    Attributes:
        directory: Where they lie; made when first needed.
    """

    def __init__(self, directory: Path, *, like: Path) -> None:
        """Describe the trash; nothing is read or made.

        Args:
            directory: Where it is.
            like: The directory of the objects; who may write there may write to the trash.
        """
        self.directory = directory
        self._like = like

    def batch(self, now_ns: int, *, dropped: bool = False) -> Batch:
        """A batch for what is taken now; nothing is made yet."""
        seconds, rest = divmod(now_ns, 1_000_000_000)
        moment = dt.datetime.fromtimestamp(seconds, dt.UTC).replace(microsecond=rest // 1000)
        name = f"{moment.strftime(_FORM)}{_DROPPED if dropped else ''}"
        return Batch(self.directory / name, now_ns // 1000 * 1000, dropped, self._like)

    def batches(self) -> list[Batch]:
        """All batches, the oldest first; what has another name is not ours."""
        try:
            names = sorted(os.listdir(self.directory))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [batch for name in names if (batch := self._parse(name)) is not None]

    def find(self, digest: str) -> Path | None:
        """Where an object is that was collected, not dropped."""
        for batch in reversed(self._collected()):
            path = sharded(batch.directory / OBJECTS, digest)
            if path.exists():
                return path
        return None

    def rescue(self, digest: str, target: Path) -> bool:
        """Bring an object back that is missed, if it was collected and not dropped.

        Returns:
            Whether it is in its place now, whoever put it there.
        """
        for _ in range(_TURNS):  # others bring it back and collect it at the same time
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
