"""The project-wide mutex (flock): one writing command at a time, released when its process dies."""

import contextlib
import fcntl
import json
import os
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from pivot_cache.files.atomic import make_directory
from pivot_runtime.errors import BusyError, NestedError

_LOWEST: Final = 10
"""The lowest number of a guard's descriptor; smaller numbers are for the descriptors of other processes."""
_ATTEMPTS: Final = 20
_PAUSE: Final = 0.005
_STEP: Final = 0.02
_MOST: Final = 4096

type Waiting = Callable[[int, str, float | None], None]
"""Called with the holder: its pid, its command, and the seconds since it began, if known."""


@contextlib.contextmanager
def guarded(file: pathlib.Path, command: str, waiting: Waiting, *, wait: bool = True) -> Iterator[int]:
    """Hold the guard; if another process holds it, call ``waiting`` once and block, unless ``wait`` is off.

    Yields a descriptor: processes that inherit it hold the guard as well, until the last of them has closed it.
    The file is never unlinked: otherwise, two processes could hold two files of one name.

    Raises:
        BusyError: Another process holds the guard, and ``wait`` is off.
        NestedError: An ancestor of this process holds the guard.
    """
    try:
        fd = _open_file(file)
    except OSError:
        make_directory(file.parent)
        fd = _open_file(file)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(fd)
            if {holder[0], _relative(fd)} & set(ancestors()):
                raise NestedError(*holder[:2]) from None
            if not wait:
                raise BusyError(*holder) from None
            waiting(*holder)
            _lock(fd, fcntl.LOCK_EX)
        _write_holder(fd, command)
        yield fd
        _write_holder(fd, "")
    finally:
        os.close(fd)


def note_relative(fd: int, pid: int) -> None:
    """Note in the guard that this process holds that the process ``pid``, no descendant of it, runs its stages.

    A command that a stage starts finds an ancestor in the guard then.
    """
    with contextlib.suppress(OSError, ValueError):
        held = json.loads(os.pread(fd, _MOST, 0))
        text = json.dumps({**held, "relative": pid}).encode()
        os.pwrite(fd, text, 0)


def awaited(file: pathlib.Path) -> bool:
    """Wait until no other process holds the guard; return whether one held it."""
    was = held(file)
    if was:
        with _sharing(file) as fd:
            _lock(fd, fcntl.LOCK_SH)
    return was


def held(file: pathlib.Path) -> bool:
    """Return whether another process holds the guard."""
    try:
        with _sharing(file) as fd:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file that does not exist is not held
        return False
    return False


def _lock(fd: int, operation: int) -> None:
    """Wait for the lock in short steps: a signal that arrives a moment before a system call does not end it."""
    while True:
        try:
            return fcntl.flock(fd, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_STEP)


@contextlib.contextmanager
def _sharing(file: pathlib.Path) -> Iterator[int]:
    fd = _open_file(file)
    try:
        yield fd
    finally:
        os.close(fd)


def _open_file(file: pathlib.Path) -> int:
    flags = os.O_CREAT | os.O_CLOEXEC
    try:
        opened = os.open(file, os.O_RDWR | flags, 0o666)
    except PermissionError:  # another user of a shared cache created it; it can be locked anyway
        opened = os.open(file, os.O_RDONLY | flags, 0o666)
    try:
        return fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
    finally:
        os.close(opened)


def _write_holder(fd: int, command: str) -> None:
    """Write who holds the guard; if the disk is full, waiting commands report less."""
    with contextlib.suppress(OSError):
        os.ftruncate(fd, 0)
        if command:
            os.pwrite(fd, json.dumps({"pid": os.getpid(), "command": command, "since": _now()}).encode(), 0)


def _relative(fd: int) -> int | None:
    try:
        return int(json.loads(os.pread(fd, _MOST, 0)).get("relative", 0)) or None
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _holder(fd: int) -> tuple[int, str, float | None]:
    for _ in range(_ATTEMPTS):  # a new holder writes this right after it has locked the file
        if os.fstat(fd).st_size:
            break
        time.sleep(_PAUSE)
    try:
        holder = json.loads(os.pread(fd, _MOST, 0))
        age = _now() - holder["since"]
        return int(holder["pid"]), str(holder["command"]), age if age >= 0 else None
    except (OSError, ValueError, KeyError, TypeError):
        return 0, "another command", None


def ancestors() -> Iterator[int]:
    """Yield the ancestors of this process, the nearest first."""
    pid = os.getppid()
    while pid > 1:
        yield pid
        pid = _parent(pid)


def _parent(pid: int) -> int:
    """Return the parent of a process; 0 if unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        pass
    import subprocess  # lazy: only without /proc, while waiting

    try:
        listed = subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607
        return int(listed.stdout or 0)
    except (OSError, ValueError):
        return 0


def _now() -> float:
    """Return the seconds since the machine started, which are the same in all processes even if the clock is set."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
