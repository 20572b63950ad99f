"""Progress of long work: one line on a terminal after the first second, gone at the end."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

from pivot_cache.files import hashing
from pivot_cache.remotes import stalls
from pivot_cli.terminal import console, formats

if TYPE_CHECKING:
    from pivot_cache.remotes.options import TransferCounts
    from pivot_cli.terminal.status_line import StatusLine

_PATIENCE_S: Final = 1.0
_STEP_S: Final = 0.1


class _Progress:
    """A context manager around work; nothing is shown where there is no terminal."""

    def __init__(self, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Show it on ``stream``, by default stderr; the second begins now."""
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._began = self._shown = clock()
        self._line: StatusLine | None = None
        self._leaving = contextlib.ExitStack()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.close()

    def _due(self) -> float | None:
        """The duration of the work so far, if it is time to draw the line; else None."""
        now = self._clock()
        if now - self._began < _PATIENCE_S or now - self._shown < _STEP_S or not self._stream.isatty():
            return None
        self._shown = now
        return now - self._began

    def _show(self, doing: str, done: float, total: float, figures: str) -> None:
        if self._line is None:
            from pivot_cli.terminal.status_line import StatusLine  # noqa: PLC0415  # start-up time: rich is large

            self._line = StatusLine(self._stream)
            self._leaving.callback(self._line.stop)
            self._line.start()
            self._leaving.enter_context(console.diverted(self._line.say))
        self._line.show(doing, done, total, figures)


class ObjectProgress(_Progress):
    """Counts objects, and shows how many are done; any thread may call it."""

    def __init__(
        self, doing: str, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``doing``: what is done to the objects, as in "checking"."""
        super().__init__(stream=stream, clock=clock)
        self._doing = doing
        self._count = self._size = 0

    def __call__(self, total: int, count: int, size: int) -> None:
        """``count`` more objects of this size are done, out of ``total``; 0 if that is unknown."""
        with self._lock:
            self._count += count
            self._size += size
            seconds = self._due()
            if seconds is None:
                return
            if not total:
                self._show(f"{self._doing} {formats.counted(self._count, 'object')}", 0, 0, "")
                return
            rate = f", {formats.size(round(self._size / seconds))}/s" if self._size else ""
            left = seconds / self._count * (total - self._count) if self._count else 0
            counted = formats.counted(total, "object")
            figures = f"{self._count} of {counted}{rate}, {formats.seconds(left)} left"
            self._show(self._doing, self._count, total, figures)


class HashProgress(_Progress):
    """Shows how much of large files has been read, while the block lasts."""

    def __init__(self, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is watched where ``stream``, by default stderr, is no terminal."""
        super().__init__(stream=stream, clock=clock)
        self._hashing = HashCounter()

    def __enter__(self) -> Self:
        if self._stream.isatty():
            self._leaving.enter_context(hashing.watched(self))
        return self

    def __call__(self, done: int, more: int) -> None:
        """So many bytes more were read, and so many more are to be read."""
        self._hashing(done, more)
        with self._lock:
            read, total = self._hashing.now()
            if total and self._due() is not None:
                self._show("reading", read, total, f"{formats.size(read)} of {formats.size(total)}")


class TransferProgress(_Progress):
    """Shows how far a transfer is; and notes, also where there is no terminal, which server it waits for."""

    def __init__(
        self, doing: str, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``doing``: as in "pushing"."""
        super().__init__(stream=stream, clock=clock)
        self._doing = doing

    def __enter__(self) -> Self:
        self._leaving.enter_context(stalls.listen(self._stalled))
        return self

    def __call__(self, progress: "TransferCounts") -> None:
        """Show how far it is."""
        seconds = self._due()
        if seconds is not None:
            objects, moved = (progress.objects, progress.of_objects), (progress.bytes, progress.of_bytes)
            self._show(
                self._doing, *(moved if moved[1] else objects), formats.transfer_figures(objects, moved, seconds)
            )

    def _stalled(self, address: str, seconds: float) -> None:
        if self._line is not None:
            self._line.hide()
        console.note(formats.describe_stall(address, seconds))


class HashCounter:
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
