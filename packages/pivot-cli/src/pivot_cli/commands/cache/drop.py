"""`pivot cache drop`."""

from typing import Final

import click

from pivot_cli import signals
from pivot_cli.context import command_context
from pivot_cli.reporting.notices import note_stalls
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_cli.views import cache
from pivot_runtime.maintenance.drop import drop
from pivot_runtime.sharing.transfer import present_on_default

_EXAMPLES: Final = """\b
Examples:
  pivot cache drop --dry-run clean.json  Show where else the content exists.
  pivot cache drop --force preprocess    Drop the outs of a stage.
"""


@click.command("drop", epilog=_EXAMPLES)
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("-f", "--force", is_flag=True, help="Also drop content that exists nowhere else.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be dropped, but drop nothing.")
def command(targets: tuple[str, ...], *, force: bool, dry_run: bool) -> int:
    """Remove the content of outs or tracked data from the cache.

    A TARGET is a stage, the path of an out or of tracked data, or a directory that contains some. The command first
    reports where else the content exists. Content that exists nowhere else is dropped only with --force. Content that
    other outs share stays. Dropped content is kept in the trash for 14 days; 'pivot cache gc --undo' brings it back.
    """
    context = command_context()
    project = context.project
    with signals.raise_on_termination(), note_stalls():
        done = drop(
            context,
            targets,
            force=force,
            dry_run=dry_run,
            elsewhere=None if force else present_on_default,
            report=RunLines(),
        )
    console.data(cache.drop_text(done, project, dry_run=dry_run))
    if done.refused:
        for line in cache.drop_errors(done, project):
            console.error(line)
        console.hint("nothing was dropped: 'pivot push' it to a remote first, or use --force")
    return 1 if done.refused else 0
