"""`pivot track`."""

import json
from typing import Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import HashProgress
from pivot_cli.views import files
from pivot_runtime.artifacts.track import track

_EXAMPLES: Final = """\b
Examples:
  pivot track data.json          Track a file; repeat it after each change.
  pivot track images labels.csv  Track a directory and a file.
"""


@click.command("track", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option("-f", "--force", is_flag=True, help="Record directories even if some of their files were never fetched.")
@options.as_json
def command(paths: tuple[str, ...], *, force: bool, as_json: bool) -> int:
    """Track data files or directories that no stage writes.

    The command stores the content of each in the cache and its description in a small file beside it, PATH.pvt, which
    you commit; it adds the data to the .gitignore there. Repeat the command after the data have changed.
    """
    context = command_context()
    with HashProgress():
        done = track(context, paths, force=force, report=RunLines())
    if as_json:
        console.data(json.dumps({"tracked": files.track_json(done)}, indent=2))
    else:
        console.data(files.track_text(done, context.project))
    return 0
