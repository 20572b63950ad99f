"""Durable writes: bytes and names that survive a power cut.

This is for content that exists nowhere else and is about to be replaced. `files` is for files that have just been
written, under any name: their bytes and all names that lead to them are on the disk when it returns. `directory` is for
names alone: after a rename, a new link or a removal. `tree` is for a file, or a directory with its contents. Many files
are flushed together, by one system call per file system where it exists.
`pivot_cache.files.atomic.write_bytes(..., durable=True)` writes a file so that it is on the disk before it becomes
visible.
"""

import errno
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from pivot_cache.errors import as_cache_errors
from pivot_cache.files import syscalls

_FEW = 8
"""Up to this many files are flushed one by one, since flushing the whole file system may take longer."""

_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_HERE = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EROFS})
"""Errors of file systems that cannot flush a directory, or have nothing to flush."""

_UNREADABLE = frozenset({errno.EACCES, errno.EPERM})
_reached: set[tuple[str, int]] = set()
"""The directories, by path and inode, whose names, including those of all parents, are known to be on the disk."""


def flush_files(paths: Collection[Path | str]) -> None:
    """Flush the bytes and names of these files to the disk; for a symlink, its name.

    Raises:
        CacheError: The flush failed.
    """
    names = [os.fspath(path) for path in paths]
    with as_cache_errors("flush", Path(names[0]) if names else Path()):
        if len(names) <= _FEW or not _at_once(names):
            for name in names:
                _flush(name)
    for place in sorted({os.path.dirname(name) for name in names}):
        flush_directory(Path(place))


def flush_descriptor(number: int) -> None:
    """Flush the bytes of an open file to the disk before the file gets its name.

    Raises:
        OSError: The flush failed.
    """
    syscalls.fsync(number)


def flush_directory(path: Path) -> None:
    """Flush the names in a directory to the disk, and its own name in each parent directory.

    Raises:
        CacheError: The flush failed.
    """
    with as_cache_errors("flush", path):
        place = os.path.realpath(path)
        _flush(place)
        status = os.stat(place)
        while (place, status.st_ino) not in _reached:
            _reached.add((place, status.st_ino))
            device, below, place = status.st_dev, place, os.path.dirname(place)
            status = os.stat(place)
            if place == below or status.st_dev != device:
                break
            _flush(place)


def flush_tree(path: Path) -> None:
    """Flush a file, or a directory with its contents, to the disk, with its name.

    Raises:
        CacheError: The flush failed.
    """
    if path.is_symlink() or not path.is_dir():
        flush_files([path])
        return
    with as_cache_errors("flush", path):
        found = list(_below(os.fspath(path)))
    flush_files([name for name, is_directory in found if not is_directory])
    for name, is_directory in found:
        if is_directory:
            flush_directory(Path(name))
    flush_directory(path)


def _below(directory: str) -> Iterator[tuple[str, bool]]:
    with os.scandir(directory) as entries:
        inner = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in inner:
        yield name, is_directory
        if is_directory:
            yield from _below(name)


def _at_once(names: list[str]) -> bool:
    """Flush the file systems of these files; return False if the system cannot."""
    places = {os.path.realpath(place) for place in {os.path.dirname(name) for name in names}}
    for place in {os.stat(place).st_dev: place for place in places}.values():
        opened = os.open(place, _LOOK)
        try:
            if not syscalls.syncfs(opened):
                return False
        finally:
            os.close(opened)
    return True


def _flush(name: str) -> None:
    """Flush a file or a directory; skip what has no bytes or is not readable."""
    try:
        opened = os.open(name, _LOOK)
    except OSError as error:
        if error.errno == errno.ELOOP or (error.errno in _UNREADABLE and os.path.isdir(name)):
            return
        raise
    try:
        syscalls.fsync(opened)
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    finally:
        os.close(opened)
