"""Strict I/O: reports files that a stage used without declaring them, or fails it (`strict_io.level`)."""

from collections.abc import Callable

from pivot_core.spec import StageSpec
from pivot_runtime.config.settings import Settings, Strictness
from pivot_runtime.evaluating.session import Session
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter
from pivot_runtime.project.ignore import ignored
from pivot_runtime.tracing.undeclared import undeclared
from pivot_runtime.tracing.usage import TraceOptions, UsedFiles


class StrictIO:
    """Checks the files that the stages of one run used, according to the configuration."""

    def __init__(self, session: Session, report: Reporter, *, trace: bool = False) -> None:
        """Create the object; everything is read on demand.

        Args:
            session: The session of the command.
            report: Called with the undeclared files.
            trace: Whether stages are traced with strace.

        Raises:
            TraceError: strace is not available.
        """
        if trace:
            from pivot_runtime.tracing import strace  # lazy

            if not strace.available():
                raise strace.missing_error()
        self._trace = trace
        self._session = session
        self._report = report
        self._ignored: Callable[[str], bool] | None = None

    @property
    def watching(self) -> TraceOptions:
        """The observations to make of stages."""
        return TraceOptions(files=self._settings.strict_io_level is not Strictness.OFF, trace=self._trace)

    def problem(self, spec: StageSpec, seen: UsedFiles) -> str:
        """Report the undeclared files of a stage; return the problem if it fails because of them, else ``""``."""
        if not (seen.read or seen.wrote):
            return ""
        if self._ignored is None:
            patterns = tuple(
                part.strip() for part in (self._settings.strict_io_ignore or "").split(",") if part.strip()
            )
            self._ignored = ignored(self._session.project.layout.ignore_file, patterns)
        shell = bool(self._session.stages[spec.address].texts)  # only commands have any
        found = undeclared(seen, spec, self._session.graph, self._ignored, shell=shell)
        if not found:
            return ""
        fatal = self._settings.strict_io_level is Strictness.ERROR
        self._report(events.StageUndeclared(spec.address, found, fatal))
        return "it uses files that it does not declare" if fatal else ""

    @property
    def _settings(self) -> Settings:
        return self._session.stores.settings
