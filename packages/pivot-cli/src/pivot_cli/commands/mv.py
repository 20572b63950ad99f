"""`pivot mv`."""

from typing import Final

import click

from pivot_cli import signals
from pivot_cli.context import command_context
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_core.errors import list_names
from pivot_runtime.workspace.mv import mv

_EXAMPLES: Final = """\b
Examples:
  pivot mv labels.csv data/labels.csv  Move tracked data to another path.
  pivot mv images data/                Move them into a directory.
"""


@click.command("mv", epilog=_EXAMPLES)
@click.argument("old", type=click.Path())
@click.argument("new", type=click.Path())
def command(old: str, new: str) -> int:
    """Move tracked data to another path.

    The command moves the data, the .pvt file and the line in the .gitignore. It can be repeated if it is killed. The
    stages that read the data still name the old path: edit them. To move an out, change the path where its stage
    declares it.
    """
    context = command_context()
    with signals.raise_on_termination():
        done = mv(context, old, new, report=RunLines())
    before, after = (context.project.from_cwd(path) for path in (done.old, done.new))
    console.line(f"Moved {before} to {after}: commit {after}.pvt, and that {before}.pvt is gone")
    if done.readers:
        console.hint(f"edit the path in {list_names(list(done.readers))}, which read {before} in the last run")
    return 0
