"""Partly downloaded objects, with a record of their parts that survives any end of the process.

<directory>/
  <digest>          the parts that have arrived, each in its place
  <digest>.parts    "<size> <part size>", then the number of each part that is in its place, one per line

The process that downloads the object locks the second file. Files that have not changed for a week are removed.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self

from pivot_cache.files.atomic import lock_regular_file, make_directory, write_all
from pivot_core.files.digest import is_digest

STALE_S: Final = 7 * 24 * 3600

_JOURNAL: Final = ".parts"
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_PIECE: Final = 1 << 19
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Partial:
    """A file that arrives in parts; created by `open_partial`.

    Attributes:
        path: Its path.
        digest: The digest of the object.
        size: In bytes.
        data: The open descriptor of the file.
        done: The numbers of the completed parts.
    """

    def __init__(self, path: Path, size: int, part: int, journal: int) -> None:
        self.path = path
        self.digest = path.name
        self.size = size
        self.done: set[int] = set()
        self._part = part
        self._journal = journal
        self.data = os.open(path, _FLAGS, 0o600)

    @property
    def parts(self) -> int:
        """The number of all parts."""
        return -(-self.size // self._part)

    def missing_parts(self) -> list[int]:
        """The numbers of the missing parts."""
        return [number for number in range(self.parts) if number not in self.done]

    def read_part(self, number: int, seen: Callable[[bytes], object]) -> None:
        """Call ``seen`` with the bytes of a part in order.

        Raises:
            OSError: They cannot be read.
        """
        at, stop = self.span(number)
        while at < stop and (data := os.pread(self.data, min(_PIECE, stop - at), at)):
            seen(data)
            at += len(data)

    def span(self, number: int) -> tuple[int, int]:
        """The start and end of a part."""
        start = number * self._part
        return start, min(start + self._part, self.size)

    def arrived(self) -> int:
        """The number of completed bytes."""
        return sum(stop - start for start, stop in map(self.span, self.done))

    def arrive(self, number: int) -> None:
        """Record a completed part."""
        self.done.add(number)
        write_all(self._journal, b"%d\n" % number)

    def resume(self) -> Self:
        """Read the record of an earlier process; start again if it is invalid."""
        os.lseek(self._journal, 0, os.SEEK_SET)
        head, *lines = _read(self._journal).decode("ascii", "replace").split("\n")
        fits = head == self._head() and os.fstat(self.data).st_size == self.size
        # The last line is empty or truncated.
        numbers = {int(line) for line in lines[:-1] if _NUMBER.fullmatch(line)}
        if fits:
            self.done = numbers & set(range(self.parts))
        else:
            self.restart()
        return self

    def restart(self) -> None:
        """Start again."""
        self.done = set()
        for descriptor in (self._journal, self.data):
            if os.fstat(descriptor).st_size:  # ext4 writes a file to the disk when it is closed, if it was cut to 0
                os.ftruncate(descriptor, 0)
        os.ftruncate(self.data, self.size)
        os.lseek(self._journal, 0, os.SEEK_SET)
        write_all(self._journal, f"{self._head()}\n".encode())

    def close(self) -> None:
        """Close the file; it stays."""
        os.close(self.data)

    def _head(self) -> str:
        return f"{self.size} {self._part}"


@contextlib.contextmanager
def open_partial(directory: Path, digest: str, size: int, part: int) -> Iterator[Partial | None]:
    """The downloaded part of an object, locked against other processes; None if another process is fetching it.

    Its files are kept if the block ends with an error, and removed otherwise.
    """
    make_directory(directory)
    path = directory / digest
    name = path.with_name(f"{digest}{_JOURNAL}")
    try:
        journal = os.open(name, _FLAGS | os.O_APPEND, 0o600)
    except PermissionError:  # another user of a shared cache has started it
        for file in (path, name):
            file.unlink(missing_ok=True)
        journal = os.open(name, _FLAGS | os.O_APPEND, 0o600)
    try:
        if not lock_regular_file(journal, name):
            yield None
            return
        partial = Partial(path, size, part, journal)
        try:
            yield partial.resume()
        finally:
            partial.close()
        for file in (path, name):
            file.unlink(missing_ok=True)
    finally:
        os.close(journal)


def sweep(directory: Path) -> None:
    """Remove files that no process is fetching and that have not changed for `STALE_S`; never fails."""
    oldest = time.time() - STALE_S
    with contextlib.suppress(OSError):
        for name in list(directory.iterdir()):
            digest = name.name.removesuffix(_JOURNAL)
            if digest != name.name and is_digest(digest) and name.stat().st_mtime < oldest:
                with contextlib.suppress(OSError):
                    _remove(name, directory / digest)


def _remove(name: Path, path: Path) -> None:
    journal = os.open(name, _FLAGS, 0o600)
    try:
        if lock_regular_file(journal, name):
            path.unlink(missing_ok=True)
            name.unlink(missing_ok=True)
    finally:
        os.close(journal)


def _read(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()
