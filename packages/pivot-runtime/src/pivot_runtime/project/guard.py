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
"""Below are the numbers that the descriptors of other processes are to have."""
_ATTEMPTS: Final = 20
_PAUSE: Final = 0.005

type Waiting = Callable[[int, str, float | None], None]
"""Told of the holder: pid, command, and for how many seconds it has worked, as far as it is known."""


@contextlib.contextmanager
def guarded(file: pathlib.Path, command: str, waiting: Waiting, *, wait: bool = True) -> Iterator[int]:
    """Hold the guard; if another process has it, tell ``waiting`` of it once and block, unless ``wait`` is off.

    Yields a descriptor: whoever inherits it holds the guard as well, until the last of them has closed it.
    The file is never unlinked: two processes could then hold two files of one name.

    Raises:
        BusyError: Another process has it, and ``wait`` is off.
        NestedError: The process that has it is one from which this one descends.
    """
    try:
        fd = _opened(file)
    except OSError:
        make_directory(file.parent)
        fd = _opened(file)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(fd)
            if holder[0] in _ancestors():
                raise NestedError(*holder[:2]) from None
            if not wait:
                raise BusyError(*holder) from None
            waiting(*holder)
            fcntl.flock(fd, fcntl.LOCK_EX)
        _sign(fd, command)
        yield fd
        _sign(fd, "")
    finally:
        os.close(fd)


def awaited(file: pathlib.Path) -> bool:
    """Wait until no other process has the guard; returns whether one had it."""
    was = held(file)
    if was:
        with _sharing(file) as share:
            share(fcntl.LOCK_SH)
    return was


def held(file: pathlib.Path) -> bool:
    """Whether another process has the guard."""
    try:
        with _sharing(file) as share:
            share(fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # nobody can hold what is not there
        return False
    return False


@contextlib.contextmanager
def _sharing(file: pathlib.Path) -> Iterator[Callable[[int], None]]:
    fd = _opened(file)
    try:
        yield lambda operation: fcntl.flock(fd, operation)
    finally:
        os.close(fd)


def _opened(file: pathlib.Path) -> int:
    flags = os.O_CREAT | os.O_CLOEXEC
    try:
        opened = os.open(file, os.O_RDWR | flags, 0o666)
    except PermissionError:  # another user of a shared cache has made it: it can be held all the same
        opened = os.open(file, os.O_RDONLY | flags, 0o666)
    try:
        return fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
    finally:
        os.close(opened)


def _sign(fd: int, command: str) -> None:
    """Say who holds it; if the disk is full, those who wait learn less."""
    with contextlib.suppress(OSError):
        os.ftruncate(fd, 0)
        if command:
            os.pwrite(fd, json.dumps({"pid": os.getpid(), "command": command, "since": _now()}).encode(), 0)


def _holder(fd: int) -> tuple[int, str, float | None]:
    for _ in range(_ATTEMPTS):  # who has just taken it will say so at once
        if os.fstat(fd).st_size:
            break
        time.sleep(_PAUSE)
    try:
        holder = json.loads(os.pread(fd, 4096, 0))
        age = _now() - holder["since"]
        return int(holder["pid"]), str(holder["command"]), age if age >= 0 else None
    except (OSError, ValueError, KeyError, TypeError):
        return 0, "another command", None


def _ancestors() -> Iterator[int]:
    """The processes from which this one descends, the nearest first."""
    pid = os.getppid()
    while pid > 1:
        yield pid
        pid = _parent(pid)


def _parent(pid: int) -> int:
    """The parent of a process; 0 if unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        pass
    import subprocess  # noqa: PLC0415  # start-up time: only where there is no /proc, and somebody waits

    try:
        listed = subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607
        return int(listed.stdout or 0)
    except (OSError, ValueError):
        return 0


def _now() -> float:
    """Seconds since the machine has started, the same for all processes, whatever becomes of its clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
