"""A child that must not outlive its parent."""

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1


def prepare() -> None:
    """Load what `die_with` needs, once, in the process that forks."""
    if sys.platform == "linux":
        _libc()


def die_with(parent: int) -> None:
    """Kill this process as soon as its parent, whose pid is ``parent``, is gone."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os.killpg(0, signal.SIGKILL)


def _libc() -> ctypes.CDLL:
    global _loaded  # noqa: PLW0603  # loaded before the fork, used after it
    if _loaded is None:
        _loaded = ctypes.CDLL(None, use_errno=True)
    return _loaded


_loaded: ctypes.CDLL | None = None
