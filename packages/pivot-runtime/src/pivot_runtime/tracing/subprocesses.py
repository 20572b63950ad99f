"""The tracer of other Python interpreters that a stage starts, such as pool workers and programs."""

import os
import sys
import sysconfig
from typing import Final

from pivot_runtime.tracing.audit import FileAudit
from pivot_runtime.tracing.environ import PassedVariables, VariableReads
from pivot_runtime.tracing.spool import Spool

_KERNEL: Final = "ipykernel_launcher"


def begin(
    root: str,
    declared: tuple[str, ...],
    spool: str,
    files: bool,  # noqa: FBT001  # it is called with plain arguments only
    assigned: tuple[str, ...],
    passed_over: tuple[str, ...],
) -> None:
    """Record files and variables that this process uses, until its end.

    Args:
        root: The absolute path of the project.
        declared: The absolute paths that the stage declares.
        spool: The directory for observations, which the stage's own process reads.
        files: Whether to record files too.
        assigned: The variables that the import of the stage's module has set.
        passed_over: Directories of code whose reads of variables do not count.
    """
    written = Spool(spool)
    written.enter_child()
    written.begin()
    variables = VariableReads(assigned, written, passed_over, _machinery())
    variables.start()
    PassedVariables(assigned, written, variables.note).start()
    if files:
        FileAudit(root, declared, written).start()


def _machinery() -> tuple[str, ...]:
    """The libraries of the kernel of a notebook, which read dozens of variables; all that are installed with them."""
    if _KERNEL not in sys.orig_argv:
        return ()
    return tuple(os.path.join(sysconfig.get_path(name), "") for name in ("purelib", "platlib"))
