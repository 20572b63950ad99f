"""Traces the process of a stage from inside: the files and environment variables that it uses."""

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

_ELSEWHERE: Final = "pivot_runtime.tracing.subprocesses"


class StageTracer:
    """A context manager around the run of a stage, in the stage's own process; good for one run."""

    def __init__(
        self, watching: TraceOptions, *, root: str, declared: tuple[str, ...], spool: str, assigned: Iterable[str] = ()
    ) -> None:
        """See what ``watching`` asks for.

        Args:
            watching: What.
            root: The absolute path of the project.
            declared: The absolute paths that the stage declares.
            spool: A directory in which other processes leave what they see.
            assigned: The variables that the import has set, and that the stage does not declare.
        """
        self._spool = Spool(spool)
        files, assigned = watching.files or watching.trace, tuple(assigned)
        self._audit = FileAudit(root, declared, self._spool) if files else None
        self._lines = os.path.join(spool, "strace")
        self._strace = Strace(self._lines) if watching.trace else None
        self._variables = VariableReads(assigned, self._spool)
        self._handed = PassedVariables(assigned, self._spool, self._variables.note)
        self._directory = ""
        arguments = (root, declared, spool, files, assigned, code_directories()[2])
        self.also = Companion(_ELSEWHERE, "begin", arguments, os.path.abspath(pivot_runtime.__path__[0]))
        """The observation in the interpreters that the stage starts."""

    def __enter__(self) -> Self:
        self._spool.begin()
        self._variables.start()
        self._handed.start()
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
                self._take(self._audit)
            self._audit.stop()
        self._variables.stop()
        self._handed.stop()

    def _take(self, audit: FileAudit) -> None:
        with contextlib.suppress(OSError), open(self._lines, encoding="utf-8", errors="surrogateescape") as lines:
            for path, wrote in strace.used_files(lines, self._directory):
                if wrote or not path.endswith(SOURCES):
                    audit.note(path, wrote=wrote)

    @property
    def seen(self) -> UsedFiles:
        """The observations."""
        audit = self._audit
        return UsedFiles(
            tuple(sorted(audit.read)) if audit is not None else (),
            tuple(sorted(audit.wrote)) if audit is not None else (),
            tuple(sorted(self._variables.names)),
            self._handed.unseen(self._variables.names),
        )
