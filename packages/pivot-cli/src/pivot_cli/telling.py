"""How a run is told: which lines on stderr, and whether as events on stdout."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from pivot_cli.progress import Lines
from pivot_cli.stream import Stream
from pivot_engine import events
from pivot_engine.events import Reporter


class Telling(NamedTuple):
    """What the user asked for, as the options of `options.telling`."""

    explain: bool = False
    quiet: bool = False
    verbose: bool = False
    jsonl: bool = False

    @property
    def summary(self) -> bool:
        """Whether the run ends with a line on stdout."""
        return not (self.quiet or self.jsonl)


@contextlib.contextmanager
def reporting(telling: Telling, command: str, *, output: bool = False) -> Iterator[Reporter]:
    """The reporter of a run of ``command``; ``output``: what stages print is reported as it comes."""
    explain = telling.explain or telling.verbose
    lines = Lines(explain=explain, quiet=telling.quiet, costs=telling.verbose, output=output)
    stream = Stream(command) if telling.jsonl else None

    def report(event: events.Event) -> None:
        if stream is not None:
            stream(event)
        lines(event)

    yield report
