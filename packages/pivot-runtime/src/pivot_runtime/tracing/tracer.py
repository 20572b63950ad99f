"""The tracer of a stage, which records from inside its process the files and environment variables that it uses."""

import contextlib
import os
import pathlib
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from pivot_cache.layout import Layout
from pivot_fingerprint.observation import Companion, ProgramRun, remove_start_files
from pivot_runtime.programs.start_files import ProgramTracer
from pivot_runtime.tracing import strace
from pivot_runtime.tracing.audit import SOURCES, FileAudit
from pivot_runtime.tracing.environ import PassedVariables, VariableReads, code_directories
from pivot_runtime.tracing.spool import SOURCE, Spool
from pivot_runtime.tracing.strace import Strace
from pivot_runtime.tracing.usage import TraceOptions, UsedFiles

_IN_CHILDREN: Final = "pivot_runtime.tracing.subprocesses"


class StageTracer:
    """A context manager around one stage run, in the stage's own process.

    Attributes:
        companion: The tracer to start in each Python interpreter of `multiprocessing`.
        program_run: The observation of the Python programs that the stage starts.
    """

    def __init__(
        self,
        options: TraceOptions,
        *,
        root: str,
        address: str = "",
        declared: tuple[str, ...],
        spool: str,
        assigned: Iterable[str] = (),
    ) -> None:
        """Record nothing before the block is entered.

        Args:
            options: The observations to make.
            root: The absolute path of the project.
            address: The stage's.
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
        own = code_directories().own
        arguments = (root, declared, spool, files, assigned, own)
        self.companion = Companion(_IN_CHILDREN, "begin", arguments)
        self._programs: ProgramTracer | None = None
        self._root, self._address = root, address
        place = os.fspath(Layout(pathlib.Path(root)).programs_dir / address)
        self.program_run = ProgramRun(declared, assigned, files, place, own)
        self._unseen: tuple[str, ...] = ()

    @property
    def programs(self) -> ProgramTracer:
        """The tracer of the programs of a shell stage."""
        if self._programs is None:
            self._programs = ProgramTracer(self._root, self._spool.directory, self.program_run)
        return self._programs

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
        if self._programs is not None:
            self._unseen = self._programs.close()
        elif self._address:
            remove_start_files(self.program_run.place)
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
            (*self._passed.unseen(self._variables.names), *self._unseen),
        )

    @property
    def sources(self) -> dict[str, list[list[str]]]:
        """The states of files of code just before programs of a shell stage read them, by path; see `changed`."""
        found: dict[str, list[list[str]]] = {}
        for kind, text in self._spool.entries() if self._programs is not None else ():
            if kind == SOURCE:
                path, *state = text.split("\0")
                if state not in found.setdefault(path, []):
                    found[path].append(state)
        return found
