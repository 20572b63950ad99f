"""`pivot plots show`."""

from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.pages.output import PageOptions
from pivot_cli.reporting.plots import print_plots
from pivot_cli.terminal.progress import TransferProgress
from pivot_runtime.comparing.metrics import PullOptions
from pivot_runtime.comparing.plots import plots

_EXAMPLES: Final = """\b
Examples:
  pivot plots show --open              Draw the plots in the workspace.
  pivot plots show main v1.0           Draw those of two revisions together.
  pivot plots show -t train -o a.html  Draw those of one stage, in this file.
"""


@click.command("show", epilog=_EXAMPLES)
@options.revisions(None)
@options.narrowing
@options.pull_content
@options.page_output
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with Vega-Lite specifications instead.")
def command(
    revisions: tuple[str, ...], *, targets: tuple[str, ...], pull: bool, output: PageOptions | None, as_json: bool
) -> int:
    """Draw plots on one page, and print its path.

    Without REV (a branch, a tag, a commit), draw the plots in the workspace. Plots are CSV, JSON or JSONL files and
    images that stages write to pivot.Plot(...) outs. The page is one file that works offline.
    """
    context = command_context()
    with signals.raise_on_termination(), TransferProgress("fetching") as progress:
        found = plots(context, revisions or (None,), targets, PullOptions(pull, progress))
    return print_plots(found, context.project, output, as_json=as_json)
