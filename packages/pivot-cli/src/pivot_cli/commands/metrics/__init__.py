"""`pivot metrics`: a group of commands."""

from typing import Final

from pivot_cli.app import Commands, command_group

COMMANDS: Final[Commands] = {
    "diff": ("pivot_cli.commands.metrics.diff", "Show how metrics differ between revisions."),
    "show": ("pivot_cli.commands.metrics.show", "Show the values of metrics."),
}

command = command_group("metrics", COMMANDS)
