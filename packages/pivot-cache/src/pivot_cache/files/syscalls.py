"""Every system call that changes a file, each as a function, so that tests can stop or reject it.

The database of the stat cache is an exception: SQLite writes it, and nothing depends on it.
"""

import fcntl
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_FICLONE = 0x40049409
_FICLONERANGE = 0x4020940D
_RANGE = struct.Struct("=qQQQ")
_FULL_SYNC = getattr(fcntl, "F_FULLFSYNC", None)
"""On macOS, the call that also flushes the disk's own memory, unlike `os.fsync`."""

type Name = str | Path


def before(operation: str, *arguments: object) -> None:
    """Called before every change with its name and arguments; tests replace it."""


def create(path: Name, mode: int) -> int:
    """Create a file, open for reading and writing; the name must not exist."""
    before("create", path, mode)
    return os.open(path, _CREATE, mode)


def write(descriptor: int, data: bytes | memoryview) -> int:
    """Write some of ``data``."""
    before("write", descriptor, data)
    return os.write(descriptor, data)


def clone(source: int, target: int) -> None:
    """Make the open file ``target`` share all blocks of ``source``, if the file system supports it."""
    before("clone", source, target)
    fcntl.ioctl(target, _FICLONE, source)


def clone_range(source: int, target: int, start: int, stop: int) -> None:
    """Make an open file share some blocks of another one at the same place; ``start`` is a multiple of their size."""
    before("clone_range", source, target, start, stop)
    fcntl.ioctl(target, _FICLONERANGE, _RANGE.pack(source, start, stop - start, start))


def fsync(descriptor: int) -> None:
    """Wait until an open file or directory is on the disk, and not only in the disk's own memory."""
    before("fsync", descriptor)
    if _FULL_SYNC is not None:
        try:
            fcntl.fcntl(descriptor, _FULL_SYNC)
        except OSError:  # a file system without such a call
            os.fsync(descriptor)
    else:
        os.fsync(descriptor)


def syncfs(descriptor: int) -> bool:
    """Flush everything written to the file system of an open file; return False if the system has no such call."""
    call = _syncfs()
    if call is None:
        return False
    before("syncfs", descriptor)
    if call(descriptor) != 0:
        import ctypes  # lazy

        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return True


def _syncfs() -> "Callable[[int], int] | None":
    """The function of the C library, which Python does not offer."""
    try:
        import ctypes  # lazy

        return cast("Callable[[int], int]", ctypes.CDLL(None, use_errno=True).syncfs)
    except (ImportError, OSError, AttributeError):  # not on macOS, nor in every C library
        return None


def fchmod(descriptor: int, mode: int) -> None:
    """Set the mode of an open file."""
    before("fchmod", descriptor, mode)
    os.fchmod(descriptor, mode)


def chmod(path: Name, mode: int) -> None:
    """Set the mode of a directory."""
    before("chmod", path, mode)
    os.chmod(path, mode)


def utime(path: int | Name, nanoseconds: int) -> None:
    """Set both times of a file, or of a symlink itself."""
    before("utime", path, nanoseconds)
    times = (nanoseconds, nanoseconds)
    if isinstance(path, int):
        os.utime(path, ns=times)
    else:
        os.utime(path, ns=times, follow_symlinks=False)


def link(source: Name, target: Name) -> None:
    """Give a file a second name, which must not exist."""
    before("link", source, target)
    os.link(source, target)


def symlink(leads_to: Name, path: Name) -> None:
    """Create a symlink, whose name must not exist."""
    before("symlink", leads_to, path)
    os.symlink(leads_to, path)


def rename(source: Name, target: Name) -> None:
    """Rename, replacing a file or an empty directory of that name."""
    before("rename", source, target)
    os.replace(source, target)


def unlink(path: Name) -> None:
    """Remove a name of a file."""
    before("unlink", path)
    os.unlink(path)


def mkdir(path: Name, mode: int = 0o777) -> None:
    """Create a directory."""
    before("mkdir", path, mode)
    os.mkdir(path, mode)


def rmdir(path: Name) -> None:
    """Remove an empty directory."""
    before("rmdir", path)
    os.rmdir(path)
