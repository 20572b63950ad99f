"""Files that appear whole or not at all: written under a temporary name, then renamed.

A rename is seen by every process at once and survives any kill. After a power cut the newest files may be missing,
empty or short, unless they were written with ``durable=True``: then bytes and name are on the disk when the call
returns, and the old content is there until then. So is written what exists nowhere else: ``.pvt`` files,
configuration, what git or Pivot ignores. For what is there already, such as a file that is about to lose its place,
there are `pivot_cache.files.durable` and `ObjectStore.persist`. Of the rest, readers notice the loss: objects are
verified before use (`pivot_cache.objects.store`), a damaged lock file or run record means "no run".
``docs/decisions/durability.md`` says why.

The next process that writes to the same directory removes temporary files of killed processes.
The kernel knows whether the owner lives: it holds a lock (flock) on what it has open. Where the file system has
no such locks, leftovers stay.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pivot_cache.errors import reporting
from pivot_cache.files import syscalls
from pivot_cache.files.safe_read import read_regular

PREFIX = ".pivot-"
SUFFIX = ".tmp"
"""How temporary names begin and end: short, whatever the target's name, and no ``*.lock``."""

_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_swept: set[str] = set()


@contextlib.contextmanager
def temporary(directory: Path, mode: int = 0o666) -> Iterator[tuple[int, Path]]:
    """A new empty file in ``directory``, which is made if need be: its open descriptor and its path.

    The descriptor is closed at the end, and the file removed unless it was renamed. Its mode is
    ``mode`` less the umask.
    """
    sweep_once(directory)
    while True:
        path = _name(directory)
        try:
            descriptor = syscalls.create(path, mode)
        except FileNotFoundError:
            make_directory(directory)
            descriptor = syscalls.create(path, mode)
        if _own(descriptor, path):
            break
        os.close(descriptor)
    try:
        yield descriptor, path
    finally:
        try:
            with contextlib.suppress(OSError):
                syscalls.unlink(path)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def staging(directory: Path) -> Iterator[Path]:
    """A new empty directory in ``directory``, which is made if need be; removed at the end with all that is in it."""
    sweep_once(directory)
    while True:
        path = _name(directory)
        try:
            syscalls.mkdir(path)
        except FileNotFoundError:
            make_directory(directory)
            syscalls.mkdir(path)
        try:
            descriptor = os.open(path, _LOOK)
        except FileNotFoundError:
            continue
        if _own(descriptor, path):
            break
        os.close(descriptor)
    try:
        yield path
    finally:
        try:
            with contextlib.suppress(OSError):
                remove_tree(path)
        finally:
            os.close(descriptor)


def sweep(directory: Path) -> int:
    """Remove what dead processes left under temporary names in ``directory``; what the living use stays.

    Returns:
        How many names were removed.
    """
    removed = 0
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX):
                with contextlib.suppress(OSError):
                    _remove_dead(entry.path)
                    removed += 1
    return removed


def sweep_once(directory: Path) -> None:
    """The same, for the first time in this process."""
    name = str(directory)
    if name not in _swept:
        _swept.add(name)
        sweep(directory)


def drop_older_half(directory: Path, most: int) -> None:
    """Remove the half of the files in a directory that were written longest ago, if it has more than ``most``.

    Raises:
        OSError: The directory cannot be read, or a file cannot be removed.
    """
    with os.scandir(directory) as entries:
        found = list(entries)
    if len(found) > most:
        for entry in sorted(found, key=lambda entry: entry.stat().st_mtime_ns)[: len(found) // 2]:
            os.unlink(entry.path)


def make_directory(directory: Path) -> None:
    """Make a directory and its parents; one that is there already is fine.

    In a directory that a group shares (set-gid, and the group may write) the group shares it too, whatever the umask.
    """
    try:
        _made(directory)
    except FileNotFoundError:
        make_directory(directory.parent)
        _made(directory)


def _made(directory: Path) -> None:
    try:
        syscalls.mkdir(directory)
    except FileExistsError:
        if not directory.is_dir():
            raise NotADirectoryError(20, "Not a directory", str(directory)) from None
    else:
        share(directory)


def share(path: Path) -> None:
    """Let the group do with what was just made what it may do with the directory around it, if that is for a group."""
    around = path.parent.stat().st_mode
    if not (around & stat.S_ISGID and around & stat.S_IWGRP):
        return
    wanted = around & (stat.S_IRWXG | stat.S_ISGID) if path.is_dir() else around & (stat.S_IRGRP | stat.S_IWGRP)
    mode = path.stat().st_mode
    if wanted & ~mode:
        with contextlib.suppress(PermissionError):  # another user has made it in this moment
            syscalls.chmod(path, stat.S_IMODE(mode) | wanted)


def remove_tree(path: str | Path) -> None:
    """Remove a directory with all that is in it; symlinks are removed, never followed."""
    with os.scandir(path) as entries:
        found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, directory in found:
        if directory:
            remove_tree(name)
        else:
            syscalls.unlink(name)
    syscalls.rmdir(path)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of ``data``; one call of the system may write less."""
    view = memoryview(data)
    while view:
        view = view[syscalls.write(descriptor, view) :]


def write_bytes(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Make ``data`` the content of ``path``: every reader sees the old bytes or all of the new ones.

    Missing parent directories are made. A symlink at ``path`` is replaced, not followed.

    Args:
        path: The file.
        data: Its new content.
        durable: So also after a power cut: the new bytes are on the disk before they have this name, and the name is
            when this returns.

    Raises:
        CacheError: It could not be written; the old content is untouched.
    """
    with reporting("write", path), temporary(path.parent) as (descriptor, temp):
        write_all(descriptor, data)
        if durable:
            syscalls.fsync(descriptor)
        syscalls.rename(temp, path)
    if durable:
        _flushed(path.parent)


def change_bytes(path: Path, data: bytes, *, durable: bool = False) -> bool:
    """As `write_bytes`, unless ``data`` is the content already: then nothing is touched, and this is False."""
    try:
        if read_regular(path) == data:
            if durable:
                _flushed(path)
            return False
    except OSError:
        pass  # not there, or not readable: then writing it will tell
    write_bytes(path, data, durable=durable)
    return True


def lock_regular_file(descriptor: int, path: Path) -> bool:
    """Lock an open file; False if another process holds or has removed it, or if it is not a regular file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
        return stat.S_ISREG(status.st_mode) and os.path.samestat(status, path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _flushed(path: Path) -> None:
    """A directory's names, or a file that was there already: somebody may have written it a moment ago."""
    from pivot_cache.files import durable  # noqa: PLC0415 - start-up time: most commands write nothing of that kind

    if path.is_dir():
        durable.directory(path)
    else:
        durable.files([path])


def _name(directory: Path) -> Path:
    return directory / f"{PREFIX}{os.urandom(8).hex()}{SUFFIX}"


def _own(descriptor: int, path: Path) -> bool:
    """Lock what was just made; False if a sweeping process saw it in the moment before, and removed it."""
    with contextlib.suppress(OSError):  # no locks here: then nobody can sweep either
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _remove_dead(path: str) -> None:
    """Remove what has no living owner; `BlockingIOError` if it has one."""
    descriptor = os.open(path, _LOOK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.isdir(path):
            remove_tree(path)
        else:
            syscalls.unlink(path)
    finally:
        os.close(descriptor)
