"""Atomic writes: files that appear as a whole or not at all, by a rename from a temporary name.

All processes see a rename at the same time, and it survives any kill. After a power cut, the newest files may be
missing, empty or truncated, unless they were written with ``durable=True``: then the bytes and the name are on the disk
when the call returns, and the old content stays there until then. Content that exists nowhere else is written in this
way: ``.pvt`` files, configuration, ignore files of git and Pivot. For existing files, such as one that is about to be
replaced, use `pivot_cache.files.durable` and `ObjectStore.persist`. For all other files, readers detect the loss:
objects are verified before use (`pivot_cache.objects.store`), and a damaged lock file or run record means "no run".
``docs/decisions/durability.md`` has the reasons.

The next process that writes to the same directory removes the temporary files of killed processes. A kernel lock
(flock) on the open file shows whether its owner is alive. On file systems without such locks, leftovers stay.
"""

import contextlib
import fcntl
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pivot_cache.errors import as_cache_errors
from pivot_cache.files import syscalls
from pivot_cache.files.safe_read import read_regular

PREFIX = ".pivot-"
SUFFIX = ".tmp"
"""The prefix and suffix of temporary names: short, whatever the target's name, and not ``*.lock``."""

_OF_A_GROUP = stat.S_ISGID | stat.S_IWGRP
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_swept: set[str] = set()
"""The directories that this process has swept: once is enough."""

_words: dict[int, str] = {}
"""The part of its temporary names that no other process has, by process, since a fork inherits that of its parent."""
_numbers = itertools.count()
"""The numbers of temporary names; `next` is atomic under the interpreter's lock."""


@contextlib.contextmanager
def temporary(directory: Path | str, mode: int = 0o666) -> Iterator[tuple[int, Path]]:
    """A new empty file in ``directory``, which is created if necessary: its open descriptor and its path.

    The descriptor is closed at the end, and the file is removed unless it was renamed. Its mode is ``mode`` minus the
    umask.
    """
    descriptor, path = create_temporary(directory, mode)
    try:
        yield descriptor, Path(path)
    finally:
        try:
            with contextlib.suppress(OSError):
                syscalls.unlink(path)
        finally:
            os.close(descriptor)


def create_temporary(directory: Path | str, mode: int) -> tuple[int, str]:
    """As `temporary`, but the caller must close the descriptor, and rename or remove the file."""
    sweep_once(directory)
    while True:
        path = _name(directory)
        try:
            descriptor = syscalls.create(path, mode)
        except FileNotFoundError:
            make_directory(Path(directory))
            descriptor = syscalls.create(path, mode)
        if _own(descriptor, path):
            return descriptor, path
        os.close(descriptor)


@contextlib.contextmanager
def staging(directory: Path) -> Iterator[Path]:
    """A new empty directory in ``directory``, which is created if necessary; removed with its contents at the end."""
    sweep_once(directory)
    while True:
        path = Path(_name(directory))
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


def sweep(directory: Path | str) -> int:
    """Remove temporary files of dead processes from ``directory``; those of living processes stay.

    Returns:
        The number of removed names.
    """
    removed = 0
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX):
                with contextlib.suppress(OSError):
                    _remove_dead(entry.path)
                    removed += 1
    return removed


def sweep_once(directory: Path | str) -> None:
    """Sweep a directory if this process has not done so."""
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
    """Create a directory and its parents if they do not exist.

    Inside a group's directory (set-gid and group-writable), the new directory is shared with the group, whatever the
    umask.
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
    """Share a new file or directory with the group of the directory around it, if that is a group's."""
    around = path.parent.stat().st_mode
    if around & _OF_A_GROUP != _OF_A_GROUP:
        return
    wanted = around & (stat.S_IRWXG | stat.S_ISGID) if path.is_dir() else around & (stat.S_IRGRP | stat.S_IWGRP)
    mode = path.stat().st_mode
    if wanted & ~mode:
        with contextlib.suppress(PermissionError):  # another user has just created it
            syscalls.chmod(path, stat.S_IMODE(mode) | wanted)


def remove_tree(path: str | Path) -> None:
    """Remove a directory with its contents; symlinks are removed, never followed."""
    with os.scandir(path) as entries:
        found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, directory in found:
        if directory:
            remove_tree(name)
        else:
            syscalls.unlink(name)
    syscalls.rmdir(path)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of ``data``; a single system call may write less."""
    view = memoryview(data)
    while view:
        view = view[syscalls.write(descriptor, view) :]


def write_bytes(
    path: Path | str, data: bytes, *, durable: bool = False, keep_mode: bool = False, shared: bool = False
) -> None:
    """Replace the content of ``path`` atomically: every reader sees either the old or all of the new bytes.

    Missing parent directories are created. A symlink at ``path`` is replaced, not followed.

    Args:
        path: The file.
        data: Its new content.
        durable: Whether it must survive a power cut: the new bytes are on the disk before they get this name, and the
            name is when the call returns.
        keep_mode: Whether an existing file keeps its mode, as one of the user's should.
        shared: Whether it belongs to a cache that others may use: inside a group's directory, the group can read it,
            whatever the umask.

    Raises:
        CacheError: The file cannot be written; the old content is untouched.
    """
    directory = os.path.dirname(path) or "."
    with as_cache_errors("write", path):
        descriptor, temp = create_temporary(directory, 0o666)
        try:
            write_all(descriptor, data)
            if keep_mode:
                with contextlib.suppress(FileNotFoundError):
                    syscalls.fchmod(descriptor, stat.S_IMODE(os.stat(path).st_mode))
            if shared and (os.stat(directory).st_mode & _OF_A_GROUP) == _OF_A_GROUP:
                syscalls.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) | stat.S_IRGRP)
            if durable:
                syscalls.fsync(descriptor)
            syscalls.rename(temp, path)
        except BaseException:
            with contextlib.suppress(OSError):
                syscalls.unlink(temp)
            raise
        finally:
            os.close(descriptor)
    if durable:
        _flushed(Path(directory))


def change_bytes(path: Path | str, data: bytes, *, durable: bool = False) -> bool:
    """Like `write_bytes`, but does nothing and returns False if ``data`` is already the content."""
    try:
        if read_regular(path) == data:
            if durable:
                _flushed(Path(path))
            return False
    except OSError:
        pass  # missing or unreadable: then the write reports the problem
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
    """Flush a directory's names, or an existing file, which may have been written a moment ago."""
    from pivot_cache.files import durable  # lazy

    if path.is_dir():
        durable.flush_directory(path)
    else:
        durable.flush_files([path])


def _name(directory: Path | str) -> str:
    process = os.getpid()
    word = _words.get(process)
    if word is None:
        word = _words[process] = os.urandom(8).hex()
    return f"{directory}/{PREFIX}{word}-{next(_numbers)}{SUFFIX}"


def _own(descriptor: int, path: Path | str) -> bool:
    """Lock a new file; False if a sweeping process has removed it in between."""
    with contextlib.suppress(OSError):  # without locks, nobody can sweep either
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _remove_dead(path: str) -> None:
    """Remove something without a living owner; raise `BlockingIOError` if it has one."""
    descriptor = os.open(path, _LOOK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.isdir(path):
            remove_tree(path)
        else:
            syscalls.unlink(path)
    finally:
        os.close(descriptor)
