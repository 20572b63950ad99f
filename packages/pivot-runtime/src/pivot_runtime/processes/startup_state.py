"""The state of a process at its start, which a process forked from it restores."""

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pivot_runtime.processes.early_fork import EarlyFork

_PLATFORM = "linux"  # elsewhere system libraries may not be used after a fork without exec
_THREADS = "/proc/self/task"


class StartupState(NamedTuple):
    """The state that a command records before anything else if hosts may be forked from it.

    Attributes:
        modules: The names of the imported modules, without the command's own.
        path: The module search path of a new interpreter, without the command's own directory.
        thresholds: Those of a new interpreter's garbage collector.
        early_fork: A process that was forked then, if there is one.
    """

    modules: frozenset[str]
    path: tuple[str, ...]
    thresholds: tuple[int, int, int]
    early_fork: "EarlyFork | None" = None


def can_fork() -> bool:
    """Whether this process can be forked: the platform allows it, and there is one thread, native ones included."""
    if sys.platform != _PLATFORM:
        return False
    try:
        return len(os.listdir(_THREADS)) == 1
    except OSError:
        return False
