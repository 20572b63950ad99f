"""Follows the newest run of any process by its journal."""

import os
import pathlib
import time
from collections.abc import Callable
from typing import Any, Final

from pivot_cli.views.history import run_json
from pivot_core.errors import PivotError
from pivot_runtime.history import history, journal
from pivot_runtime.history.follow import RUNNING
from pivot_runtime.project.project import Project

__all__ = ["RunJournal"]

_SHARE: Final = 10
"""Reading a journal takes at most one part in so many of the time."""
_LEAST_S: Final = 0.2


class RunJournal:
    """The newest run, as it was read last."""

    def __init__(self, project: Project, publish: Callable[[dict[str, Any]], object]) -> None:
        """Publish the newest run as JSON whenever it has changed at a `look`."""
        self._project = project
        self._publish = publish
        self._stamp: tuple[int, int, int] | None = None
        self._plain: dict[str, Any] | None = None
        self._not_before = 0.0

    @property
    def running(self) -> bool:
        """Whether the newest run is going on."""
        return self._plain is not None and self._plain["state"] == RUNNING

    @property
    def directory(self) -> pathlib.Path:
        """The directory in which runs write their journals."""
        return self._project.layout.history_dir

    def look(self) -> None:
        """Read the newest journal if it has changed; if its run goes on, also because that may have died."""
        now = time.monotonic()
        stamp = self._newest()
        if stamp is None or now < self._not_before or (stamp == self._stamp and not self.running):
            return
        try:
            plain = run_json(history.run(self._project, stamp[0]))
        except PivotError:  # its first line is not complete, or it was removed
            return
        self._not_before = now + max(_LEAST_S, _SHARE * (time.monotonic() - now))
        self._stamp = stamp
        if plain != self._plain:
            self._plain = plain
            self._publish(plain)

    def _newest(self) -> tuple[int, int, int] | None:
        known = journal.numbers(self.directory)
        if not known:
            return None
        try:
            found = os.stat(self.directory / f"{known[-1]}.jsonl")
        except OSError:
            return None
        return known[-1], found.st_size, found.st_mtime_ns
