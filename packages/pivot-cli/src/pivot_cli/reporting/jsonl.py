"""Writes the events of a command to stdout as documented lines of JSON, for programs."""

import json
import os
import sys
import time
from typing import Any, ClassVar, TextIO

from pivot_core.errors import PivotError
from pivot_runtime.history import event_json, events


class StreamError(PivotError):
    """Some events could not be written."""

    exit_code: ClassVar[int] = 3


class JsonLines:
    """A reporter that writes a line for each event; if one cannot be written, the run continues."""

    def __init__(self, command: str, stream: TextIO | None = None, *, began: float | None = None) -> None:
        """Write the first line; the command ``began`` then, by the monotonic clock, or just now."""
        now = time.monotonic()
        self._stream = sys.stdout if stream is None else stream
        self._began = now if began is None else began
        self._open = True
        self._problem: str | None = None
        self._write(event_json.first_line(command, time=time.time() - (now - self._began), pid=os.getpid()))

    def __call__(self, event: events.Event) -> None:
        """Write the line of an event."""
        self._write(event_json.to_json(event, events.seconds_since(self._began, event)))

    def close(self) -> None:
        """Check that all events were written.

        Raises:
            StreamError: Some were not, although the output has a reader.
        """
        if self._problem is not None:
            raise StreamError(
                f"cannot write the events: {self._problem}", hint="the run itself is recorded: 'pivot show' shows it"
            )

    def _write(self, line: dict[str, Any]) -> None:
        if not self._open:
            return
        try:
            self._stream.write(f"{json.dumps(line, default=str)}\n")
            self._stream.flush()
        except OSError as error:
            self._open = False
            if not isinstance(error, BrokenPipeError):
                self._problem = error.strerror or str(error)
            if self._stream is sys.stdout:  # prevents another attempt to write the buffered text
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
