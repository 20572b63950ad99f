"""`pivot params`: a group of commands."""

from typing import Final

import click

from pivot_cli.app import Commands, LazyGroup

COMMANDS: Final[Commands] = {
    "diff": ("pivot_cli.commands.params.diff", "Show how parameters differ between revisions."),
    "show": ("pivot_cli.commands.params.show", "Show the parameters of stages."),
}


@click.group(
    "params",
    cls=LazyGroup,
    listed=COMMANDS,
    epilog="Run 'pivot params COMMAND --help' for the options of a command.",
)
def command() -> None:
    """Show the parameters of stages, and how they differ between revisions."""
