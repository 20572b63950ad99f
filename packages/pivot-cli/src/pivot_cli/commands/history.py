"""`pivot history`."""

import itertools
import json
from typing import Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.terminal import console
from pivot_cli.views.history import run_json, runs_text
from pivot_runtime.history import history

_EXAMPLES: Final = """\b
Examples:
  pivot history              List the last runs.
  pivot history -n 1 --json  Show the newest run, as JSON.
"""


@click.command("history", epilog=_EXAMPLES)
@click.option(
    "-n",
    "--number",
    type=options.WholeNumber(min=1),
    metavar="N",
    default=20,
    help="The number of runs.  [default: 20]",
)
@options.as_json
def command(*, number: int, as_json: bool) -> int:
    """List the last runs, the newest first.

    The last 100 runs are kept in .pivot/state.db. A run that found everything cached is not recorded.
    """
    found = list(itertools.islice(history.runs(command_context().project), number))
    if as_json:
        console.data(json.dumps({"runs": [run_json(run) for run in found]}, indent=2))
    else:
        console.data(runs_text(found))
    return 0
