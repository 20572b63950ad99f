"""The tracer of a stage, which records from inside its process the files and environment variables that it uses."""

import contextlib
import os
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

import pivot_runtime
from pivot_fingerprint.observation import Companion
from pivot_runtime.tracing import strace
from pivot_runtime.tracing.audit import SOURCES, FileAudit
from pivot_runtime.tracing.environ import PassedVariables, VariableReads, code_directories
from pivot_runtime.tracing.spool import Spool
from pivot_runtime.tracing.strace import Strace
from pivot_runtime.tracing.usage import TraceOptions, UsedFiles

_IN_CHILDREN: Final = "pivot_runtime.tracing.subprocesses"
_PLACE: Final = os.path.abspath(pivot_runtime.__path__[0])


class StageTracer:
    """A context manager around one stage run, in the stage's own process.

    Attributes:
        companion: The tracer to start in each Python interpreter that the stage starts.
    """

    def __init__(
        self, options: TraceOptions, *, root: str, declared: tuple[str, ...], spool: str, assigned: Iterable[str] = ()
    ) -> None:
        """Record nothing before the block is entered.

        Args:
            options: The observations to make.
            root: The absolute path of the project.
            declared: The absolute paths that the stage declares.
            spool: The directory for observations of other processes.
            assigned: The variables that the import has set, and that the stage does not declare.
        """
        self._spool = Spool(spool)
        files, assigned = options.files or options.trace, tuple(assigned)
        self._audit = FileAudit(root, declared, self._spool) if files else None
        self._lines = f"{spool}/strace"
        self._strace = Strace(self._lines) if options.trace else None
        self._variables = VariableReads(assigned, self._spool)
        self._passed = PassedVariables(assigned, self._spool, self._variables.note)
        self._directory = ""
        arguments = (root, declared, spool, files, assigned, code_directories().own)
        self.companion = Companion(_IN_CHILDREN, "begin", arguments, _PLACE)

    def __enter__(self) -> Self:
        self._spool.begin()
        self._variables.start()
        self._passed.start()
        if self._audit is not None:
            self._audit.start()
        if self._strace is not None:
            os.makedirs(os.path.dirname(self._lines), exist_ok=True)
            self._directory = os.getcwd()
            self._strace.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._audit is not None:
            if self._strace is not None:
                self._strace.stop()
                self._note_traced(self._audit)
            self._audit.stop()
        self._variables.stop()
        self._passed.stop()

    def _note_traced(self, audit: FileAudit) -> None:
        with contextlib.suppress(OSError), open(self._lines, encoding="utf-8", errors="surrogateescape") as lines:
            for path, wrote in strace.used_files(lines, self._directory):
                if wrote or not path.endswith(SOURCES):
                    audit.note(path, wrote=wrote)

    @property
    def used(self) -> UsedFiles:
        """The files and variables that the stage used, once the block has ended."""
        audit = self._audit
        return UsedFiles(
            tuple(sorted(audit.read)) if audit is not None else (),
            tuple(sorted(audit.wrote)) if audit is not None else (),
            tuple(sorted(self._variables.names)),
            self._passed.unseen(self._variables.names),
        )
