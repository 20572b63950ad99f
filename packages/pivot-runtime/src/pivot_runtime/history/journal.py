r"""Writing the history: one file per run, one line per event as it happens, so that a killed run leaves what it did.

``.pivot/state.db/history/<number>.jsonl`` has the lines of `eventforms`. Its writer holds a lock on it for as long as
it lives. A run that did nothing leaves no file.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import time
from typing import Any, Final

from pivot_cache.layout import Layout
from pivot_runtime.history import event_json, events, stage_stats
from pivot_runtime.history.events import Reporter

KEPT: Final = 100
"""How many runs are kept."""

_PASSING: Final = (events.Fetching, events.StageSilent)
"""Events that nobody needs afterwards."""
_WORTH: Final = (events.StageStarted, events.StageRestored, events.StageFailed, events.StageBlocked)


def directory(layout: Layout) -> pathlib.Path:
    """Where the files lie."""
    return layout.history_dir


def numbers(place: pathlib.Path) -> list[int]:
    """The runs that are kept, the oldest first."""
    try:
        names = os.listdir(place)
    except OSError:
        return []
    stems = (name.removesuffix(".jsonl") for name in names if name.endswith(".jsonl"))
    return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())


class Journal:
    """A reporter that records events and passes them on; a failure to record is not an error."""

    def __init__(self, layout: Layout, command: str, report: Reporter) -> None:
        """Nothing is written before something has happened that is worth it."""
        self._layout = layout
        self._command = command
        self._report = report
        self._time = time.time()
        self._began = time.monotonic()
        self._waiting: list[dict[str, Any]] | None = []
        self._fd: int | None = None
        self._learned: dict[str, dict[str, Any]] = {}

    def __call__(self, event: events.Event) -> None:
        """Take the next event."""
        with contextlib.suppress(OSError):
            self._keep(event)
        self._report(event)

    def _keep(self, event: events.Event) -> None:
        if isinstance(event, _PASSING):
            return
        line = event_json.form(event, time.monotonic() - self._began)
        if isinstance(event, events.StageRan):
            self._learned[event.address] = {
                stage_stats.SECONDS: event.seconds,
                stage_stats.VARIABLES: list(event.variables),
                stage_stats.UNSEEN: list(event.incomplete),
            }
        if self._waiting is not None:
            self._waiting.append(line)
            if isinstance(event, _WORTH):
                waiting, self._waiting = self._waiting, None
                self._open()
                self._write(*waiting)
        else:
            self._write(line)
        if isinstance(event, events.RunEnded | events.RunStopped):
            stage_stats.project_stats(self._layout).remember(self._learned)
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None

    def _open(self) -> None:
        place = directory(self._layout)
        place.mkdir(parents=True, exist_ok=True)
        known = numbers(place)
        number = (known or [0])[-1]
        while self._fd is None:
            number += 1
            with contextlib.suppress(FileExistsError):  # another run has just begun
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
                self._fd = os.open(place / f"{number}.jsonl", flags, 0o666)
        with contextlib.suppress(OSError):  # somebody looks at it at this moment, or there are no locks here
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        head = event_json.head(self._command, time=self._time, pid=os.getpid())
        self._write({**head, "run": number})
        for old in known:
            if old <= number - KEPT:
                (place / f"{old}.jsonl").unlink(missing_ok=True)

    def _write(self, *lines: dict[str, Any]) -> None:
        if self._fd is not None:
            os.write(self._fd, "".join(f"{json.dumps(line, default=str)}\n" for line in lines).encode())
