"""`pivot track`."""

import click

from pivot_cli import console, place, results
from pivot_cli.meter import HashProgress
from pivot_cli.progress import Lines
from pivot_runtime.tracking import track


@click.command("track")
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option("-f", "--force", is_flag=True, help="Record directories also without files that were never fetched.")
def command(paths: tuple[str, ...], *, force: bool) -> int:
    """Put data files or directories under Pivot that no stage writes.

    What each holds goes into the cache, and into a small file beside it, PATH.pvt, which belongs into git;
    the data are added to the .gitignore there. Repeat it when the data have changed.
    """
    project = place.project()
    with HashProgress():
        done = track(project, paths, force=force, report=Lines())
    console.data(results.tracked(done, project))
    return 0
