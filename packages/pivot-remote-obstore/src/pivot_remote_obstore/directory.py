"""Files of a shared directory: published whole or not at all, replaced never, by any number of machines.

A new file is written under a temporary name in the directory that it will be in, flushed to the disk, and then linked
to its name, which fails if the name exists. File systems without links rename it instead, after a look. Locks are not
used, since network file systems may keep them on one machine: temporary files of dead processes are known by their
age.
"""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

from pivot_cache.files import durable, syscalls
from pivot_cache.files.atomic import PREFIX, SUFFIX, share, write_all

STALE_S: Final = 2 * 24 * 3600
"""The number of seconds after which a temporary file counts as left over."""

STEP: Final = 32 << 20
"""The number of bytes that are copied before a file is flushed."""

_MANY: Final = 8
MODE: Final = 0o444
_PIECE: Final = 1 << 19
LARGE: Final = 1 << 16
"""The number of bytes from which the system copies faster than by reading and writing."""

_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL, errno.EXDEV}
)
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def publish_file(source: Path, root: Path, name: str, step: Callable[[], object] = lambda: None) -> bool:
    """Copy a file to a name below ``root`` that does not exist, and flush it; False if the name exists.

    Directories between them are created, but never ``root``. ``step`` is called after each `STEP` bytes.

    Raises:
        OSError: The copy failed, and nothing has this name.
    """
    target = root / name
    if size_of(target) is not None:
        return False
    descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with _temporary(root, target) as (copy, temp):
            copy_content(descriptor, copy, os.fstat(descriptor).st_size, step)
            return _publish(copy, temp, target)
    finally:
        os.close(descriptor)


def publish_bytes(data: bytes, root: Path, name: str) -> bool:
    """As `publish_file`, for bytes."""
    target = root / name
    if size_of(target) is not None:
        return False
    with _temporary(root, target) as (copy, temp):
        write_all(copy, data)
        return _publish(copy, temp, target)


def open_file(path: Path | str) -> tuple[int, int] | None:
    """The descriptor and the size of a regular file; None if there is none of this name.

    Raises:
        OSError: It cannot be opened.
    """
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR):
            return None
        raise
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status.st_size
    os.close(descriptor)
    return None


def size_of(path: Path | str) -> int | None:
    """The size of a regular file; None if there is none of this name.

    Raises:
        OSError: The directory cannot be searched.
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def remove(path: Path) -> None:
    """Remove a file; a missing one is no error.

    Raises:
        OSError: It cannot be removed.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        syscalls.unlink(path)


def names_in(directory: Path | str) -> frozenset[str]:
    """The names in a directory; none if it does not exist.

    Raises:
        OSError: It cannot be read.
    """
    try:
        return frozenset(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def newest_contents(directory: Path, most: int, longest: int) -> list[bytes]:
    """The beginnings of the newest files in a directory, each with at most ``longest`` bytes.

    Raises:
        OSError: It cannot be read.
    """
    ages: dict[Path, int] = {}
    for name in names_in(directory):
        with contextlib.suppress(FileNotFoundError):
            if not name.startswith(PREFIX):
                ages[directory / name] = os.lstat(directory / name).st_mtime_ns
    found = []
    for path in sorted(ages, key=lambda path: ages[path], reverse=True)[:most]:
        opened = open_file(path)
        if opened is not None:
            with open(opened[0], "rb") as file:
                found.append(file.read(longest))
    return found


def flush_names(root: Path, places: Collection[str]) -> None:
    """Flush the names in directories below ``root`` to the disk: one by one, or many together.

    Raises:
        OSError: The flush failed.
        CacheError: The same.
    """
    if len(places) > _MANY:
        descriptor = os.open(root, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if syscalls.syncfs(descriptor):
                return
        finally:
            os.close(descriptor)
    for place in sorted(places):
        durable.flush_directory(Path(place))


def sweep(directory: Path | str) -> None:
    """Remove temporary files that are older than `STALE_S`; never fails."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        now = time.time()
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX):
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < now - STALE_S:
                        syscalls.unlink(entry.path)


def copy_content(source: int, target: int, size: int, step: Callable[[], object] = lambda: None) -> None:
    """Copy all bytes between open files: as shared blocks, inside the system, or by reading and writing.

    All but the last bytes are flushed meanwhile, while other threads copy other files; then ``step`` is called.

    Raises:
        OSError: The copy failed.
    """
    if size >= LARGE:
        try:
            syscalls.clone(source, target)
        except OSError:
            pass
        else:
            return
    for start in range(0, size, STEP):
        if start:
            syscalls.fsync(target)
            step()
        copy_range(source, target, start, min(start + STEP, size))


def copy_seen(source: int, target: int, start: int, stop: int, seen: Callable[[memoryview], object]) -> None:
    """As `copy_range`, but calls ``seen`` with all bytes in order, while they are in the processor's memory.

    Raises:
        OSError: The copy failed.
    """
    if _clone_range(source, target, start, stop):
        read_seen(target, start, stop, seen)
        return
    _read_ahead(source, start, stop)
    at = start

    def copied(piece: memoryview) -> None:
        nonlocal at
        seen(piece)
        _write_at(target, piece, at)
        at += len(piece)

    read_seen(source, start, stop, copied)


def read_seen(source: int, start: int, stop: int, seen: Callable[[memoryview], object]) -> None:
    """Call ``seen`` with the bytes of an open file from ``start`` up to ``stop`` in order.

    Raises:
        OSError: They cannot be read.
    """
    buffer = memoryview(bytearray(min(_PIECE, max(stop - start, 0))))
    at = start
    while at < stop and (count := os.preadv(source, [buffer[: stop - at]], at)):
        seen(buffer[:count])
        at += count


def _read_ahead(source: int, start: int, stop: int) -> None:
    """Let a network file system send several pieces at once, although they are read one by one."""
    call = getattr(os, "posix_fadvise", None)  # not on macOS
    if call is not None:
        with contextlib.suppress(OSError):
            call(source, start, stop - start, os.POSIX_FADV_WILLNEED)


def _clone_range(source: int, target: int, start: int, stop: int) -> bool:
    if stop - start < LARGE:
        return False
    try:
        syscalls.clone_range(source, target, start, stop)
    except OSError:
        return False
    return True


def copy_range(source: int, target: int, start: int, stop: int) -> None:
    """Copy the bytes from ``start`` up to ``stop``, or the end of the file, to the same place in another open file.

    Raises:
        OSError: The copy failed.
    """
    at = _copy_inside(source, target, start, stop) if stop - start >= LARGE else start
    while at < stop and (piece := os.pread(source, min(_PIECE, stop - at), at)):
        _write_at(target, piece, at)
        at += len(piece)


def _write_at(target: int, data: bytes | memoryview, at: int) -> None:
    view = memoryview(data)
    while view:
        syscalls.before("write", target, view)
        done = os.pwrite(target, view, at)
        view, at = view[done:], at + done


def _copy_inside(source: int, target: int, start: int, stop: int) -> int:
    """Copy as many bytes as the system copies by itself; return the place where it stopped."""
    at = start
    call = getattr(os, "copy_file_range", None)  # not on macOS
    while call is not None and at < stop:
        try:
            moved = call(source, target, stop - at, at, at)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise
            break
        if not moved:
            break
        at += moved
    return at


def make_below(root: str, place: str) -> None:
    """Create a directory below ``root``, but never ``root``; shared with the group as `atomic.share` says.

    Raises:
        OSError: It cannot be created.
    """
    parent = os.path.dirname(place)
    try:
        syscalls.mkdir(place)
    except FileExistsError:
        return
    except FileNotFoundError:
        if parent == root:
            raise
        make_below(root, parent)
        with contextlib.suppress(FileExistsError):
            syscalls.mkdir(place)
    if is_shared(parent):
        share(Path(place))


@contextlib.contextmanager
def _temporary(root: Path, target: Path) -> Iterator[tuple[int, Path]]:
    """A new empty file beside ``target``: its descriptor and its path; removed at the end."""
    temp = target.parent / f"{PREFIX}{os.urandom(8).hex()}{SUFFIX}"
    try:
        descriptor = syscalls.create(temp, MODE)
    except FileNotFoundError:
        make_below(str(root), str(target.parent))
        descriptor = syscalls.create(temp, MODE)
    try:
        yield descriptor, temp
    finally:
        os.close(descriptor)
        with contextlib.suppress(FileNotFoundError):
            syscalls.unlink(temp)


def is_shared(directory: Path | str) -> bool:
    """Whether a directory is a group's, which must be able to read new files.

    Raises:
        OSError: It does not exist, or cannot be reached.
    """
    mode = os.stat(directory).st_mode
    return bool(mode & stat.S_ISGID and mode & stat.S_IWGRP)


def share_file(descriptor: int) -> None:
    """Let the group read a new file.

    Raises:
        OSError: Its mode cannot be set.
    """
    mode = os.fstat(descriptor).st_mode
    if not mode & stat.S_IRGRP:
        syscalls.fchmod(descriptor, stat.S_IMODE(mode) | stat.S_IRGRP)


def link_file(temp: Path | str, target: Path | str) -> bool:
    """Give a flushed temporary file its name; False if the name exists.

    Raises:
        OSError: The name cannot be given.
    """
    try:
        syscalls.link(temp, target)
    except FileExistsError:
        # An answer that was lost on the way, and a repeated request, which a network file system sends by itself.
        return os.lstat(temp).st_nlink > 1
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            return False
        syscalls.rename(temp, target)
    return True


def _publish(descriptor: int, temp: Path, target: Path) -> bool:
    if is_shared(target.parent):
        share_file(descriptor)
    syscalls.fsync(descriptor)
    return link_file(temp, target)
