"""`pivot run`."""

from typing import Final

import attrs
import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.reporting.run import Verbosity, run_stages
from pivot_runtime.running.repro import RunOptions

_EXAMPLES: Final = """\b
Examples:
  pivot run summarize          Run one stage, if it is not cached.
  pivot run --force summarize  Run it even if it is cached.
  pivot run --pdb summarize    Open the debugger where it fails.
"""


@click.command("run", epilog=_EXAMPLES)
@click.argument("stages", nargs=-1, required=True, metavar="STAGES...", shell_complete=options.complete_targets)
@options.all_pipelines
@options.overrides
@options.run_options
@click.option("-f", "--force", is_flag=True, help="Run the stages even if they are cached.")
@click.option("--trace-io", is_flag=True, help="Use strace to observe files of C libraries and other programs, too.")
@options.verbosity
def command(  # one parameter per option
    stages: tuple[str, ...],
    run_options: RunOptions,
    *,
    all_pipelines: bool,
    overrides: tuple[str, ...],
    force: bool,
    trace_io: bool,
    **verbosity: bool,
) -> int:
    """Run exactly the named stages, on the current files.

    Unlike 'pivot repro', this does not bring upstream stages up to date first.
    """
    run_options = attrs.evolve(
        run_options, force=force, all_pipelines=all_pipelines, only_targets=True, trace_io=trace_io
    )
    context = command_context(overrides)
    return run_stages(context, stages, run_options, Verbosity(**verbosity), command="pivot run")
