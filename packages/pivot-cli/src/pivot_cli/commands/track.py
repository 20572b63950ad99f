"""`pivot track`."""

import click

from pivot_cli import context
from pivot_cli.reporting.progress import HashProgress
from pivot_cli.reporting.run_lines import Lines
from pivot_cli.terminal import console
from pivot_cli.views import files
from pivot_runtime.artifacts.track import track


@click.command("track")
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option("-f", "--force", is_flag=True, help="Record directories also without files that were never fetched.")
def command(paths: tuple[str, ...], *, force: bool) -> int:
    """Put data files or directories under Pivot that no stage writes.

    What each holds goes into the cache, and into a small file beside it, PATH.pvt, which belongs into git;
    the data are added to the .gitignore there. Repeat it when the data have changed.
    """
    project = context.project()
    with HashProgress():
        done = track(project, paths, force=force, report=Lines())
    console.data(files.tracked(done, project))
    return 0
