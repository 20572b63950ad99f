"""`pivot lock`: a group of commands."""

from typing import Final

import click

from pivot_cli.app import Commands, LazyGroup

COMMANDS: Final[Commands] = {
    "merge": ("pivot_cli.commands.lock_merge", "Merge a lock file or a .pvt file, as git's merge driver."),
}


@click.group(
    "lock",
    cls=LazyGroup,
    listed=COMMANDS,
    epilog="Run 'pivot lock COMMAND --help' for the options of a command.",
)
def command() -> None:
    """Merge lock files."""
