"""`pivot params show`."""

from typing import Final

import click

from pivot_cli import options
from pivot_cli.comparing.values import PARAMS
from pivot_cli.context import command_context
from pivot_cli.reporting.comparison import print_values
from pivot_runtime.comparing.params import params

_EXAMPLES: Final = """\b
Examples:
  pivot params show           Show the parameters of the next run.
  pivot params show main      Show those of the runs recorded at a revision.
  pivot params show -t train  Show those of one stage.
"""


@click.command("show", epilog=_EXAMPLES)
@options.revisions(None)
@options.narrowing
@options.value_formats
def command(revisions: tuple[str, ...], *, targets: tuple[str, ...], form: str, precision: int) -> int:
    """Show the parameters of stages.

    Without REV (a branch, a tag, a commit), show those that the next run would use. Those of a revision are those
    of the runs that its lock files record. Secrets are shown as ***.
    """
    found = params(command_context(), revisions or (None,), targets)
    return print_values(found, PARAMS, targets, form=form, precision=precision)
