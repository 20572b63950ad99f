"""`pivot cache`: a group of commands."""

from typing import Final

import click

from pivot_cli.app import Commands, LazyGroup

COMMANDS: Final[Commands] = {
    "drop": ("pivot_cli.commands.cache.drop", "Take the content of outs or tracked data out of the cache."),
    "gc": ("pivot_cli.commands.cache.gc", "Remove what no branch, stash or recent run needs."),
    "status": ("pivot_cli.commands.cache.status", "Show what the cache holds, and for whom."),
    "verify": ("pivot_cli.commands.cache.verify", "Check that everything in the cache is whole and good."),
}


@click.group(
    "cache",
    cls=LazyGroup,
    listed=COMMANDS,
    epilog="Run 'pivot cache COMMAND --help' for the options of a command.",
)
def command() -> None:
    """Look at the cache, check it, and make room in it."""
