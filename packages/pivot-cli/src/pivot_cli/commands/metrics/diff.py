"""`pivot metrics diff`."""

from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.comparing.values import METRICS
from pivot_cli.context import command_context
from pivot_cli.reporting.comparison import print_changes
from pivot_cli.terminal.progress import TransferProgress
from pivot_runtime.comparing.comparison import names_of
from pivot_runtime.comparing.metrics import PullOptions, metrics

_EXAMPLES: Final = """\b
Examples:
  pivot metrics diff              Compare HEAD with the workspace.
  pivot metrics diff main --md    Print a table for a pull request.
  pivot metrics diff v1.0 v1.1    Compare two revisions.
"""


@click.command("diff", epilog=_EXAMPLES)
@options.revisions(2)
@options.narrowing
@options.pull_content
@options.value_formats
@click.option("-a", "--all", "every", is_flag=True, help="Also show what is unchanged.")
def command(
    revisions: tuple[str, ...], *, targets: tuple[str, ...], pull: bool, form: str, precision: int, every: bool
) -> int:
    """Show how metrics differ between revisions.

    Without REV, compare HEAD with the workspace; with one, compare that with the workspace. The exit code does
    not depend on whether they differ.
    """
    with signals.raise_on_termination(), TransferProgress("fetching") as progress:
        found = metrics(command_context(), names_of(revisions), targets, PullOptions(pull, progress))
    return print_changes(found, METRICS, form=form, precision=precision, every=every)
