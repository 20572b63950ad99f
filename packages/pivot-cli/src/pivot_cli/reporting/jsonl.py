"""Writes the events of a command to stdout as documented lines of JSON, for programs."""

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

from pivot_core.decide import Verdict
from pivot_core.errors import PivotError
from pivot_runtime.history import event_json, events

if TYPE_CHECKING:
    from pivot_runtime.inspecting.status import Status


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
        self.write(event_json.first_line(command, time=time.time() - (now - self._began), pid=os.getpid()))

    def __call__(self, event: events.Event) -> None:
        """Write the line of an event."""
        self.write(event_json.to_json(event, events.seconds_since(self._began, event)))

    def close(self) -> None:
        """Check that all events were written.

        Raises:
            StreamError: Some were not, although the output has a reader.
        """
        if self._problem is not None:
            raise StreamError(
                f"cannot write the events: {self._problem}", hint="the run itself is recorded: 'pivot show' shows it"
            )

    def write(self, line: dict[str, Any]) -> None:
        """Write a line that is not of an event of a run."""
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


def write_plan(planned: "Status", command: str, *, began: float) -> None:
    """Write the plan of a dry run: its stages, the decision about each, and whether nothing would be done.

    Raises:
        StreamError: It could not be written.
    """
    stream = JsonLines(command, began=began)
    if planned.broken:
        stream(events.PipelinesBroken(planned.broken))
    addresses = tuple(stage.evaluation.stage.spec.address for stage in planned.stages)
    stream(events.RunStarted(planned.names, addresses))
    for stage in planned.stages:
        evaluation, at = stage.evaluation, time.monotonic() - began
        address, upstream = evaluation.stage.spec.address, evaluation.observation.upstream
        stream.write(event_json.stage_planned(address, evaluation.decision, upstream, at=at))
    idle = all(stage.evaluation.decision.verdict is Verdict.UP_TO_DATE for stage in planned.stages)
    stream.write(event_json.plan_ended(seconds=time.monotonic() - began, complete=idle))
    stream.close()
