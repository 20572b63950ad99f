"""`pivot plots`: a group of commands."""

from typing import Final

from pivot_cli.app import Commands, command_group

COMMANDS: Final[Commands] = {
    "diff": ("pivot_cli.commands.plots.diff", "Draw plots of two revisions together."),
    "show": ("pivot_cli.commands.plots.show", "Draw plots of one or several revisions."),
}

command = command_group("plots", COMMANDS)
