"""Prints the rounds of `pivot repro --watch`."""

import contextlib
from collections.abc import Collection, Iterator, Sequence

from pivot_cli import signals
from pivot_cli.reporting.notices import note_stalls
from pivot_cli.reporting.run import Verbosity, command_line, run_reporter
from pivot_cli.reporting.run_lines import summary
from pivot_cli.terminal import console, formats
from pivot_core.errors import list_names
from pivot_runtime.context import CommandContext
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter
from pivot_runtime.running.repro import RunOptions
from pivot_runtime.running.watch import Round, Watch

_WORTH_REPORTING = (
    events.WaitingForGuard,
    events.ImportSlow,
    events.PipelinesBroken,
    events.Fetching,
    events.StageWaiting,
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
    lines = _WatchLines(context, command, verbosity, output=options.show_output)
    watch = Watch(
        context,
        targets,
        options,
        command=command,
        reporting=lines.report_round,
        waiting=lines.note_waiting,
        polling=lines.note_polling,
    )
    with (
        signals.raise_on_termination(),
        note_stalls() if options.pull and not verbosity.quiet else contextlib.nullcontext(),
    ):
        try:
            for done in watch.rounds():
                lines.report_end(done)
        except KeyboardInterrupt:
            signals.raise_again()
            raise


class _WatchLines:
    """The lines of one watch, and which of its rounds were worth reporting."""

    def __init__(self, context: CommandContext, command: str, verbosity: Verbosity, *, output: bool) -> None:
        """``output`` adds the output of the stages."""
        self._project = context.project
        self._command = command
        self._verbosity = verbosity
        self._output = output
        self._first = True
        self._reported = False
        """Something was printed since the last note of waiting."""

    @contextlib.contextmanager
    def report_round(self, because: Sequence[str], began: float) -> Iterator[Reporter]:
        """The reporter of a round that ``began`` because these paths have changed."""
        with run_reporter(self._verbosity, self._command, self._project, began=began, output=self._output) as report:
            yield BufferedReporter(report, because) if because else report

    def report_end(self, done: Round) -> None:
        """Print the end of a round, unless it found nothing to do."""
        first, self._first = self._first, False
        if done.outcome is None:
            if done.error is not None:
                console.failure(done.error)
        elif done.outcome.idle and not first:
            return
        elif self._verbosity.summary:
            console.data(summary(done.outcome))
        self._reported = True

    def note_waiting(self, given_up: Collection[str]) -> None:
        """Say that watch waits for changes, once after each round that was reported, and why a stage is still stale."""
        if self._reported and not self._verbosity.quiet:
            if given_up:
                console.hint(
                    "a stage whose inputs change in each run waits for an edit; perhaps it changes them itself"
                )
            console.note("watching for changes; press Ctrl-C to end")
        self._reported = False

    def note_polling(self, reason: str) -> None:
        """Say why directories are polled."""
        console.note(f"checking the files twice a second, since {reason}")


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
            console.text(f"\nchanged: {formats.one_line(list_names(self._because))}")
            for each in self._held:
                self._report(each)
            self._held = None
