"""`pivot params diff`."""

from typing import Final

import click

from pivot_cli import options
from pivot_cli.comparing.values import PARAMS
from pivot_cli.context import command_context
from pivot_cli.reporting.comparison import print_changes
from pivot_runtime.comparing.comparison import names_of
from pivot_runtime.comparing.params import params

_EXAMPLES: Final = """\b
Examples:
  pivot params diff            Compare HEAD with the workspace.
  pivot params diff main --md  Print a table for a pull request.
"""


@click.command("diff", epilog=_EXAMPLES)
@options.revisions(2)
@options.narrowing
@options.value_formats
@click.option("-a", "--all", "every", is_flag=True, help="Also show what is unchanged.")
def command(revisions: tuple[str, ...], *, targets: tuple[str, ...], form: str, precision: int, every: bool) -> int:
    """Show how parameters differ between revisions.

    Without REV, compare HEAD with the workspace; with one, compare that with the workspace. The exit code does
    not depend on whether they differ.
    """
    found = params(command_context(), names_of(revisions), targets)
    return print_changes(found, PARAMS, form=form, precision=precision, every=every)
