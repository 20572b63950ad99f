"""The end of a process as soon as its parent dies."""

import contextlib
import ctypes
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.2


def prepare() -> None:
    """Load the library for `die_with` in the process that forks, once for all its children."""
    if sys.platform == "linux":
        libc()


def die_with(parent: int) -> None:
    """Kill this process as soon as the process ``parent`` is no longer its parent."""
    if sys.platform == "linux":
        libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def dying_with(parent: int) -> Iterator[None]:
    """While the block runs, kill this process as soon as its parent is gone, whatever code it executes."""
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(parent, done), daemon=True)
    if sys.platform == "linux":
        die_with(parent)
    else:
        watcher.start()
    try:
        yield
    finally:
        if sys.platform == "linux":
            libc().prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)
        else:
            done.set()
            watcher.join()  # a process with two threads must not be forked


def _watch(parent: int, done: threading.Event | None = None) -> None:
    while os.getppid() == parent:
        if done is None:
            time.sleep(_POLL_SECONDS)
        elif done.wait(_POLL_SECONDS):
            return
    os.killpg(0, signal.SIGKILL)


@functools.cache
def libc() -> ctypes.CDLL:
    """The C library, for system calls that Python has no function for."""
    return ctypes.CDLL(None, use_errno=True)
