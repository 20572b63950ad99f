"""`pivot plots diff`."""

from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.pages.output import PageOptions
from pivot_cli.reporting.plots import print_plots
from pivot_cli.terminal.progress import TransferProgress
from pivot_runtime.comparing.comparison import names_of
from pivot_runtime.comparing.metrics import PullOptions
from pivot_runtime.comparing.plots import plots

_EXAMPLES: Final = """\b
Examples:
  pivot plots diff --open     Draw those of HEAD and of the workspace.
  pivot plots diff main       Draw those of main and of the workspace.
  pivot plots diff v1.0 v1.1  Draw those of two revisions.
"""


@click.command("diff", epilog=_EXAMPLES)
@options.revisions(2)
@options.narrowing
@options.pull_content
@options.page_output
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with Vega-Lite specifications instead.")
def command(
    revisions: tuple[str, ...], *, targets: tuple[str, ...], pull: bool, output: PageOptions | None, as_json: bool
) -> int:
    """Draw plots of two revisions together on one page, and print its path.

    Without REV, draw those of HEAD and of the workspace; with one, those of that and of the workspace. A plot that is
    equal in both is drawn once. The exit code does not depend on whether they differ.
    """
    context = command_context()
    with signals.raise_on_termination(), TransferProgress("fetching") as progress:
        found = plots(context, names_of(revisions), targets, PullOptions(pull, progress))
    return print_plots(found, context.project, output, as_json=as_json)
