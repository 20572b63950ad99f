"""The help texts: imperative, as wide as a narrow terminal, and with examples that are valid commands."""

import pathlib
import shlex
from collections.abc import Iterator

import click
import pytest

from pivot_cli import app

WIDTH = 80


def commands(command: click.Command, name: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and those below it, with their names."""
    yield " ".join(name), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            assert below is not None
            yield from commands(below, (*name, each))


COMMANDS = dict(commands(app.cli))
EXAMPLES = [
    line.strip() for command in COMMANDS.values() for line in (command.epilog or "").splitlines() if "  pivot " in line
]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_one_line_and_fits_a_terminal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    command = COMMANDS[name]
    first, *rest = (command.help or "").splitlines()
    assert first.endswith(".")
    assert rest[:1] in ([], [""])

    shown = command.get_help(click.Context(command, info_name=f"pivot {name}".strip(), terminal_width=WIDTH - 2))

    assert [line for line in shown.splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_aligned_and_call_their_command(name: str) -> None:
    lines = (COMMANDS[name].epilog or "").splitlines()
    if lines[:2] != ["\b", "Examples:"]:
        assert not any("  pivot " in line for line in lines)
        return
    described = [line for line in lines[2:] if "  " in line.strip()]
    assert described in ([], lines[2:])
    assert len({line.rindex("  ") for line in described}) <= 1
    assert all(line.startswith(f"  pivot {name}") for line in lines[2:])


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_valid_command(example: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("%O", "%A", "%B"):
        (tmp_path / name).touch()
    _, *arguments = shlex.split(example.partition("  ")[0].partition(" > ")[0])
    context = app.cli.make_context("pivot", arguments)
    while isinstance(context.command, click.Group):
        _, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None
        context = command.make_context(command.name, rest, parent=context)

    assert context.params.keys() >= {each.name for each in context.command.params if each.expose_value}
