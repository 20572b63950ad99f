"""One line on a terminal that is written again and again, once something takes longer than a second."""

import contextlib
import os
import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

_PATIENCE_S: Final = 1.0
_STEP_S: Final = 0.1


class OneLine:
    """The line; nothing is written where there is no terminal, and that nobody sees it is no error."""

    def __init__(self, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Write to ``stream``, by default stderr; the second begins now."""
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._began = self._shown = clock()
        self._width = 0

    def due(self) -> float | None:
        """For how long it has been going on, if the line is to be written again at this moment."""
        now = self._clock()
        if now - self._began < _PATIENCE_S or now - self._shown < _STEP_S or not self._stream.isatty():
            return None
        self._shown = now
        return now - self._began

    def show(self, text: str) -> None:
        """Write it, as much of it as has room: what goes over the edge could not be taken back."""
        self._write(text[: self._room()])

    def clear(self) -> None:
        """Leave no trace."""
        if self._width:
            self._write("")

    def _room(self) -> int | None:
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            return None
        return columns - 1 if columns else None  # some terminals do not tell

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(f"\r{text:<{self._width}}{'' if text else chr(13)}")
            self._stream.flush()
            self._width = len(text)
