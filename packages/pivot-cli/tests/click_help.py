"""The help of all commands, as click prints it; as a script, this writes the files that the package keeps.

A page that the script is called with gets the help in its blocks, and a section for each command that it lacks.
"""

import contextlib
import io
import pathlib
import re
import sys
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


def page(text: str, columns: int) -> str:
    """A page with the help of this width in its blocks."""
    for words, _ in commands():
        line = f"$ {' '.join(('pivot', *words))} --help\n"
        block = f"```console\n{line}{printed(words, columns)}```\n"
        found = re.search(rf"(?ms)^```console\n{re.escape(line)}.*?^```\n", text)
        begin, end = found.span() if found else (at := _place(text, words), at)
        heading = "" if found else f"## `{' '.join(('pivot', *words))}`\n\n"
        text = f"{text[:begin]}{heading}{block}{'' if found else '\n'}{text[end:]}"
    return text


def _place(text: str, words: Words) -> int:
    """Where the section of a new command begins: before the first one that comes after it."""
    headings = [(match.start(), tuple(match[1].split())) for match in re.finditer(r"(?m)^## `pivot ([a-z -]+)`$", text)]
    return next((at for at, other in headings if other > words), text.index("## The JSON of"))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        path.write_text(page(path.read_text(encoding="utf-8"), help_texts.WIDTHS[-1]), encoding="utf-8")
    for columns in help_texts.WIDTHS:
        pathlib.Path(help_texts.path(columns)).write_text(file(columns), encoding="utf-8")
