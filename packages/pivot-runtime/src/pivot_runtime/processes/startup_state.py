"""The state of a process at its start, which a process forked from it restores."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pivot_runtime.processes.early_fork import EarlyFork

_PLATFORM = "linux"  # elsewhere system libraries may not be used after a fork without exec
_THREADS = "/proc/self/task"
_KERNEL = "JPY_PARENT_PID"
_OF_KERNELS = {
    **dict.fromkeys([_KERNEL, "JPY_SESSION_NAME", "JPY_INTERRUPT_EVENT"]),
    **dict.fromkeys(["CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR"], "1"),
    **dict.fromkeys(["PAGER", "GIT_PAGER"], "cat"),
    "PYDEVD_USE_FRAME_EVAL": "NO",
}
"""Variables that a kernel sets, with their values; None is any value."""
_BACKEND = "MPLBACKEND"
_INLINE = ("module://matplotlib_inline", "module://ipykernel")


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


def without_kernel(environment: Mapping[str, str]) -> Mapping[str, str]:
    """An environment without the variables that the kernel of a notebook has set for itself.

    So a pipeline that is imported for a notebook is like one that is imported for a command.
    """
    inline = environment.get(_BACKEND, "").startswith(_INLINE)
    if not inline and _KERNEL not in environment:
        return environment
    dropped = {_BACKEND} if inline else set()
    if _KERNEL in environment:
        dropped |= {name for name, value in _OF_KERNELS.items() if value in (None, environment.get(name))}
    return {name: value for name, value in environment.items() if name not in dropped}


def can_fork() -> bool:
    """Whether this process can be forked: the platform allows it, and there is one thread, native ones included."""
    if sys.platform != _PLATFORM:
        return False
    try:
        return len(os.listdir(_THREADS)) == 1
    except OSError:
        return False
