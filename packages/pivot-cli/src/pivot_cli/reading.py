"""How far the reading of large files has come: one line on a terminal, once it takes longer than a second."""

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from pivot_cache import hashing
from pivot_cli import wording
from pivot_cli.oneline import OneLine


class Hashing:
    """How much of the files that are being read has been read; any thread may call it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._done = self._total = 0

    def __call__(self, done: int, more: int) -> None:
        """So many bytes more were read, and so many more are to be read."""
        with self._guard:
            self._done += done
            self._total = max(self._total + more, self._done)
            if self._done == self._total:  # the next file begins a new bar
                self._done = self._total = 0

    def now(self) -> tuple[int, int]:
        """Bytes read, and bytes to be read in all; equal if nothing is being read."""
        with self._guard:
            return self._done, self._total


class Reading:
    """A context manager around work that reads files."""

    def __init__(self, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is shown where ``stream``, by default stderr, is no terminal."""
        self._line = OneLine(stream=stream, clock=clock)
        self._hashing = Hashing()
        self._watched = hashing.watched(self)
        self._guard = threading.Lock()
        self._wanted = (sys.stderr if stream is None else stream).isatty()

    def __enter__(self) -> Self:
        if self._wanted:
            self._watched.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._wanted:
            self._watched.__exit__(kind, error, trace)
        self._line.clear()

    def __call__(self, done: int, more: int) -> None:
        """So many bytes more were read, and so many more are to be read."""
        self._hashing(done, more)
        with self._guard:
            read, total = self._hashing.now()
            if total and self._line.due() is not None:
                self._line.show(f"reading {wording.bar(read, total)} {wording.size(read)} of {wording.size(total)}")
