"""Runs stages for `pivot repro` and `pivot run`, with a reporter of their events, and picks the exit code."""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pivot_cli import signals
from pivot_cli.context import keep_answer
from pivot_cli.reporting.notices import hint_at_no_stages, note_local_runs, note_stalls
from pivot_cli.reporting.run_lines import RunLines, summary
from pivot_cli.terminal import console, formats
from pivot_runtime.artifacts import lock_files
from pivot_runtime.context import CommandContext
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter
from pivot_runtime.project.project import Project
from pivot_runtime.running.repro import RunOptions, repro

if TYPE_CHECKING:
    from pivot_cli.reporting.jsonl import JsonLines

_LONGEST_COMMAND = 100


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
def run_reporter(  # noqa: PLR0913  # one parameter per option
    verbosity: Verbosity,
    command: str,
    project: Project,
    *,
    began: float,
    output: bool = False,
    shared: bool = False,
    tracebacks: bool = True,
) -> Iterator[Reporter]:
    """Create the reporter of a run of ``command``; on a terminal it also draws the running stages.

    Args:
        verbosity: The user's choice.
        command: The command that the user has called.
        project: The project.
        began: The start of the command, or of its round, by the monotonic clock.
        output: Whether the output of stages is shown immediately.
        shared: Whether the stages write to the terminal themselves, so that nothing may be drawn there.
        tracebacks: Whether to print the tracebacks of failures.

    Raises:
        StreamError: At the end, if some events could not be written.
    """
    stream = _json_lines(command, began) if verbosity.jsonl else None
    explain = verbosity.explain or verbosity.verbose
    lines = RunLines(
        explain=explain, quiet=verbosity.quiet, costs=verbosity.verbose, output=output, tracebacks=tracebacks
    )
    reporters: list[Reporter] = [] if stream is None else [stream]
    with contextlib.ExitStack() as stack:
        if not shared and draws_live_view(verbosity):
            from pivot_cli.reporting.live import LiveView  # lazy

            reporters.append(stack.enter_context(LiveView(project)))

        def report(event: events.Event) -> None:
            for reporter in reporters:
                reporter(event)
            lines(event)

        yield report
    if stream is not None:
        stream.close()


def _json_lines(command: str, began: float) -> "JsonLines":
    from pivot_cli.reporting.jsonl import JsonLines  # lazy

    return JsonLines(command, began=began)


def draws_live_view(verbosity: Verbosity) -> bool:
    """Return whether the terminal gets only requested output."""
    mixed = verbosity.jsonl and sys.stdout.isatty()
    return not verbosity.quiet and not mixed and sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def run_stages(
    context: CommandContext, targets: Sequence[str], options: RunOptions, verbosity: Verbosity, *, command: str
) -> int:
    """Run stages, print events and a summary; return the exit code."""
    command = command_line(command, targets)
    if options.no_commit and options.executor is None and not verbosity.quiet:
        note_local_runs(context, "--no-commit")
    reporter = run_reporter(
        verbosity,
        command,
        context.project,
        began=context.began,
        output=options.show_output,
        shared=options.in_process,
        tracebacks=options.debugger is None,
    )
    stalls = note_stalls() if options.pull and not verbosity.quiet else contextlib.nullcontext()
    with signals.raise_on_termination(), lock_files.reporting_ignored(context), reporter as report, stalls:
        result = repro(context, targets, options=options, command=command, report=report)
    if verbosity.summary:
        console.data(summary(result))
        if result.idle and not result.current:
            hint_at_no_stages()
    asked_again = not options.only_targets  # the cache of answers has no entries for `pivot run`
    if result.idle and asked_again and not (verbosity.jsonl or options.force or options.pull or options.no_commit):
        keep_answer(context, result, formats.seconds(result.seconds) if verbosity.summary else "")
    if options.no_commit and (result.ran or result.restored):
        console.hint("nothing was recorded: 'pivot commit' records what the stages wrote")
    if result.torn:
        console.hint("run 'pivot repro' again; if this happens each time, the stage itself changes its inputs")
    return 0 if result.complete else 1


def command_line(command: str, targets: Sequence[str]) -> str:
    """Return the command line as others see it; it omits values of parameters, which may be secrets."""
    import shlex  # lazy

    whole = f"{command} {shlex.join(targets)}".rstrip()
    return whole if len(whole) <= _LONGEST_COMMAND else f"{whole[: _LONGEST_COMMAND - 1]}…"
