"""How far something has come: one line on a terminal, once it takes longer than a second."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from pivot_cli import wording
from pivot_cli.oneline import OneLine


class Meter:
    """Counts things, and shows how many; any thread may call it."""

    def __init__(
        self, doing: str, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``doing``: what is done to the things, as in "checking"."""
        self._doing = doing
        self._line = OneLine(stream=stream, clock=clock)
        self._lock = threading.Lock()
        self._count = self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.clear()

    def __call__(self, total: int, count: int, size: int) -> None:
        """``count`` more things of this size are done, out of ``total``; 0 if nobody knows how many there are."""
        with self._lock:
            self._count += count
            self._size += size
            seconds = self._line.due()
            if seconds is not None:
                self._line.show(self._text(total, seconds))

    def _text(self, total: int, seconds: float) -> str:
        if not total:
            return f"{self._doing} {wording.counted(self._count, 'object')}"
        rate = f", {wording.size(round(self._size / seconds))}/s" if self._size else ""
        left = seconds / self._count * (total - self._count) if self._count else 0
        bar = wording.bar(self._count, total)
        counted = wording.counted(total, "object")
        return f"{self._doing} {bar} {self._count} of {counted}{rate}, {wording.seconds(left)} left"
