"""Runs stages for `pivot repro` and `pivot run`: reports events, prints the summary, and picks the exit code."""

from collections.abc import Sequence

from pivot_cli import signals
from pivot_cli.reporting.noop_answer import keep_answer
from pivot_cli.reporting.notices import note_stalls
from pivot_cli.reporting.reporter import Verbosity, run_reporter
from pivot_cli.terminal import console, formats
from pivot_cli.views import status
from pivot_runtime.artifacts import lock_files
from pivot_runtime.context import CommandContext
from pivot_runtime.executors.options import RunOptions
from pivot_runtime.running.repro import repro

_LONGEST_COMMAND = 100


def run_stages(
    context: CommandContext, targets: Sequence[str], options: RunOptions, verbosity: Verbosity, *, command: str
) -> int:
    """Run stages, print events and a summary; return the exit code."""
    command = command_line(command, targets)
    reporter = run_reporter(verbosity, command, context.project, output=options.show_output, shared=options.in_process)
    stalls = note_stalls(enabled=options.pull and not verbosity.quiet)
    with signals.raise_on_termination(), lock_files.shared(context), reporter as report, stalls:
        result = repro(context, targets, options=options, command=command, report=report)
    if verbosity.summary:
        console.data(status.summary(result))
    asked_again = not options.only_targets  # the cache of answers has no entries for `pivot run`
    if result.idle and asked_again and not (verbosity.jsonl or options.force or options.pull):
        keep_answer(context, result.load_traces, formats.seconds(result.seconds) if verbosity.summary else "")
    if result.torn:
        console.hint("run 'pivot repro' again; where it is so each time, the stage itself changes what it reads")
    return 0 if result.complete else 1


def command_line(command: str, targets: Sequence[str]) -> str:
    """Return the command line as others see it; it omits values of parameters, which may be secrets."""
    import shlex  # noqa: PLC0415  # start-up time

    whole = f"{command} {shlex.join(targets)}".rstrip()
    return whole if len(whole) <= _LONGEST_COMMAND else f"{whole[: _LONGEST_COMMAND - 1]}…"
