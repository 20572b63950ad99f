"""`pivot metrics show`."""

from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.comparing.values import METRICS
from pivot_cli.context import command_context
from pivot_cli.reporting.comparison import print_values
from pivot_cli.terminal.progress import TransferProgress
from pivot_runtime.comparing.metrics import PullOptions, metrics

_EXAMPLES: Final = """\b
Examples:
  pivot metrics show              Show the metrics in the workspace.
  pivot metrics show main v1.0    Show those of two revisions.
  pivot metrics show -t evaluate  Show those of one stage.
"""


@click.command("show", epilog=_EXAMPLES)
@options.revisions(None)
@options.narrowing
@options.pull_content
@options.value_formats
def command(revisions: tuple[str, ...], *, targets: tuple[str, ...], pull: bool, form: str, precision: int) -> int:
    """Show the values of metrics.

    Without REV (a branch, a tag, a commit), show the metrics in the workspace. Those of a revision come from its
    lock files, from git and from the cache, without a checkout. Metrics are JSON, YAML or TOML files that stages write
    to pivot.Metric(...) outs; nested values have dotted names.
    """
    with signals.raise_on_termination(), TransferProgress("fetching") as progress:
        found = metrics(command_context(), revisions or (None,), targets, PullOptions(pull, progress))
    return print_values(found, METRICS, targets, form=form, precision=precision)
