"""How far the reading of large files has come: one line on a terminal, once it takes longer than a second."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from pivot_cache import hashing
from pivot_cli import wording

_PATIENCE_S = 1.0
_STEP_S = 0.1


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
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._hashing = Hashing()
        self._watched = hashing.watched(self)
        self._guard = threading.Lock()
        self._began = self._shown = clock()
        self._width = 0
        self._wanted = self._stream.isatty()

    def __enter__(self) -> Self:
        if self._wanted:
            self._watched.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._wanted:
            self._watched.__exit__(kind, error, trace)
        if self._width:
            self._write("")

    def __call__(self, done: int, more: int) -> None:
        """So many bytes more were read, and so many more are to be read."""
        self._hashing(done, more)
        with self._guard:
            now = self._clock()
            read, total = self._hashing.now()
            if total and now - self._began >= _PATIENCE_S and now - self._shown >= _STEP_S:
                self._shown = now
                self._write(f"reading {wording.bar(read, total)} {wording.size(read)} of {wording.size(total)}")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # nobody sees it
            self._stream.write(f"\r{text:<{self._width}}{'' if text else chr(13)}")
            self._stream.flush()
            self._width = len(text)
