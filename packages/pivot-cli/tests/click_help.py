"""The help of all commands, as click prints it; as a script, this writes the files that the package keeps."""

import contextlib
import io
import pathlib
from collections.abc import Iterator
from unittest import mock

import click

from pivot_cli import app, help_texts

type Words = tuple[str, ...]


def commands(command: click.Command = app.cli, words: Words = ()) -> Iterator[tuple[Words, click.Command]]:
    """Yield a command and those below it, with their names."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            assert below is not None
            yield from commands(below, (*words, each))


def printed(words: Words, columns: int, option: str = "--help") -> str:
    """The help of a command, as click prints it in this width."""
    with (
        mock.patch.dict(app.cli.context_settings, terminal_width=columns),
        contextlib.redirect_stdout(io.StringIO()) as output,
    ):
        assert app.run([*words, option]) == 0
    return output.getvalue()


def file(columns: int) -> str:
    """The file of one width."""
    texts = [help_texts.heading(words) + printed(words, columns) for words, _ in commands()]
    return "".join(("These texts are written by `nox -s reference`.\n", *texts))


if __name__ == "__main__":
    for columns in help_texts.WIDTHS:
        pathlib.Path(help_texts.path(columns)).write_text(file(columns), encoding="utf-8")
