"""`pivot plots`: a group of commands."""

from typing import Final

import click

from pivot_cli.app import Commands, LazyGroup

COMMANDS: Final[Commands] = {
    "diff": ("pivot_cli.commands.plots.diff", "Draw plots of two revisions together."),
    "show": ("pivot_cli.commands.plots.show", "Draw plots of one or several revisions."),
}


@click.group(
    "plots",
    cls=LazyGroup,
    listed=COMMANDS,
    epilog="Run 'pivot plots COMMAND --help' for the options of a command.",
)
def command() -> None:
    """Draw the plots of any revision on a page."""
