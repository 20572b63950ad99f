"""`pivot diff`."""

import json
from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.comparing import out_diff
from pivot_cli.context import command_context
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import HashProgress, RowProgress, TransferProgress
from pivot_runtime.comparing.comparison import names_of
from pivot_runtime.comparing.diff import DiffOptions, diff

_EXAMPLES: Final = """\b
Examples:
  pivot diff clean.csv                  Compare HEAD with the workspace.
  pivot diff clean.csv v1.0 --key id    Match rows by a column.
  pivot diff model main feature --json  Compare a directory in two branches.
"""


@click.command("diff", epilog=_EXAMPLES)
@click.argument("out", metavar="OUT", shell_complete=options.complete_targets)
@options.revisions(2)
@click.option(
    "-k", "--key", "keys", multiple=True, metavar="COLUMN", help="Match rows by this column; can be repeated."
)
@click.option(
    "-n",
    "--number",
    type=options.WholeNumber(min=0),
    metavar="N",
    default=20,
    help="Show N rows or lines.  [default: 20]",
)
@options.pull_content
@options.value_formats
def command(  # noqa: PLR0913  # one parameter per option
    out: str, revisions: tuple[str, ...], *, keys: tuple[str, ...], number: int, pull: bool, form: str, precision: int
) -> int:
    """Show how an out or tracked data differ between revisions.

    Without REV, compare HEAD with the workspace; with one, compare that with the workspace. OUT is a path, or a stage
    with one out.

    CSV, TSV, JSON lines, parquet and lists in JSON are compared by rows and columns, and rows by position, or by --key.
    Other JSON, YAML and TOML are compared by values, directories by files, texts by lines, and all other files by sizes
    and digests. The exit code does not depend on whether they differ.
    """
    with (
        signals.raise_on_termination(),
        HashProgress(),
        RowProgress() as reading,
        TransferProgress("fetching") as fetching,
    ):
        diff_options = DiffOptions(keys, number, pull, fetching, reading)
        found = diff(command_context(), out, names_of(revisions), diff_options)
    if form == "json":
        console.data(json.dumps(out_diff.to_json(found, number), indent=2))
    else:
        console.data(out_diff.to_text(found, number, precision, markdown=form == "md"))
    return 0
