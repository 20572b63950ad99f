"""Hashing of files in one pass and constant memory, optionally with a copy."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import xxhash

from pivot_cache.errors import ArtifactError, cache_error
from pivot_cache.files.atomic import write_all
from pivot_core.values import Value

if TYPE_CHECKING:
    import hashlib

_BLOCK = 1 << 20
_listeners: list[Callable[[int, int], None]] = []
"""Called while `watched` is in use, so that no caller in between passes progress on."""
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@attrs.frozen(eq=False, repr=False)
class Hashed(Value):
    """The digests of some bytes.

    Attributes:
        digest: The xxh3 digest of the bytes.
        size: Their number.
        sha256: The SHA-256 of these bytes, if requested.
    """

    digest: str
    size: int
    sha256: str = ""


class RunningHash:
    """The digests of bytes that arrive in pieces."""

    def __init__(self, *, with_sha256: bool = False) -> None:
        """Begin without a byte.

        Args:
            with_sha256: Whether to compute their SHA-256, too.
        """
        self._state = xxhash.xxh3_128()
        self._sha256 = _sha256() if with_sha256 else None
        self._size = 0

    def update(self, data: bytes | memoryview) -> None:
        """Add the next bytes."""
        self._state.update(data)
        if self._sha256 is not None:
            self._sha256.update(data)
        self._size += len(data)

    def copy(self) -> "RunningHash":
        """Another one, with the same bytes so far."""
        other = RunningHash()
        other._state, other._size = self._state.copy(), self._size
        other._sha256 = None if self._sha256 is None else self._sha256.copy()
        return other

    def hashed(self) -> Hashed:
        """The digests of all bytes so far."""
        return Hashed(self._state.hexdigest(), self._size, "" if self._sha256 is None else self._sha256.hexdigest())


def hash_file(path: Path | str) -> Hashed:
    """The digest and size of the bytes of a regular file; symlinks are followed.

    Other threads can run meanwhile.

    Raises:
        ArtifactError: The path is not a regular file, or cannot be read.
    """
    with open_artifact(path) as (descriptor, status), as_artifact_errors(path):
        return hash_descriptor(descriptor, status.st_size)


def hash_descriptor(
    source: int,
    size: int,
    *,
    copy_to: int | None = None,
    with_sha256: bool = False,
    also: Callable[[memoryview], object] | None = None,
) -> Hashed:
    """Hash ``source`` to its end while writing the same bytes to the descriptor ``copy_to``.

    Args:
        source: An open descriptor, at its start.
        size: The expected number of bytes; only memory depends on it.
        copy_to: An open descriptor that receives exactly the hashed bytes.
        with_sha256: Whether to compute their SHA-256, too.
        also: Called with each piece, in order; it must not keep it.
    """
    state = RunningHash(with_sha256=with_sha256)
    block = memoryview(bytearray(min(size + 1, _BLOCK)))
    total = 0
    _notify(0, size)
    try:
        while count := os.readv(source, [block]):
            data = block[:count]
            state.update(data)
            if also is not None:
                also(data)
            if copy_to is not None:
                write_all(copy_to, data)
            total += count
            _notify(count, 0)
    finally:
        _notify(size - total, 0)
    return state.hashed()


def hash_bytes(data: bytes, *, with_sha256: bool = False) -> Hashed:
    """As `hash_descriptor`, of bytes that were just read from a file."""
    _notify(len(data), len(data))
    state = RunningHash(with_sha256=with_sha256)
    state.update(data)
    return state.hashed()


def _sha256() -> "hashlib._Hash":
    import hashlib  # lazy

    return hashlib.sha256()


@contextlib.contextmanager
def report_progress(listener: Callable[[int, int], None]) -> Iterator[None]:
    """Within the block, call ``listener(read, more)`` with the bytes read, and the bytes still to read.

    The reading threads call it. At the end, both sums are equal, even if the files changed.
    """
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def _notify(read: int, more: int) -> None:
    for listener in _listeners:
        listener(read, more)


def check_regular(path: Path | str, status: os.stat_result) -> None:
    """Check that something is a regular file.

    Raises:
        ArtifactError: It is not; the error names its kind.
    """
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        return
    if kind == stat.S_IFDIR:
        raise ArtifactError(Path(path), "is a directory, not a file", hint="declare it as a directory")
    raise ArtifactError(
        Path(path), f"is {_KINDS.get(kind, 'no file')}, not a file", hint="remove it or declare another path"
    )


@contextlib.contextmanager
def open_artifact(path: Path | str) -> Iterator[tuple[int, os.stat_result]]:
    """A regular file opened for reading, and its status; named pipes do not block.

    Raises:
        ArtifactError: The path is not a regular file, or cannot be opened.
        FileNotFoundError: The path does not exist.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        with contextlib.suppress(OSError):
            check_regular(path, os.stat(path))
        raise _unreadable(path, error) from error
    try:
        status = os.fstat(descriptor)
        check_regular(path, status)
        yield descriptor, status
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def as_artifact_errors(path: Path | str) -> Iterator[None]:
    """Turn any `OSError` of the block into an `ArtifactError` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path | str, error: OSError) -> ArtifactError:
    return ArtifactError(
        Path(path), f"cannot be read: {error.strerror or error}", hint=cache_error("read", Path(path), error).hint
    )
