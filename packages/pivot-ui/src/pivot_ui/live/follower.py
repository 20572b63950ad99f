"""Notices edits and runs while the page is open, and evaluates the project after them."""

import os
import pathlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import watchfiles

from pivot_core.errors import PivotError
from pivot_runtime.freshness.file_events import polling_reason
from pivot_runtime.freshness.stamps import ReadSet, are_settled
from pivot_runtime.project.guard import held
from pivot_runtime.running.watched_paths import changed, directories
from pivot_ui.live.hub import EventHub
from pivot_ui.live.run_journal import RunJournal
from pivot_ui.project import EvaluatedProject, ProjectService

__all__ = ["ProjectFollower"]

_LOOK_MS: Final = 500
"""The time between two looks at the journal without an event of the system."""
_SETTLE_MS: Final = 100
_LONGEST_SETTLE_MS: Final = 2000
_SHARE: Final = 100
"""Without an event, files are compared for at most one part in so many of the time."""
_SHARE_AFTER_EVENTS: Final = 10
_LEAST_S: Final = 10.0
_MOST_UNSETTLED: Final = 3
_RETRY_S: Final = 1.0
_LONGEST_RETRY_S: Final = 60.0


class ProjectFollower:
    """A thread that follows a project until it is closed.

    It never holds the project's guard, and evaluates nothing while another command does.
    """

    def __init__(self, service: ProjectService, hub: EventHub, report: Callable[[str], object]) -> None:
        """Follow nothing before `start`; ``report`` gets a line if something unexpected has happened."""
        self._service = service
        self._hub = hub
        self._report = report
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow the project", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; an evaluation that is going on ends with the process."""
        self._stop.set()

    def _follow(self) -> None:
        """Follow the project to the end, whatever happens; after an error begin again, ever less often."""
        evaluate, pause, said = self._service.evaluated, _RETRY_S, ""
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._follow_from(evaluate)
            except Exception as error:  # noqa: BLE001  # the page must not go silent
                problem = _problem(error)
                if str(problem) != said:
                    self._report(said := str(problem))
                self._tell(self._service.with_problem(problem))
                evaluate = self._service.evaluate_again
                went_well = time.monotonic() - began > _LONGEST_RETRY_S
                pause = _RETRY_S if went_well else min(2 * pause, _LONGEST_RETRY_S)
                self._stop.wait(pause)

    def _follow_from(self, evaluate: Callable[[], EvaluatedProject]) -> None:
        """Follow the project, beginning with an evaluation."""
        project = self._service.context().project
        runs = RunJournal(project, lambda plain: self._hub.publish("run", plain))
        runs.look()
        seen = evaluate()
        self._tell(seen)
        unsettled = 0
        while not self._stop.is_set():
            unsettled = 0 if _is_settled(seen) else unsettled + 1
            if not 0 < unsettled <= _MOST_UNSETTLED:
                self._wait_until_outdated(seen, runs, project.layout.guard_file)
            if not self._stop.is_set():
                seen = self._service.evaluate_again()
                self._tell(seen)

    def _tell(self, seen: EvaluatedProject) -> None:
        self._hub.publish("status", {"version": seen.version})

    def _wait_until_outdated(self, seen: EvaluatedProject, runs: RunJournal, guard: pathlib.Path) -> None:
        """Return once something that was read has changed and no command is at work, or at the end."""
        reads = seen.read_set
        check = ChangeCheck(reads)
        was_running = runs.running
        for events in self._wakes(reads, runs):
            runs.look()
            check.note(events=events or was_running != runs.running)
            was_running = runs.running
            if check.due() and not _is_held(guard) and check.is_outdated():
                return

    def _wakes(self, reads: ReadSet, runs: RunJournal) -> Iterator[bool]:
        """Yield at intervals; with True after events, and after the begin of a watch, which may have missed some."""
        while not self._stop.is_set():
            journals = _existing(str(runs.directory))
            places = sorted({*filter(os.path.isdir, directories(reads)), journals})
            begun = True
            try:
                if polling_reason(places):
                    break
                for events in watchfiles.watch(
                    *places,
                    watch_filter=None,
                    stop_event=self._stop,
                    step=_SETTLE_MS,
                    debounce=_LONGEST_SETTLE_MS,
                    rust_timeout=_LOOK_MS,
                    yield_on_timeout=True,
                    recursive=False,
                    raise_interrupt=False,
                    ignore_permission_denied=True,
                ):
                    yield bool(events) or begun
                    begun = False
                    if _existing(str(runs.directory)) != journals:
                        break  # the first run has created it
            except OSError:  # the system cannot watch so many directories
                break
        while not self._stop.wait(_LOOK_MS / 1000):
            yield False


class ChangeCheck:
    """Compares the paths of a read set with their stamps, as often as that costs little."""

    def __init__(self, reads: ReadSet) -> None:
        """Look soon, since nobody watched between the evaluation and now."""
        self._reads = reads
        self._cost = 0.0
        self._last = time.monotonic()
        self._noted = True

    def note(self, *, events: bool) -> None:
        """Note whether something has happened that may be a change."""
        self._noted = self._noted or events

    def due(self) -> bool:
        """Whether it is time to look."""
        if self._reads.valid_until is not None and time.time() > self._reads.valid_until:
            return True
        waited = time.monotonic() - self._last
        if self._noted:
            return waited >= _SHARE_AFTER_EVENTS * self._cost
        return waited >= max(_LEAST_S, _SHARE * self._cost)

    def is_outdated(self) -> bool:
        """Whether a path has another stamp, or the time has come at which the result may be another one."""
        began = time.monotonic()
        expired = self._reads.valid_until is not None and time.time() > self._reads.valid_until
        found = expired or bool(changed(self._reads))
        self._last = time.monotonic()
        self._cost = self._last - began
        self._noted = False
        return found


def _problem(error: Exception) -> PivotError:
    if isinstance(error, PivotError):
        return error
    text = f"the project could not be followed: {type(error).__name__}: {error}"
    return PivotError(text, hint="this is a bug in Pivot: report it; the page tries again")


def _is_held(guard: pathlib.Path) -> bool:
    """Whether a command works on the project; nothing is created to find that."""
    return guard.exists() and held(guard)


def _is_settled(seen: EvaluatedProject) -> bool:
    """Whether each later edit gives a file another stamp than the one that was noted."""
    return are_settled(seen.read_set.stamps.values(), seen.read_set.began)


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
