"""How far something has come: one line on a terminal, once it takes longer than a second."""

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from pivot_cli import wording

_PATIENCE_S = 1.0
_STEP_S = 0.1


class Meter:
    """Counts things, and shows how many; any thread may call it."""

    def __init__(
        self, doing: str, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``doing``: what is done to the things, as in "checking"."""
        self._doing = doing
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._lock = threading.Lock()
        self._began = self._shown = clock()
        self._count = self._size = self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._width:
            self._write("")

    def __call__(self, total: int, count: int, size: int) -> None:
        """``count`` more things of this size are done, out of ``total``; 0 if nobody knows how many there are."""
        with self._lock:
            self._count += count
            self._size += size
            now = self._clock()
            if now - self._began >= _PATIENCE_S and now - self._shown >= _STEP_S and self._stream.isatty():
                self._shown = now
                self._write(self._text(total, now - self._began))

    def _text(self, total: int, seconds: float) -> str:
        if not total:
            return f"{self._doing} {wording.counted(self._count, 'object')}"
        rate = f", {wording.size(round(self._size / seconds))}/s" if self._size else ""
        left = seconds / self._count * (total - self._count) if self._count else 0
        bar = wording.bar(self._count, total)
        counted = wording.counted(total, "object")
        return f"{self._doing} {bar} {self._count} of {counted}{rate}, {wording.seconds(left)} left"

    def _write(self, text: str) -> None:
        try:
            self._stream.write(f"\r{text:<{self._width}}{'' if text else chr(13)}")
            self._stream.flush()
        except OSError:
            return  # nobody sees it
        self._width = len(text)
