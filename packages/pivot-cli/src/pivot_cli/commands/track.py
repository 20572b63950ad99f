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
from pivot_runtime.artifacts.track import expand, track, track_copy

_EXAMPLES: Final = """\b
Examples:
  pivot track data.json          Track a file; repeat it after each change.
  pivot track images labels.csv  Track a directory and a file.
  pivot track --glob '*.csv'     Track all files that match.
"""


@click.command("track", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", type=click.Path())
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="Record directories without files that were never fetched; with --out, replace other files.",
)
@click.option(
    "--out", metavar="PATH", type=click.Path(), help="Copy one file or directory to PATH, and track the copy."
)
@click.option("--glob", is_flag=True, help="PATHS are patterns, as in a shell, with ** for directories.")
@options.as_json
def command(paths: tuple[str, ...], *, force: bool, out: str | None, glob: bool, as_json: bool) -> int:
    """Track data files or directories that no stage writes.

    The command stores the content of each in the cache and its description in a small file beside it, PATH.pvt, which
    you commit; it adds the data to the .gitignore there. Repeat the command after the data have changed.

    With --out, the data may be anywhere, also outside the project. The copy replaces tracked data at PATH.
    """
    if out is not None and (glob or len(paths) > 1):
        raise click.UsageError("--out goes with one path, without --glob")
    context = command_context()
    with HashProgress():
        if out is not None:
            done = [track_copy(context, paths[0], out, force=force, report=RunLines())]
        else:
            names = expand(paths, context.project) if glob else paths
            done = track(context, names, force=force, report=RunLines())
    if as_json:
        console.data(json.dumps({"tracked": files.track_json(done)}, indent=2))
    else:
        console.data(files.track_text(done, context.project))
    return 0
