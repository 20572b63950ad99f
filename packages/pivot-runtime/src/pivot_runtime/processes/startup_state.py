"""The state of a process at its start, which a process forked from it restores."""

import os
import sys
from typing import NamedTuple

_PLATFORM = "linux"  # elsewhere system libraries may not be used after a fork without exec
_THREADS = "/proc/self/task"


class StartupState(NamedTuple):
    """The state that a command records before anything else if hosts may be forked from it.

    Attributes:
        modules: The names of the imported modules, without the command's own.
        path: The module search path of a new interpreter, without the command's own directory.
    """

    modules: frozenset[str]
    path: tuple[str, ...]


def can_fork() -> bool:
    """Whether this process can be forked: the platform allows it, and there is one thread, native ones included."""
    if sys.platform != _PLATFORM:
        return False
    try:
        return len(os.listdir(_THREADS)) == 1
    except OSError:
        return False
