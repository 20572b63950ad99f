"""`pivot cache`: a group of commands."""

from typing import Final

import click

from pivot_cli.app import Commands, LazyGroup

COMMANDS: Final[Commands] = {
    "drop": ("pivot_cli.commands.cache.drop", "Remove the content of outs or tracked data from the cache."),
    "gc": ("pivot_cli.commands.cache.gc", "Remove objects that no branch, stash or recent run needs."),
    "status": ("pivot_cli.commands.cache.status", "Show the contents of the cache, by stage."),
    "verify": ("pivot_cli.commands.cache.verify", "Verify that the cache is complete and undamaged."),
}


@click.group(
    "cache",
    cls=LazyGroup,
    listed=COMMANDS,
    epilog="Run 'pivot cache COMMAND --help' for the options of a command.",
)
def command() -> None:
    """Inspect, verify and clean up the cache."""
