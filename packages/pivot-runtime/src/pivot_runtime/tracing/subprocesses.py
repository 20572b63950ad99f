"""Files and variables that a stage's child processes use: pool workers and Python programs."""

from pivot_runtime.tracing.audit import FileAudit
from pivot_runtime.tracing.environ import PassedVariables, VariableReads
from pivot_runtime.tracing.spool import Spool


def begin(
    root: str,
    declared: tuple[str, ...],
    spool: str,
    files: bool,  # noqa: FBT001  # it is called with plain arguments only
    assigned: tuple[str, ...],
    passed_over: tuple[str, ...],
) -> None:
    """Note it in this process, until its end.

    Args:
        root: The absolute path of the project.
        declared: The absolute paths that the stage declares.
        spool: The directory in which the stage's own process looks.
        files: Whether files are of interest.
        assigned: The variables that the import of the stage's module has set.
        passed_over: Directories of code whose questions for variables do not matter.
    """
    told = Spool(spool)
    told.enter_child()
    told.begin()
    variables = VariableReads(assigned, told, passed_over)
    variables.start()
    PassedVariables(assigned, told, variables.note).start()
    if files:
        FileAudit(root, declared, told).start()
