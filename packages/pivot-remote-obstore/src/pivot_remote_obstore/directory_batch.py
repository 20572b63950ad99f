"""Many small objects of a shared directory at once: written, flushed together, and only then given their names."""

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pivot_cache.files import syscalls
from pivot_cache.files.atomic import PREFIX, SUFFIX, write_all
from pivot_core.files.digest import digest_bytes
from pivot_remote_obstore import directory
from pivot_remote_obstore.location import object_key

LONGEST_S: Final = 0.2
"""After this time, no further object joins a batch: a slow drive works on several batches at once."""

_FEW: Final = 8
"""Up to this many files are flushed one by one, since flushing the whole file system may take longer."""

_STEP_S: Final = 0.2
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class PublishedBatch:
    """Small files on their way to a shared directory.

    Attributes:
        places: The directories with new names, which are not flushed yet.
        ended: Whether `publish` has come to its end.
    """

    def __init__(self, root: Path, sources: Mapping[str, str]) -> None:
        """Nothing happens yet.

        Args:
            root: The directory of the remote.
            sources: The path of each file, by the digest that it should have.
        """
        self.places: set[str] = set()
        self.ended = False
        self._root = str(root)
        self._sources = sources
        self._keys = {digest: f"{root}/{object_key(digest)}" for digest in sources}
        self._abandoned = False
        self._temps: list[str] = []
        self._written: list[tuple[str, str, str]] = []
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
            self.ended = True
        return outcome

    def _write(self, outcome: dict[str, bool | None], step: Callable[[], object], visit: Callable[[str], bool]) -> None:
        began = said = time.monotonic()
        for digest, source in self._sources.items():
            now = time.monotonic()
            if self._abandoned or (now - began > LONGEST_S and (outcome or self._written)):
                return
            if now - said > _STEP_S:
                said = now
                step()
            data = _content(source)
            if data is None or digest_bytes(data) != digest:
                outcome[digest] = None
                continue
            try:
                self._write_one(digest, source, data, visit)
            except OSError:
                if not self._written:
                    raise
                return  # the next batch meets it again, and these are published

    def _write_one(self, digest: str, source: str, data: bytes, visit: Callable[[str], bool]) -> None:
        target = self._keys[digest]
        place = os.path.dirname(target)
        shared = visit(place)
        temp = f"{place}/{PREFIX}{self._word}-{len(self._temps)}{SUFFIX}"
        self._temps.append(temp)
        try:
            descriptor = syscalls.create(temp, directory.MODE)
        except FileNotFoundError:
            directory.make_below(Path(self._root), Path(place))
            descriptor = syscalls.create(temp, directory.MODE)
        try:
            if len(data) < directory.LARGE or not _clone(source, descriptor):
                write_all(descriptor, data)
            if shared:
                directory.share_file(descriptor)
        finally:
            os.close(descriptor)
        self._written.append((digest, temp, target))

    def _flush(self, opened: int) -> None:
        if len(self._written) > _FEW and not self._abandoned and syscalls.syncfs(opened):
            return
        for _, temp, _ in self._written:
            if self._abandoned:
                return
            descriptor = os.open(temp, _READ)
            try:
                syscalls.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _link(self, outcome: dict[str, bool | None]) -> None:
        for number, (digest, temp, target) in enumerate(self._written):
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


def _content(source: str) -> bytes | None:
    """The bytes of a small file; None if it cannot be read."""
    try:
        descriptor = os.open(source, _READ)
        try:
            return os.read(descriptor, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)
    except OSError:
        return None


def _clone(source: str, target: int) -> bool:
    """Let a new file share the blocks of another one; False if the file system cannot."""
    with contextlib.suppress(OSError):
        descriptor = os.open(source, _READ)
        try:
            syscalls.clone(descriptor, target)
        finally:
            os.close(descriptor)
        return True
    return False


def read_objects(root: Path, sizes: Mapping[str, int]) -> dict[str, bytes | None]:
    """The bytes of as many objects as a short time allows, at least one; None for an object of another size.

    Raises:
        OSError: An object cannot be read.
    """
    found: dict[str, bytes | None] = {}
    ends = time.monotonic() + LONGEST_S
    for digest, size in sizes.items():
        opened = directory.open_file(f"{root}/{object_key(digest)}")
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
