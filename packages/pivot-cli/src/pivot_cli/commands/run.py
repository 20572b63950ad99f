"""`pivot run`."""

import attrs
import click

from pivot_cli import context, options, run_options
from pivot_cli.commands.repro import work
from pivot_cli.completion import Target
from pivot_cli.reporting.reporter import Telling
from pivot_runtime.running.repro import Options


@click.command("run")
@click.argument("stages", nargs=-1, required=True, metavar="STAGES...", type=Target())
@options.everything
@options.overrides
@run_options.wishes
@click.option("-f", "--force", is_flag=True, help="Run the stages even if they are cached.")
@click.option("--trace-io", is_flag=True, help="Use strace to observe files of C libraries and other programs, too.")
@options.telling
def command(  # one parameter per option
    stages: tuple[str, ...],
    wanted: Options,
    *,
    everything: bool,
    overrides: tuple[str, ...],
    force: bool,
    trace_io: bool,
    **told: bool,
) -> int:
    """Run exactly the named stages, on the current files.

    Unlike 'pivot repro', this does not bring upstream stages up to date first.
    """
    wanted = attrs.evolve(wanted, force=force, everything=everything, alone=True, trace_io=trace_io)
    project = context.project(overrides)
    return work(project, stages, wanted, command="pivot run", telling=Telling(**told))
