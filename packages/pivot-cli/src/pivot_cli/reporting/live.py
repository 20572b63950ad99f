"""The live view of a run: a thread that draws the running stages below the printed lines."""

import contextlib
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from pivot_cache.files import hashing
from pivot_cli.terminal import console, formats
from pivot_cli.terminal.progress import HashCounter
from pivot_runtime.history import events, logs
from pivot_runtime.history.stage_stats import last_durations
from pivot_runtime.project.project import Project

if TYPE_CHECKING:
    from pivot_cli.reporting.live_rich import Display

_PATIENCE_S = 0.5
"""No view is drawn for shorter runs."""
_STEP_S = 0.1
_TAIL_BYTES = 4096
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_OVERDUE = 1.0


class Row(NamedTuple):
    """A running stage.

    Attributes:
        name: Its displayed name.
        time: How long it has been running, and about how long it will take.
        last: The last line that it printed.
        done: The elapsed part of the estimate, up to 1; None without an estimate.
    """

    name: str
    time: str
    last: str
    done: float | None


class RunProgress:
    """The stages of one run, updated from its events."""

    def __init__(self, estimates: Callable[[], Mapping[str, float]]) -> None:
        """``estimates`` returns how long each stage took before, by address; it is called once, when needed."""
        self._ask = estimates
        self._estimates: Mapping[str, float] | None = None
        self._names: Mapping[str, str] = {}
        self._total = 0
        self._done: set[str] = set()
        self._silent: dict[str, tuple[float, str | None]] = {}
        self._began: dict[str, float] = {}
        self._queued: set[str] = set()
        self._asking = False
        self._importing: tuple[str, float] | None = None
        self._fetching: tuple[events.Fetching, float, float] | None = None

    def take(self, event: events.Event, now: float) -> None:
        """Update the state with an event that occurred just now."""
        self._asking = isinstance(event, events.AskingRemote)
        if isinstance(event, events.Fetching):
            before = self._fetching
            began = before[1] if before is not None and before[0].address == event.address else now
            self._fetching = (event, began, now)
            return
        self._fetching = None
        match event:
            case events.ImportSlow(file=file, seconds=seconds):
                self._importing = file, now - seconds
            case events.PipelineImported():
                self._importing = None
            case events.RunStarted(names=names, addresses=addresses):
                self._names, self._total = names, len(addresses)
            case events.StageStarted(address=address, sent=True):
                self._queued.add(address)
            case (
                events.StageStarted(address=address)
                | events.StagePlaced(address=address)
                | events.StageMoved(address=address)
            ):
                self._queued.discard(address)
                self._began[address] = now
            case events.StageSilent(address=address, silent=silent):
                self._silent[address] = (now - silent, None)
            case (
                events.StageCached(address=address)
                | events.StageFrozen(address=address)
                | events.StageRestored(address=address)
                | events.StageRan(address=address)
                | events.StageInputsChanged(address=address)
                | events.StageFailed(address=address)
                | events.StageBlocked(address=address)
            ):
                self._began.pop(address, None)
                self._queued.discard(address)
                self._done.add(address)
            case _:
                pass

    def rows(self, now: float, last_line: Callable[[str], str]) -> list[Row]:
        """Return the running stages, the longest first; ``last_line`` returns the end of a stage's output."""
        if self._began and self._estimates is None:
            self._estimates = self._ask()
        return [self._row(address, now, now - began, last_line(address)) for address, began in self._began.items()]

    def _last(self, address: str, now: float, printed: str) -> str:
        """Return the last line of the output or, if nothing more is printed, the time since then."""
        since, then = self._silent.get(address, (now, None))
        if address in self._silent and then in (None, printed):
            self._silent[address] = (since, printed)
            return f"no output for {formats.whole_seconds(now - since)}"
        self._silent.pop(address, None)
        return last_words(printed)

    def _row(self, address: str, now: float, seconds: float, printed: str) -> Row:
        estimate = (self._estimates or {}).get(address)
        time = formats.seconds(seconds)
        if estimate is not None and estimate >= _OVERDUE:
            time = f"{time} of about {formats.seconds(estimate)}"
        done = min(1.0, seconds / estimate) if estimate else None
        return Row(self._names.get(address, address), time, self._last(address, now, printed), done)

    def transfer(self) -> str:
        """Return the progress of fetching inputs; empty if nothing is being fetched."""
        if self._fetching is None:
            return ""
        event, began, now = self._fetching
        objects, moved = (event.objects, event.of_objects), (event.bytes, event.of_bytes)
        doing = f"fetching  {self._names.get(event.address, event.address)} "
        return formats.transfer_line(doing, objects, moved, now - began)

    def footer(self, now: float) -> str:
        """Return the progress of the run, or of a slow import; empty until its stages are known."""
        if self._importing is not None:
            file, began = self._importing
            return f"importing {file}, {formats.seconds(now - began)}"
        if self._asking:
            return "asking the remote what it has"
        if not self._names:
            return ""
        queued = f", {len(self._queued)} queued on the cluster" if self._queued else ""
        return f"{len(self._done)} of {formats.counted(self._total, 'stage')} done{queued}"


class LiveView:
    """A reporter that draws on the terminal during the run."""

    def __init__(self, project: Project) -> None:
        """Create the view; drawing begins when the block is entered."""
        self._layout = project.layout
        self._running = RunProgress(self._estimates)
        self._hashing = HashCounter()
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="live view", daemon=True)
        self._watched = hashing.report_progress(self._hashing)

    def __enter__(self) -> Self:
        self._watched.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._watched.__exit__(kind, error, trace)

    def __call__(self, event: events.Event) -> None:
        """Pass an event to the view."""
        with self._guard:
            self._running.take(event, time.monotonic())

    def _draw(self) -> None:
        if self._over.wait(_PATIENCE_S):
            return
        from pivot_cli.reporting.live_rich import Display  # lazy

        # An error here must not end the run; the view just disappears.
        with contextlib.suppress(Exception), Display(sys.stderr) as display, console.redirected(display.say):
            while not self._over.wait(_STEP_S):
                self._update(display)

    def _update(self, display: "Display") -> None:
        with self._guard:
            rows = self._running.rows(time.monotonic(), self._last_lines)
            transfer = self._running.transfer()
            footer = self._running.footer(time.monotonic())
        display.show(rows, footer, self._hashing.now(), transfer)

    def _estimates(self) -> Mapping[str, float]:
        return last_durations(self._layout)

    def _last_lines(self, address: str) -> str:
        return logs.read_end(self._layout.log_file(address), _TAIL_BYTES)


def last_words(printed: str) -> str:
    """Return the last nonempty line as a terminal would show it, without colours and other control codes."""
    for line in reversed(re.split(r"[\r\n]+", printed)):
        words = _CONTROL.sub("", line.replace("\t", " ")).strip()
        if words:
            return words
    return ""
