"""The reporter of a run: lines on stderr, or events on stdout."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from pivot_cli.reporting.jsonl import JsonLines
from pivot_cli.reporting.run_lines import RunLines
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter
from pivot_runtime.project.project import Project


class Verbosity(NamedTuple):
    """The user's choice from the options of `options.verbosity`."""

    explain: bool = False
    quiet: bool = False
    verbose: bool = False
    jsonl: bool = False

    @property
    def summary(self) -> bool:
        """Return whether the run ends with a line on stdout."""
        return not (self.quiet or self.jsonl)


@contextlib.contextmanager
def run_reporter(
    verbosity: Verbosity, command: str, project: Project, *, output: bool = False, shared: bool = False
) -> Iterator[Reporter]:
    """Create the reporter of a run of ``command``; on a terminal it also draws the running stages.

    Args:
        verbosity: The user's choice.
        command: The command that the user has called.
        project: The project.
        output: Whether the output of stages is shown immediately.
        shared: Whether the stages write to the terminal themselves, so that nothing may be drawn there.

    Raises:
        StreamError: At the end, if some events could not be written.
    """
    explain = verbosity.explain or verbosity.verbose
    lines = RunLines(explain=explain, quiet=verbosity.quiet, costs=verbosity.verbose, output=output)
    stream = JsonLines(command) if verbosity.jsonl else None
    reporters: list[Reporter] = [] if stream is None else [stream]
    with contextlib.ExitStack() as stack:
        if not shared and draws_live_view(verbosity):
            from pivot_cli.reporting.live import LiveView  # noqa: PLC0415  # start-up time: only on a terminal

            reporters.append(stack.enter_context(LiveView(project)))

        def report(event: events.Event) -> None:
            for reporter in reporters:
                reporter(event)
            lines(event)

        yield report
    if stream is not None:
        stream.close()


def draws_live_view(verbosity: Verbosity) -> bool:
    """Return whether the terminal gets only requested output."""
    mixed = verbosity.jsonl and sys.stdout.isatty()
    return not verbosity.quiet and not mixed and sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
