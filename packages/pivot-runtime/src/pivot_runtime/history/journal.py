r"""Journals of runs: one file per run, one line per event as it happens, so that a killed run leaves its events.

``.pivot/state.db/history/<number>.jsonl`` has the lines of `event_json`. Its writer holds a lock on it for as long as
it lives. A run that did nothing leaves no file.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from pivot_cache.layout import Layout
from pivot_runtime.history import events, stage_stats
from pivot_runtime.history.events import Reporter

KEPT: Final = 100
"""The number of stored runs."""

_TRANSIENT: Final = (events.Fetching, events.StageSilent)
"""Events that are not needed after the run."""
_ENCODE: Final = json.JSONEncoder(default=str).encode
_NOTABLE: Final = (events.StageStarted, events.StageRestored, events.StageFailed, events.StageBlocked)


def numbers(place: pathlib.Path) -> list[int]:
    """The numbers of the stored runs, the oldest first."""
    try:
        names = os.listdir(place)
    except OSError:
        return []
    stems = (name.removesuffix(".jsonl") for name in names if name.endswith(".jsonl"))
    return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())


class JournalFile:
    """The file of one run, which is being written; older runs than the last ones are removed."""

    def __init__(self, layout: Layout, head: Mapping[str, Any]) -> None:
        """Create the file, with the first line ``head`` and the number of the run."""
        place = layout.history_dir
        place.mkdir(parents=True, exist_ok=True)
        known = numbers(place)
        number = (known or [0])[-1]
        fd = None
        while fd is None:
            number += 1
            with contextlib.suppress(FileExistsError):  # another run has just begun
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
                fd = os.open(place / f"{number}.jsonl", flags, 0o666)
        self._fd: int | None = fd
        with contextlib.suppress(OSError):  # a reader holds it, or the file system has no locks
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.append({**head, "run": number})
        for old in known:
            if old <= number - KEPT:
                (place / f"{old}.jsonl").unlink(missing_ok=True)

    def append(self, *lines: Mapping[str, Any]) -> None:
        """Append lines, unless the file is closed."""
        if self._fd is not None:
            os.write(self._fd, "".join([f"{_ENCODE(line)}\n" for line in lines]).encode())

    def close(self) -> None:
        """Close the file: the run has ended."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Journal:
    """A reporter that records events and passes them on; a failure to record is not an error."""

    def __init__(self, layout: Layout, command: str, report: Reporter, *, began: float | None = None) -> None:
        """Create the reporter; the file is created with the first event worth recording.

        The command ``began`` then, by the monotonic clock, or just now.
        """
        now = time.monotonic()
        self._layout = layout
        self._line: Callable[[], str] = lambda: command
        self._report = report
        self._began = now if began is None else began
        self._time = time.time() - (now - self._began)
        self._waiting: list[tuple[events.Event, float]] | None = []
        self._file: JournalFile | None = None
        self._to_json: Callable[[events.Event, float], dict[str, Any]] | None = None
        self._learned: dict[str, dict[str, Any]] = {}

    def name_command(self, line: Callable[[], str]) -> None:
        """Record this text for the command instead, if nothing has been recorded yet; it is made when it is needed."""
        self._line = line

    def __call__(self, event: events.Event) -> None:
        """Record an event and pass it on."""
        with contextlib.suppress(OSError):
            self._keep(event)
        self._report(event)

    def _keep(self, event: events.Event) -> None:
        if isinstance(event, _TRANSIENT):
            return
        at = events.seconds_since(self._began, event)
        if isinstance(event, events.StageRan):
            self._learned[event.address] = {
                stage_stats.SECONDS: event.seconds,
                stage_stats.VARIABLES: list(event.variables),
                stage_stats.UNSEEN: list(event.incomplete),
            }
        if self._waiting is not None:
            self._waiting.append((event, at))
            if isinstance(event, _NOTABLE):
                waiting, self._waiting = self._waiting, None
                self._open()
                self._write(*waiting)
        else:
            self._write((event, at))
        if isinstance(event, events.RunEnded | events.RunStopped):
            if self._learned:
                stage_stats.project_stats(self._layout).remember(self._learned)
            if self._file is not None:
                self._file.close()

    def _open(self) -> None:
        from pivot_runtime.history import event_json  # lazy

        self._to_json = event_json.to_json
        self._file = JournalFile(self._layout, event_json.first_line(self._line(), time=self._time, pid=os.getpid()))

    def _write(self, *reported: tuple[events.Event, float]) -> None:
        if self._to_json is not None and self._file is not None:
            self._file.append(*[self._to_json(event, at) for event, at in reported])
