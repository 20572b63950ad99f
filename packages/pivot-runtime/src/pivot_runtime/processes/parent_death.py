"""Ends a child when its parent dies."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.2


def prepare() -> None:
    """Load what `die_with` needs, once, in the process that forks."""
    if sys.platform == "linux":
        libc()


def die_with(parent: int) -> None:
    """Kill this process as soon as its parent, whose pid is ``parent``, is gone."""
    if sys.platform == "linux":
        libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def dying_with(parent: int) -> Iterator[None]:
    """While the block lasts, kill this process as soon as its parent is gone, whatever code it is in."""
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
            watcher.join()  # before anybody forks


def _watch(parent: int, done: threading.Event | None = None) -> None:
    while os.getppid() == parent:
        if done is None:
            time.sleep(_POLL_SECONDS)
        elif done.wait(_POLL_SECONDS):
            return
    os.killpg(0, signal.SIGKILL)


def libc() -> ctypes.CDLL:
    """The C library, for what Python has no words for."""
    global _loaded  # noqa: PLW0603  # loaded before the fork, used after it
    if _loaded is None:
        _loaded = ctypes.CDLL(None, use_errno=True)
    return _loaded


_loaded: ctypes.CDLL | None = None
