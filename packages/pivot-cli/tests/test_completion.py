"""Completions without importing the command."""

import click

from pivot_cli.app import COMMANDS, cli
from pivot_cli.completion import TAKES_TARGETS


def test_the_commands_that_take_targets_are_those_that_are_listed() -> None:
    context = cli.make_context("pivot", ["--help"], resilient_parsing=True)
    takes = {
        name
        for name in COMMANDS
        if (command := cli.get_command(context, name)) is not None
        and any(
            item.type == "file"
            for param in command.params
            if param.name in ("out", "stages", "targets") and isinstance(param, click.Argument)
            for item in param.shell_complete(context, "x")
        )
    }

    assert takes == TAKES_TARGETS
