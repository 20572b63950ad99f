"""The record of a sweep for `pivot history`: one run, with the stages of all combinations."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pivot_cache.layout import Layout
from pivot_runtime.history import event_json
from pivot_runtime.history.journal import JournalFile
from pivot_runtime.sweeps import events
from pivot_runtime.sweeps.events import SweepReporter

_NOTABLE: Final = ("stage_started", "stage_restored", "stage_failed", "stage_blocked")
_KEPT: Final = (*_NOTABLE, "stage_undeclared", "stage_ran", "stage_cached", "stage_frozen", "stage_inputs_changed")


class SweepJournal:
    """A reporter that records the stages of a sweep and passes events on; a failure to record is not an error.

    As for other runs, there is no record if no stage had to do anything.
    """

    def __init__(
        self,
        layout: Layout,
        command: Callable[[], str],
        values: Callable[[int], str],
        report: SweepReporter,
        began: float,
    ) -> None:
        """Create the reporter.

        Args:
            layout: The project's files.
            command: Returns the command line as it is recorded.
            values: Returns the parameters of a combination, by its number, as they are recorded.
            report: The reporter of the events.
            began: The start of the command, by the monotonic clock.
        """
        self._layout = layout
        self._command = command
        self._values = values
        self._report = report
        self._began = began
        self._names: Mapping[str, str] = {}
        self._loaded = 0.0
        self._file: JournalFile | None = None

    def __call__(self, event: events.SweepEvent) -> None:
        """Record an event and pass it on."""
        with contextlib.suppress(OSError):
            self._keep(event)
        self._report(event)

    def stopped(self, error: BaseException) -> None:
        """The sweep has been stopped by an error, or by the user."""
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
        with contextlib.suppress(OSError):
            self._append([{"event": "run_stopped", "reason": reason}])
            self._close()

    def _keep(self, event: events.SweepEvent) -> None:
        match event:
            case events.SweepStarted(names=names):
                self._names = names
                self._loaded = round(time.monotonic() - self._began, 6)
            case events.CombinationEvent(combination=combination, line=line) if line["event"] in _KEPT:
                if self._file is None and line["event"] in _NOTABLE:
                    self._open()
                number = combination.number
                self._append([{**line, "combination": number, "params": self._values(number)}])
            case events.SweepInterrupted():
                self._append([{"event": "interrupted", "running": []}])
            case events.SweepEnded(complete=complete):
                self._append([{"event": "run_ended", "complete": complete}])
                self._close()

    def _open(self) -> None:
        started = time.time() - (time.monotonic() - self._began)
        self._file = JournalFile(self._layout, event_json.first_line(self._command(), time=started, pid=os.getpid()))
        self._append([{"event": "pipelines_loaded", "began": 0.0, "seconds": self._loaded}])
        self._append([{"event": "run_started", "names": dict(self._names), "addresses": list(self._names)}])

    def _append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        if self._file is not None:
            at = round(time.monotonic() - self._began, 6)
            self._file.append(*[{**line, "at": at} for line in lines])

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
