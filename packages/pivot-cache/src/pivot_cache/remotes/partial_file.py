"""Objects that have arrived in part: the record of their parts survives any end of the process.

<directory>/
  <digest>          the parts that have arrived, each in its place
  <digest>.parts    "<size> <part size>", then the number of each part that is in its place, one per line

The second file is locked by the process that fetches the object. A file that nobody has touched for a week is removed.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from pivot_cache.files.atomic import lock_regular_file, make_directory, write_all
from pivot_core.digest import is_digest

STALE_S: Final = 7 * 24 * 3600

_JOURNAL: Final = ".parts"
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Partial:
    """A file that arrives in parts; made by `opened`.

    Attributes:
        path: Where it is.
        digest: Of the object.
        size: In bytes.
        data: The open descriptor of the file.
        done: The numbers of the parts that are here.
    """

    def __init__(self, path: Path, size: int, part: int, journal: int) -> None:
        self.path = path
        self.digest = path.name
        self.size = size
        self.done: set[int] = set()
        self._part = part
        self._journal = journal
        self.data = os.open(path, _FLAGS, 0o600)

    def waiting(self) -> list[int]:
        """The numbers of the parts that are not here."""
        return [number for number in range(-(-self.size // self._part)) if number not in self.done]

    def span(self, number: int) -> tuple[int, int]:
        """Where a part begins, and where the next one does."""
        start = number * self._part
        return start, min(start + self._part, self.size)

    def arrived(self) -> int:
        """The number of bytes that are here."""
        return sum(stop - start for start, stop in map(self.span, self.done))

    def arrive(self, number: int) -> None:
        """Remember that a part is here."""
        self.done.add(number)
        write_all(self._journal, b"%d\n" % number)

    def resume(self) -> Self:
        """Find out what an earlier process has left; begin again where it makes no sense."""
        os.lseek(self._journal, 0, os.SEEK_SET)
        head, *lines = _read(self._journal).decode("ascii", "replace").split("\n")
        fits = head == self._head() and os.fstat(self.data).st_size == self.size
        # The last line is empty, or was cut off.
        numbers = {int(line) for line in lines[:-1] if _NUMBER.fullmatch(line)}
        if fits:
            self.done = numbers & set(range(-(-self.size // self._part)))
        else:
            self.restart()
        return self

    def restart(self) -> None:
        """Begin again."""
        self.done = set()
        for descriptor in (self._journal, self.data):
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
    """The downloaded part of an object, which nobody else can change; None while another process fetches it.

    Its files stay if the block ends with an error, and are removed otherwise.
    """
    make_directory(directory)
    path = directory / digest
    name = path.with_name(f"{digest}{_JOURNAL}")
    try:
        journal = os.open(name, _FLAGS | os.O_APPEND, 0o600)
    except PermissionError:  # another user of a shared cache has begun it
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
    """Remove what nobody is fetching and nobody has touched for `STALE_S`; never fails."""
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
