"""Objects of a shared directory, many at once: written, flushed together, and only then given their names."""

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pivot_cache.files import syscalls
from pivot_cache.files.atomic import PREFIX, SUFFIX, write_all
from pivot_cache.files.hashing import RunningHash
from pivot_core.files.digest import digest_bytes
from pivot_remote_obstore import directory
from pivot_remote_obstore.location import object_key

LONGEST_S: Final = 0.1
"""After this time, no further object joins a batch: a slow drive works on several batches at once."""

_SMALL: Final = 1 << 20
"""Larger files are not read at once."""

_FEW: Final = 8
"""Up to this many files are flushed one by one, since flushing the whole file system may take longer."""

_STEP_S: Final = 0.2
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class PublishedBatch:
    """Files on their way to a shared directory.

    Attributes:
        places: The directories with new names, which are not flushed yet.
    """

    def __init__(self, root: Path, sources: Mapping[str, str]) -> None:
        """Nothing happens yet.

        Args:
            root: The directory of the remote.
            sources: The path of each file, by the digest that it should have.
        """
        self.places: set[str] = set()
        self._root = str(root)
        self._sources = sources
        self._targets = {digest: f"{root}/{object_key(digest)}" for digest in sources}
        self._abandoned = False
        self._temps: list[str] = []
        self._written: list[tuple[str, str]] = []
        self._word = os.urandom(8).hex()

    def abandon(self) -> None:
        """Publish nothing more, and remove what is not published: nobody waits for it any more."""
        self._abandoned = True

    def publish(self, step: Callable[[], object], visit: Callable[[str], bool]) -> dict[str, bool | None]:
        """Publish as many files as a short time allows, at least one.

        Args:
            step: Called now and then while the drive answers.
            visit: Called with the path of each directory before the first file is written to it; returns whether the
                directory's group must be able to read the file.

        Returns:
            For each handled object, whether it is new; None if the file has other bytes.

        Raises:
            OSError: A call failed, and nothing is published.
        """
        outcome: dict[str, bool | None] = {}
        opened = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC)  # it gets the errors of all that is written afterwards
        try:
            self._write(outcome, step, visit)
            self._flush(opened)
            step()
            self._link(outcome)
        finally:
            self._remove()
            os.close(opened)
        return outcome

    def size(self) -> int:
        """The number of bytes of all files that exist."""
        total = 0
        for source in self._sources.values():
            with contextlib.suppress(OSError):
                total += os.stat(source).st_size
        return total

    def _write(self, outcome: dict[str, bool | None], step: Callable[[], object], visit: Callable[[str], bool]) -> None:
        began = said = time.monotonic()
        for digest, source in self._sources.items():
            now = time.monotonic()
            if self._abandoned or (now - began > LONGEST_S and (outcome or self._written)):
                return
            if now - said > _STEP_S:
                said = now
                step()
            try:
                written = self._write_one(digest, source, step, visit)
            except OSError:
                if not self._written:
                    raise
                return  # the next batch meets it again, and these are published
            if not written:
                outcome[digest] = written

    def _write_one(
        self, digest: str, source: str, step: Callable[[], object], visit: Callable[[str], bool]
    ) -> bool | None:
        """Copy a file to a temporary one; False if its object exists, None if the file has other bytes."""
        try:
            opened = os.open(source, _READ)
        except OSError:
            return None
        try:
            size = os.fstat(opened).st_size
            if size <= _SMALL:
                data = _content(opened, size)
                return None if data is None else self._write_small(digest, opened, data, visit)
            if directory.size_of(self._targets[digest]) is not None:
                return False  # for a small file, its link finds out
            return self._write_large(digest, opened, size, step, visit)
        finally:
            os.close(opened)

    def _write_small(self, digest: str, source: int, data: bytes, visit: Callable[[str], bool]) -> bool | None:
        if digest_bytes(data) != digest:
            return None
        copy, temp = self._create(digest, visit)
        try:
            if len(data) < directory.LARGE or not _clone(source, copy):
                write_all(copy, data)
        finally:
            os.close(copy)
        self._written.append((digest, temp))
        return True

    def _write_large(
        self, digest: str, source: int, size: int, step: Callable[[], object], visit: Callable[[str], bool]
    ) -> bool | None:
        copy, temp = self._create(digest, visit)
        state = RunningHash()
        try:
            for start in range(0, size, directory.STEP):
                if start:
                    syscalls.fsync(copy)
                    step()
                if self._abandoned:
                    return None
                directory.copy_seen(source, copy, start, min(start + directory.STEP, size), state.update)
        except OSError:
            if _is_readable(source, size):
                raise
            return None
        finally:
            os.close(copy)
        if state.hashed().digest != digest:
            return None
        self._written.append((digest, temp))
        return True

    def _create(self, digest: str, visit: Callable[[str], bool]) -> tuple[int, str]:
        place = os.path.dirname(self._targets[digest])
        shared = visit(place)
        temp = f"{place}/{PREFIX}{self._word}-{len(self._temps)}{SUFFIX}"
        self._temps.append(temp)
        try:
            copy = syscalls.create(temp, directory.MODE)
        except FileNotFoundError:
            directory.make_below(self._root, place)
            copy = syscalls.create(temp, directory.MODE)
        if shared:
            try:
                directory.share_file(copy)
            except OSError:
                os.close(copy)
                raise
        return copy, temp

    def _flush(self, opened: int) -> None:
        if len(self._written) > _FEW and not self._abandoned and syscalls.syncfs(opened):
            return
        for _, temp in self._written:
            if self._abandoned:
                return
            descriptor = os.open(temp, _READ)
            try:
                syscalls.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _link(self, outcome: dict[str, bool | None]) -> None:
        for number, (digest, temp) in enumerate(self._written):
            target = self._targets[digest]
            if self._abandoned:
                return
            try:
                new = directory.link_file(temp, target)
            except OSError:
                if not number:
                    raise
                return  # the next batch meets it again
            outcome[digest] = new
            if new:
                self.places.add(os.path.dirname(target))

    def _remove(self) -> None:
        for temp in self._temps:
            with contextlib.suppress(OSError):
                syscalls.unlink(temp)


def _content(descriptor: int, size: int) -> bytes | None:
    """The bytes of an open file; None if they cannot be read."""
    try:
        return os.read(descriptor, size)
    except OSError:
        return None


def _is_readable(descriptor: int, size: int) -> bool:
    try:
        directory.read_seen(descriptor, 0, size, lambda _: None)
    except OSError:
        return False
    return True


def _clone(source: int, target: int) -> bool:
    """Let a new file share the blocks of another one; False if the file system cannot."""
    try:
        syscalls.clone(source, target)
    except OSError:
        return False
    return True


def read_objects(root: Path, sizes: Mapping[str, int]) -> dict[str, bytes | None]:
    """The bytes of as many objects as a short time allows, at least one; None for an object of another size.

    None also for those that the file system may copy without reading them.

    Raises:
        OSError: An object cannot be read.
    """
    found: dict[str, bytes | None] = {}
    ends = time.monotonic() + LONGEST_S
    for digest, size in sizes.items():
        path = f"{root}/{object_key(digest)}"
        opened = directory.open_file(path) if size < directory.LARGE else None
        if opened is None:
            found[digest] = None
        else:
            descriptor, length = opened
            try:
                data = os.read(descriptor, size) if length == size else None
            finally:
                os.close(descriptor)
            found[digest] = data
        if time.monotonic() > ends:
            break
    return found
