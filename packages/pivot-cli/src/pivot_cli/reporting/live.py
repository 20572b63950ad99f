"""The live view of a run: a thread that draws what is at work below the lines that stay."""

import contextlib
import pathlib
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pivot_cache.files import hashing, safe_read
from pivot_cli.reporting.progress import Hashing
from pivot_cli.reporting.running import Running
from pivot_cli.terminal import console
from pivot_runtime.history import events
from pivot_runtime.history.stage_stats import last_durations
from pivot_runtime.project.project import Project

if TYPE_CHECKING:
    from pivot_cli.reporting.live_rich import Display

_PATIENCE_S = 0.5
"""Shorter runs are not worth drawing."""
_STEP_S = 0.1
_TAIL_BYTES = 4096


class LiveView:
    """A reporter that draws on the terminal as long as the run lasts."""

    def __init__(self, project: Project) -> None:
        """Describe it; nothing happens before the block is entered."""
        self._layout = project.layout
        self._running = Running(self._estimates)
        self._hashing = Hashing()
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="live view", daemon=True)
        self._watched = hashing.watched(self._hashing)

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
        """Take the next event."""
        with self._guard:
            self._running.take(event, time.monotonic())

    def _draw(self) -> None:
        if self._over.wait(_PATIENCE_S):
            return
        from pivot_cli.reporting.live_rich import Display  # noqa: PLC0415  # start-up time: a short run draws nothing

        # Errors here must not reach the run: then there is nothing to see, and that is all.
        with contextlib.suppress(Exception), Display(sys.stderr) as display, console.diverted(display.say):
            while not self._over.wait(_STEP_S):
                self._update(display)

    def _update(self, display: "Display") -> None:
        with self._guard:
            rows = self._running.rows(time.monotonic(), self._last_lines)
            transfer = self._running.transfer()
            footer = self._running.footer()
        display.show(rows, footer, self._hashing.now(), transfer)

    def _estimates(self) -> Mapping[str, float]:
        return last_durations(self._layout)

    def _last_lines(self, address: str) -> str:
        return tail(self._layout.log_file(address))


def tail(log: pathlib.Path) -> str:
    """The end of a log."""
    try:
        with safe_read.opened(log) as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
