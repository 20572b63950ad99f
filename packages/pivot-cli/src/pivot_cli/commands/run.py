"""`pivot run`."""

import click

from pivot_cli import options, place
from pivot_cli.commands.repro import in_process, jobs, keep_going, no_wait, post_mortem, show_output, work
from pivot_cli.completion import Target
from pivot_cli.telling import Telling
from pivot_engine.repro import Options


@click.command("run")
@click.argument("stages", nargs=-1, required=True, metavar="STAGES...", type=Target())
@options.everything
@options.overrides
@jobs
@keep_going
@show_output
@no_wait
@in_process
@click.option("-f", "--force", is_flag=True, help="Run the stages also if they are cached.")
@click.option(
    "--trace-io", is_flag=True, help="See with strace also what C libraries and other programs read and write."
)
@options.telling
def command(  # noqa: PLR0913  # one parameter per option
    stages: tuple[str, ...],
    *,
    everything: bool,
    overrides: tuple[str, ...],
    jobs: int | None,
    keep_going: bool | None,
    show_output: bool,
    no_wait: bool,
    in_process: bool,
    pdb: bool,
    force: bool,
    trace_io: bool,
    **told: bool,
) -> int:
    """Run exactly these stages, on the files that are there.

    Unlike 'pivot repro', what they rest on is not brought up to date first.
    """
    wanted = Options(
        jobs=jobs,
        force=force,
        keep_going=keep_going,
        everything=everything,
        alone=True,
        wait=not no_wait,
        show_output=show_output,
        sole=True,
        in_process=in_process or pdb,
        debugger=post_mortem if pdb else None,
        trace_io=trace_io,
    )
    project = place.project(overrides)
    return work(project, stages, wanted, command="pivot run", telling=Telling(**told))
