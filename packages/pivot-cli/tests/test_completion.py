"""Completions without importing the command."""

import click

from pivot_cli.app import COMMANDS, cli
from pivot_cli.completion import TAKES_TARGETS


def test_executors_on_this_machine_are_offered() -> None:
    context = cli.make_context("pivot", ["--help"], resilient_parsing=True)
    for name in ("repro", "run"):
        command = cli.get_command(context, name)
        assert command is not None
        option = next(param for param in command.params if param.name == "executor")
        assert [item.value for item in option.shell_complete(context, "d")] == ["dask://local"]
        assert [item.value for item in option.shell_complete(context, "")] == ["local", "dask://local"]


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
