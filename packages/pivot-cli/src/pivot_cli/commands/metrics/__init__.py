"""`pivot metrics`: a group of commands."""

from typing import Final

import click

from pivot_cli.app import Commands, LazyGroup

COMMANDS: Final[Commands] = {
    "diff": ("pivot_cli.commands.metrics.diff", "Show how metrics differ between revisions."),
    "show": ("pivot_cli.commands.metrics.show", "Show the values of metrics."),
}


@click.group(
    "metrics",
    cls=LazyGroup,
    listed=COMMANDS,
    epilog="Run 'pivot metrics COMMAND --help' for the options of a command.",
)
def command() -> None:
    """Show the values of metrics, and how they differ between revisions."""
