"""State of multipart uploads, from which a later process resumes them.

<directory>/
  <name>.upload     a line with the JSON of a `StartedUpload`, then "<number> <etag>" for each part that the server has

The name is the digest of the remote and the key. The process that uploads locks the file.
"""

import contextlib
import functools
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from pivot_cache.files.atomic import lock_regular_file, write_all
from pivot_core.files.digest import digest_lines
from pivot_core.values import Value

if TYPE_CHECKING:
    from cattrs import Converter

STALE_S: Final = 2 * 24 * 3600
"""The seconds without a new part after which an upload counts as abandoned."""

_SUFFIX: Final = ".upload"
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


@attrs.frozen(eq=False, repr=False)
class StartedUpload(Value):
    """A multipart upload that the server knows.

    Attributes:
        remote: The identity of the remote.
        key: The key of the object.
        upload: The server's identifier of the upload.
        size: The size of the object, in bytes.
        part: The size of a part, in bytes.
    """

    remote: str
    key: str
    upload: str
    size: int
    part: int


class UploadState:
    """State of one multipart upload.

    Attributes:
        started: The upload; None before the server has started it.
        parts: The etag of each part that the server has, by number from 1.
    """

    def __init__(self, journal: int | None = None) -> None:
        """Read the state.

        Args:
            journal: The open descriptor of its file; None keeps the state in memory only.
        """
        self._journal = journal
        self.started: StartedUpload | None = None
        self.parts: dict[int, str] = {}
        if journal is not None:
            self._read(journal)

    def start(self, started: StartedUpload) -> None:
        """Record an upload before its first part."""
        self.reset()
        self.started = started
        self._write(json.dumps(_converter().unstructure(started)))

    def add(self, number: int, etag: str) -> None:
        """Record a part that the server has."""
        self.parts[number] = etag
        self._write(f"{number} {etag}")

    def reset(self) -> None:
        """Forget the upload."""
        self.started, self.parts = None, {}
        if self._journal is not None:
            os.ftruncate(self._journal, 0)

    def _write(self, line: str) -> None:
        if self._journal is not None:
            with contextlib.suppress(OSError):  # on a full disk, a later process repeats more parts
                write_all(self._journal, f"{line}\n".encode())

    def _read(self, journal: int) -> None:
        with open(journal, "rb", closefd=False) as file:
            head, *lines = file.read().decode("utf-8", "replace").split("\n")
        self.started = _parse(head)
        if self.started is None:
            self.reset()
            return
        for line in lines[:-1]:  # the last one is empty, or incomplete
            number, _, etag = line.partition(" ")
            if _NUMBER.fullmatch(number) and etag:
                self.parts[int(number)] = etag


@contextlib.contextmanager
def open_upload(directory: Path | None, remote: str, key: str) -> Iterator[UploadState]:
    """Open the state of the upload of an object, as this or another process has left it.

    It remains if the block ends with an error, and is removed otherwise. It is in memory only if there is no directory,
    the directory is not writable, or another process uploads the same object.
    """
    if directory is None:
        yield UploadState()
        return
    file = directory / f"{digest_lines([remote, key])}{_SUFFIX}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        journal = os.open(file, _FLAGS, 0o600)
    except OSError:
        journal = None
    if journal is None:
        yield UploadState()
        return
    try:
        if not lock_regular_file(journal, file):
            yield UploadState()
            return
        yield UploadState(journal)
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
    finally:
        os.close(journal)


def abandoned_uploads(directory: Path | None, remote: str) -> Iterator[StartedUpload]:
    """Yield the uploads to a remote that nobody resumes; the state of each is removed when the next is requested."""
    if directory is None or not directory.is_dir():
        return
    oldest = time.time() - STALE_S
    for file in sorted(directory.glob(f"*{_SUFFIX}")):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime >= oldest:
                continue
            journal = os.open(file, _FLAGS & ~os.O_CREAT)
            try:
                if not lock_regular_file(journal, file):
                    continue
                started = UploadState(journal).started
                if started is not None and started.remote == remote:
                    yield started
                if started is None or started.remote == remote:
                    file.unlink(missing_ok=True)
            finally:
                os.close(journal)


def _parse(line: str) -> StartedUpload | None:
    """Return the upload that a line describes; None if it is not exactly that."""
    from cattrs import BaseValidationError  # lazy

    try:
        value = json.loads(line)
        return _converter().structure(value, StartedUpload) if isinstance(value, dict) else None
    except (ValueError, RecursionError, BaseValidationError):
        return None


@functools.cache
def _converter() -> "Converter":
    """Return a converter that requires all fields of a class, and no other, and converts no value to another type."""
    from cattrs import Converter  # lazy

    def of_type[T](value: object, kind: type[T]) -> T:
        if type(value) is not kind:
            raise TypeError
        return value

    converter = Converter(forbid_extra_keys=True)
    for kind in (str, int):
        converter.register_structure_hook(kind, of_type)
    return converter
