"""`pivot params`: a group of commands."""

from typing import Final

from pivot_cli.app import Commands, command_group

COMMANDS: Final[Commands] = {
    "diff": ("pivot_cli.commands.params.diff", "Show how parameters differ between revisions."),
    "show": ("pivot_cli.commands.params.show", "Show the parameters of stages."),
}

command = command_group("params", COMMANDS)
