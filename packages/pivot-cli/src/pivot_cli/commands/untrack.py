"""`pivot untrack`."""

from typing import Final

import click

from pivot_cli.context import command_context
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_runtime.artifacts.track import untrack

_EXAMPLES: Final = """\b
Examples:
  pivot untrack labels.csv  Leave the file to you or to git.
"""


@click.command("untrack", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", type=click.Path())
def command(paths: tuple[str, ...]) -> int:
    """Stop tracking data.

    The command removes their .pvt files and their lines in .gitignore; the data themselves stay.
    """
    context = command_context()
    for path in untrack(context, paths, report=RunLines()):
        console.line(f"Untracked {context.project.from_cwd(path)}")
    return 0
