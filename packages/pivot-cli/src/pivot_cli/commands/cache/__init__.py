"""`pivot cache`: a group of commands."""

from typing import Final

from pivot_cli.app import Commands, command_group

COMMANDS: Final[Commands] = {
    "drop": ("pivot_cli.commands.cache.drop", "Remove the content of outs or tracked data from the cache."),
    "gc": ("pivot_cli.commands.cache.gc", "Remove objects that no branch, stash or recent run needs."),
    "status": ("pivot_cli.commands.cache.status", "Show the contents of the cache, by stage."),
    "verify": ("pivot_cli.commands.cache.verify", "Verify that the cache is complete and undamaged."),
}

command = command_group("cache", COMMANDS)
