"""Prints the rounds of `pivot repro --watch`."""

import contextlib
from collections.abc import Iterator, Sequence

from pivot_cli import signals
from pivot_cli.reporting.notices import note_stalls
from pivot_cli.reporting.run import Verbosity, command_line, run_reporter
from pivot_cli.reporting.run_lines import summary
from pivot_cli.terminal import console, formats
from pivot_runtime.context import CommandContext
from pivot_runtime.executors.options import RunOptions
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter
from pivot_runtime.running.watch import Round, Watch

_WORTH_REPORTING = (
    events.WaitingForGuard,
    events.PipelinesBroken,
    events.Fetching,
    events.StageStarted,
    events.StageRestored,
    events.StageFailed,
    events.StageBlocked,
)


def watch_project(context: CommandContext, targets: Sequence[str], options: RunOptions, verbosity: Verbosity) -> None:
    """Run until the user interrupts.

    Raises:
        PivotError: The command cannot begin.
        KeyboardInterrupt: The user interrupted.
    """
    command = command_line("pivot repro --watch", targets)
    rounds_reported = False

    @contextlib.contextmanager
    def report_round(because: Sequence[str]) -> Iterator[Reporter]:
        with run_reporter(verbosity, command, context.project, output=options.show_output) as report:
            yield BufferedReporter(report, because) if because else report

    def note_polling(reason: str) -> None:
        console.note(f"checking the files twice a second, since {reason}")

    def note_waiting() -> None:
        nonlocal rounds_reported
        if rounds_reported and not verbosity.quiet:
            console.note("watching for changes; Ctrl-C ends")
        rounds_reported = False

    watch = Watch(
        context,
        targets,
        options,
        command=command,
        reporting=report_round,
        waiting=note_waiting,
        polling=note_polling,
    )
    with (
        signals.raise_on_termination(),
        note_stalls() if options.pull and not verbosity.quiet else contextlib.nullcontext(),
    ):
        try:
            first = True
            for done in watch.rounds():
                rounds_reported |= _report_end(done, verbosity, first=first)
                first = False
        except KeyboardInterrupt:
            signals.raise_again()
            raise


class BufferedReporter:
    """A reporter that prints nothing about a round with nothing to do."""

    def __init__(self, report: Reporter, because: Sequence[str]) -> None:
        """Buffer lines until one is worth printing; ``because`` are the paths that started the round."""
        self._report = report
        self._because = because
        self._held: list[events.Event] | None = []

    def __call__(self, event: events.Event) -> None:
        """Buffer or print an event."""
        if self._held is None:
            self._report(event)
            return
        self._held.append(event)
        if isinstance(event, _WORTH_REPORTING):
            console.text(f"\nchanged: {formats.listed(self._because)}")
            for each in self._held:
                self._report(each)
            self._held = None


def _report_end(done: Round, verbosity: Verbosity, *, first: bool) -> bool:
    """Print the end of a round; return False if there is nothing to print."""
    if done.outcome is None:
        if done.error is not None:
            console.failure(done.error)
    elif not first and done.outcome.idle:
        return False
    elif verbosity.summary:
        console.data(summary(done.outcome))
    return True
