"""The guard of a project: one command at a time changes it; the kernel frees it when its holder dies."""

import contextlib
import fcntl
import json
import os
import pathlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def guarded(file: pathlib.Path, command: str, waiting: Callable[[int, str], None]) -> Iterator[None]:
    """Hold the guard; if another process has it, tell ``waiting(pid, command)`` once and block.

    The file is never unlinked: two processes could then hold two files of one name.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting(*_holder(fd))
            fcntl.flock(fd, fcntl.LOCK_EX)
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps({"pid": os.getpid(), "command": command}).encode(), 0)
        yield
    finally:
        os.close(fd)


def _holder(fd: int) -> tuple[int, str]:
    try:
        told = json.loads(os.pread(fd, 4096, 0))
        return int(told["pid"]), str(told["command"])
    except (ValueError, KeyError, TypeError):
        return 0, "another command"
