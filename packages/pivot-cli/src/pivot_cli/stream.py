"""The events of a command as documented lines of JSON on stdout, for programs."""

import json
import os
import sys
import time
from typing import Any, TextIO

from pivot_engine import eventforms, events


class Stream:
    """A reporter that writes a line for each event; when nobody reads any more, work goes on all the same."""

    def __init__(self, command: str, stream: TextIO | None = None) -> None:
        """Write the first line."""
        self._stream = sys.stdout if stream is None else stream
        self._began = time.monotonic()
        self._open = True
        self._write(eventforms.head(command, time=time.time(), pid=os.getpid()))

    def __call__(self, event: events.Event) -> None:
        """Take the next event."""
        self._write(eventforms.form(event, time.monotonic() - self._began))

    def _write(self, line: dict[str, Any]) -> None:
        if not self._open:
            return
        try:
            self._stream.write(f"{json.dumps(line, default=str)}\n")
            self._stream.flush()
        except OSError:
            self._open = False
            if self._stream is sys.stdout:  # what is still in its buffer must not be tried again
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
