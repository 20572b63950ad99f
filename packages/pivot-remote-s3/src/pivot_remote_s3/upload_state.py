"""Uploads in parts that are under way: what lets one go on after any end of the process.

<directory>/
  <name>.upload     the JSON of `Begun` in one line, then "<number> <etag>" for each part that the server has

The name is the digest of what is uploaded where. The file is locked by the process that uploads.
"""

import contextlib
import fcntl
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from pivot_cache.atomic import write_all
from pivot_core.digest import of_lines
from pivot_core.values import Value

STALE_S: Final = 2 * 24 * 3600
"""An upload that nobody has gone on with for so long is given up."""

_SUFFIX: Final = ".upload"
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


@attrs.frozen(eq=False, repr=False)
class Begun(Value):
    """An upload that the server knows of.

    Attributes:
        remote: The identity of the remote.
        key: The key of the object.
        upload: What the server calls the upload.
        size: Of the object, in bytes.
        part: Of a part, in bytes.
    """

    remote: str
    key: str
    upload: str
    size: int
    part: int


class Upload:
    """One upload in parts.

    Attributes:
        begun: What the server knows; None before it has been asked for an upload.
        parts: The etag of each part that it has, by number from 1.
    """

    def __init__(self, journal: int | None = None) -> None:
        """An upload, as far as it has come.

        Args:
            journal: The open descriptor of its file; None keeps nothing.
        """
        self._journal = journal
        self.begun: Begun | None = None
        self.parts: dict[int, str] = {}
        if journal is not None:
            self._read(journal)

    def begin(self, begun: Begun) -> None:
        """Remember an upload before its first part."""
        self.forget()
        self.begun = begun
        self._write(json.dumps(_plain(begun)))

    def add(self, number: int, etag: str) -> None:
        """Remember a part that the server has."""
        self.parts[number] = etag
        self._write(f"{number} {etag}")

    def forget(self) -> None:
        """Begin again."""
        self.begun, self.parts = None, {}
        if self._journal is not None:
            os.ftruncate(self._journal, 0)

    def _write(self, line: str) -> None:
        if self._journal is not None:
            with contextlib.suppress(OSError):  # on a full disk, less is known afterwards
                write_all(self._journal, f"{line}\n".encode())

    def _read(self, journal: int) -> None:
        with open(journal, "rb", closefd=False) as file:
            head, *lines = file.read().decode("utf-8", "replace").split("\n")
        try:
            self.begun = _begun(json.loads(head))
        except (ValueError, TypeError, RecursionError):
            self.forget()
            return
        for line in lines[:-1]:  # the last one is empty, or was cut off
            number, _, etag = line.partition(" ")
            if _NUMBER.fullmatch(number) and etag:
                self.parts[int(number)] = etag


@contextlib.contextmanager
def opened(directory: Path | None, remote: str, key: str) -> Iterator[Upload]:
    """The upload of an object, as far as this or another process has come.

    It is kept if the block ends with an error, and forgotten otherwise. Where there is no directory, or nothing can be
    written there, or another process is uploading the same object, nothing is kept.
    """
    if directory is None:
        yield Upload()
        return
    file = directory / f"{of_lines([remote, key])}{_SUFFIX}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        journal = os.open(file, _FLAGS, 0o600)
    except OSError:
        journal = None
    if journal is None:
        yield Upload()
        return
    try:
        if not _locked(journal, file):
            yield Upload()
            return
        yield Upload(journal)
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
    finally:
        os.close(journal)


def given_up(directory: Path | None, remote: str) -> Iterator[Begun]:
    """The uploads to a remote that nobody goes on with; each is forgotten once the caller asks for the next one."""
    if directory is None or not directory.is_dir():
        return
    oldest = time.time() - STALE_S
    for file in sorted(directory.glob(f"*{_SUFFIX}")):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime >= oldest:
                continue
            journal = os.open(file, _FLAGS & ~os.O_CREAT)
            try:
                if not _locked(journal, file):
                    continue
                begun = Upload(journal).begun
                if begun is not None and begun.remote == remote:
                    yield begun
                if begun is None or begun.remote == remote:
                    file.unlink(missing_ok=True)
            finally:
                os.close(journal)


def _locked(journal: int, file: Path) -> bool:
    """Lock the file; False if another process has, or has removed it, or if it is no file and has no end."""
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(journal)
        return stat.S_ISREG(status.st_mode) and os.path.samestat(status, file.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _plain(begun: Begun) -> dict[str, object]:
    """The same as a line of the file has it."""
    return {
        "remote": begun.remote,
        "key": begun.key,
        "upload": begun.upload,
        "size": begun.size,
        "part": begun.part,
    }


def _begun(value: object) -> Begun:
    if not isinstance(value, dict) or value.keys() != {"remote", "key", "upload", "size", "part"}:
        raise TypeError
    begun = Begun(
        remote=value["remote"], key=value["key"], upload=value["upload"], size=value["size"], part=value["part"]
    )
    texts, numbers = (begun.remote, begun.key, begun.upload), (begun.size, begun.part)
    if not all(isinstance(text, str) for text in texts) or not all(type(number) is int for number in numbers):
        raise TypeError
    return begun
