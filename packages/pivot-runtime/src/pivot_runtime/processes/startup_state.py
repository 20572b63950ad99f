"""The state of a process at its start, which a process forked from it restores."""

import os
import sys
from typing import NamedTuple

# On others a process that has used the system's own libraries must not be forked without exec.
_PLATFORM = "linux"
_THREADS = "/proc/self/task"


class StartupState(NamedTuple):
    """The state that a program records before anything else, if it lets its hosts be forked from it.

    Attributes:
        modules: The names of the modules that were imported, but for the program's own.
        path: Where a new interpreter looks for modules: without the directory of the program itself.
    """

    modules: frozenset[str]
    path: tuple[str, ...]


def can_fork() -> bool:
    """Whether this process can be forked: it has one thread, of whatever library, and the system allows it."""
    if sys.platform != _PLATFORM:
        return False
    try:
        return len(os.listdir(_THREADS)) == 1
    except OSError:
        return False
