"""State of uploads of large objects, from which a later process resumes them.

<directory>/
  <name>.sftp       one line, "<temporary name> <size> <bytes that are on the server's disk>"

The name is the digest of the remote and the object. The process that uploads locks the file.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pivot_cache.files.atomic import lock_regular_file
from pivot_core.files.digest import digest_lines

STALE_S: Final = 2 * 24 * 3600
"""The seconds without progress after which an upload counts as abandoned."""

_SUFFIX: Final = ".sftp"
_LINE: Final = re.compile(rb"([0-9a-f]{32}\.[0-9a-f]{16}) ([0-9]{16}) ([0-9]{16})\n")
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class SftpUploadState:
    """State of one upload.

    Attributes:
        size: The size of the object.
        name: The name of its temporary file on the server; None before there is one.
        done: The bytes, from the first one, that are on the server's disk.
        kept: Whether a later process can resume the upload.
    """

    def __init__(self, size: int, record: int | None = None) -> None:
        """Read the state.

        Args:
            size: The size of the object.
            record: The open descriptor of its file; None keeps the state in memory only.
        """
        self.size = size
        self._record = record
        self.kept = record is not None
        self.name: str | None = None
        self.done = 0
        found = None if record is None else _LINE.fullmatch(os.pread(record, 100, 0))
        if found is not None and int(found[2]) == size and int(found[3]) <= size:
            self.name, self.done = found[1].decode(), int(found[3])

    def advance(self, name: str, done: int) -> None:
        """Record how much of a temporary file is on the server's disk."""
        self.name, self.done = name, done
        if self._record is not None:
            try:
                os.pwrite(self._record, f"{name} {self.size:016} {done:016}\n".encode(), 0)
            except OSError:  # on a full disk, a later process begins again
                self.kept = False

    def reset(self) -> None:
        """Forget the temporary file."""
        self.name, self.done = None, 0
        if self._record is not None:
            os.ftruncate(self._record, 0)


@contextlib.contextmanager
def open_state(directory: Path | None, remote: str, digest: str, size: int) -> Iterator[SftpUploadState]:
    """Open the state of the upload of an object, as this or another process has left it.

    It remains if the block ends with an error, and is removed otherwise. It is in memory only if there is no directory,
    the directory is not writable, or another process uploads the same object.
    """
    if directory is None:
        yield SftpUploadState(size)
        return
    file = directory / f"{digest_lines([remote, digest])}{_SUFFIX}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        record = os.open(file, _FLAGS, 0o600)
    except OSError:
        yield SftpUploadState(size)
        return
    try:
        if not lock_regular_file(record, file):
            yield SftpUploadState(size)
            return
        yield SftpUploadState(size, record)
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
    finally:
        os.close(record)


def remove_abandoned(directory: Path | None) -> None:
    """Remove the states of uploads that nobody resumes; the server's side is removed by the age of its files."""
    if directory is None or not directory.is_dir():
        return
    oldest = time.time() - STALE_S
    for file in directory.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < oldest:
                file.unlink()
