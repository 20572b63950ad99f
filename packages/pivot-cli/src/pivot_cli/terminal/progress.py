"""Progress of long work: one line on a terminal, shown after the first second and erased at the end."""

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
    from pivot_cache.remotes.transfer import TransferCounts
    from pivot_cli.terminal.status_line import StatusLine

_PATIENCE_S: Final = 1.0
_STEP_S: Final = 0.1


class _Progress:
    """A context manager around work; it shows nothing without a terminal."""

    def __init__(self, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Show progress on ``stream``, by default stderr, one second from now."""
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
        """Return the elapsed time if the line is due to be drawn, else None."""
        now = self._clock()
        if now - self._began < _PATIENCE_S or now - self._shown < _STEP_S or not self._stream.isatty():
            return None
        self._shown = now
        return now - self._began

    def _show(self, doing: str, done: float, total: float, figures: str) -> None:
        if self._line is None:
            from pivot_cli.terminal.status_line import StatusLine  # lazy

            self._line = StatusLine(self._stream)
            self._leaving.callback(self._line.stop)
            self._line.start()
            self._leaving.enter_context(console.redirected(self._line.say))
        self._line.show(doing, done, total, figures)


class ObjectProgress(_Progress):
    """Shows the number of processed objects; thread-safe."""

    def __init__(
        self, doing: str, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``doing`` is the operation on the objects, such as "checking"."""
        super().__init__(stream=stream, clock=clock)
        self._doing = doing
        self._count = self._size = 0

    def __call__(self, total: int, count: int, size: int) -> None:
        """Count ``count`` more objects of this size, out of ``total`` (0 if unknown)."""
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


class RowProgress(_Progress):
    """Shows the number of rows read of tables; without an end, since that is known only when it is reached."""

    def __init__(self, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Show progress on ``stream``, by default stderr, if it is a terminal."""
        super().__init__(stream=stream, clock=clock)
        self._count = 0

    def __call__(self, rows: int) -> None:
        """Count more rows."""
        self._count += rows
        if self._due() is not None:
            self._show(f"comparing {formats.counted(self._count, 'row')}", 0, 0, "")


class HashProgress(_Progress):
    """Shows within the block how much of large files has been read."""

    def __init__(self, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Show progress on ``stream``, by default stderr, if it is a terminal."""
        super().__init__(stream=stream, clock=clock)
        self._hashing = HashCounter()

    def __enter__(self) -> Self:
        if self._stream.isatty():
            self._leaving.enter_context(hashing.report_progress(self))
        return self

    def __call__(self, done: int, more: int) -> None:
        """Add to the bytes read and to the bytes to read."""
        self._hashing(done, more)
        with self._lock:
            read, total = self._hashing.now()
            if total and self._due() is not None:
                self._show("reading", read, total, f"{formats.size(read)} of {formats.size(total)}")


class TransferProgress(_Progress):
    """Shows the progress of a transfer and, even without a terminal, the server that it waits for."""

    def __init__(
        self, doing: str, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``doing`` is the operation, such as "pushing"."""
        super().__init__(stream=stream, clock=clock)
        self._doing = doing

    def __enter__(self) -> Self:
        self._leaving.enter_context(stalls.listen(self._stalled))
        return self

    def __call__(self, progress: "TransferCounts") -> None:
        """Show the progress."""
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
    """Counts the bytes read of the files being read; thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._done = self._total = 0

    def __call__(self, done: int, more: int) -> None:
        """Add to the bytes read and to the bytes to read."""
        with self._guard:
            self._done += done
            self._total = max(self._total + more, self._done)
            if self._done == self._total:  # the next file begins a new bar
                self._done = self._total = 0

    def now(self) -> tuple[int, int]:
        """Return the bytes read, and the bytes to read in all; equal if no file is being read."""
        with self._guard:
            return self._done, self._total
