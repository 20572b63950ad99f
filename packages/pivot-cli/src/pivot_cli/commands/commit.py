"""`pivot commit`."""

import click

from pivot_cli import context, options
from pivot_cli.reporting.progress import HashProgress
from pivot_cli.reporting.run_lines import Lines
from pivot_cli.terminal import console
from pivot_runtime.running.commit import accept


@click.command("commit")
@options.stages
@click.option("-m", "--reason", default="", metavar="TEXT", help="Why; it is written into the lock files.")
@click.option(
    "-f", "--force", is_flag=True, help="Accept also where data or parameters changed, or no run is recorded."
)
@options.overrides
def command(stages: tuple[str, ...], *, overrides: tuple[str, ...], reason: str, force: bool) -> int:
    """Accept what lies in the workspace as the result of the present code.

    For stages whose code changed without changing what they write. Without STAGES, all that
    are stale. Nothing is run, and nothing is recorded unless all can be.
    """
    project = context.project(overrides)
    with HashProgress():
        done = accept(project, stages, reason=reason, force=force, report=Lines())
    for name in done.names:
        console.line(f"Accepted {name}")
    if not done.names:
        console.data("Nothing to accept: all is up to date")
    return 0
