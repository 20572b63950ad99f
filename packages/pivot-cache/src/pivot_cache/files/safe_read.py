"""Bounded reads of small files from untrusted sources; pipes and devices are rejected."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def read_regular(file: Path | str) -> bytes:
    """The content of a file; never blocks.

    Raises:
        OSError: The file cannot be read, or is not a regular file.
    """
    name = os.fspath(file)
    descriptor = _opened(name)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            return _read_all(descriptor, status.st_size)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        if stat.S_ISCHR(status.st_mode) and not os.read(descriptor, 1):  # the null device counts as empty
            return b""
    finally:
        os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a file", name)


def _read_all(descriptor: int, size: int) -> bytes:
    """Everything in an open file, without the cost of a stream."""
    parts = []
    while part := os.read(descriptor, size + 1):
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


@contextlib.contextmanager
def open_regular(file: Path) -> Iterator[BinaryIO]:
    """Open a file for reading within the block; never blocks.

    Raises:
        OSError: The file cannot be read, or is not a regular file.
    """
    with open(file, "rb", opener=_opened) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a file", os.fspath(file))
        yield stream


def read_json(file: Path) -> Any:
    """The content of a JSON file; never blocks.

    Raises:
        OSError: The file cannot be read, or is not a regular file.
        ValueError: It is not JSON, or nested too deeply.
    """
    import json  # lazy

    try:
        return json.loads(read_regular(file))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _opened(file: str, _: int = 0) -> int:
    try:
        return os.open(file, _FLAGS)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.EOPNOTSUPP):
            raise OSError(errno.EINVAL, "it is a socket, not a file", file) from None
        raise
