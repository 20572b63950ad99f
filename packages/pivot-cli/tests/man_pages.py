"""The manual pages of all commands, as click knows them; as a script, this writes those that the package keeps."""

import pathlib
import re
from collections.abc import Iterator

import click
from click_help import Words, commands

DIRECTORY = pathlib.Path(__file__).parents[1] / "data/share/man/man1"
_ESCAPES = str.maketrans({"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "~": r"\(ti", "^": r"\(ha"})
_EXAMPLE = re.compile(r"^  (pivot .*?)(?:  +(\S.*))?$")


def name(words: Words) -> str:
    """The name of a command's page."""
    return "-".join(("pivot", *words))


def pages() -> Iterator[tuple[str, str]]:
    """Yield the file name and the text of each page."""
    for words, command in commands():
        yield f"{name(words)}.1", page(words, command)


def page(words: Words, command: click.Command) -> str:
    """The page of a command, in the language of man."""
    context = _context(words, command)
    first, *rest = (command.help or "").replace("\b\n", "").split("\n\n")
    lines = [
        '.\\" Written by `nox -s reference`.',
        f'.TH "{name(words).upper()}" "1" "" "Pivot" "Pivot Manual"',
        ".SH NAME",
        f"{_text(name(words))} \\- {_text(' '.join(first.split())).removesuffix('.')}",
        ".SH SYNOPSIS",
        f".B {_text(' '.join(('pivot', *words)))}",
        _text(" ".join(command.collect_usage_pieces(context))),
        *_description(rest),
        *_options(context, command),
        *_subcommands(words, context, command),
        *_examples(command),
        *_see_also(words, command),
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _context(words: Words, command: click.Command) -> click.Context:
    return click.Context(command, info_name=" ".join(("pivot", *words)), help_option_names=["-h", "--help"])


def _description(paragraphs: list[str]) -> list[str]:
    if not paragraphs:
        return []
    lines = [".SH DESCRIPTION"]
    for each in paragraphs:
        lines += [".PP", _text(" ".join(each.split()))]
    return lines


def _options(context: click.Context, command: click.Command) -> list[str]:
    lines = [".SH OPTIONS"]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            lines += [".TP", f".B {_text(record[0])}", _text(" ".join(record[1].split()))]
    return lines if len(lines) > 1 else []


def _subcommands(words: Words, context: click.Context, command: click.Command) -> list[str]:
    if not isinstance(command, click.Group):
        return []
    lines = [".SH COMMANDS"]
    for each in command.list_commands(context):
        below = command.get_command(context, each)
        assert below is not None
        lines += [".TP", f".BR {_text(name((*words, each)))} (1)", _text((below.help or "").partition("\n\n")[0])]
    return lines


def _examples(command: click.Command) -> list[str]:
    lines = []
    for each in (command.epilog or "").splitlines():
        found = _EXAMPLE.match(each)
        if found:
            lines += [".TP", f".B {_text(found[1])}", _text(found[2] or "") or "\\&"]
    return [".SH EXAMPLES", *lines] if lines else []


def _see_also(words: Words, command: click.Command) -> list[str]:
    page = re.search(r"Read more: (pivot docs \S+)", command.epilog or "")
    above = [f".BR {_text(name(words[:-1]))} (1)"] if words else []
    lines = [*above, *([f"{'.br' if above else ''}", f"{_text(page[1])}"] if page else [])]
    return [".SH SEE ALSO", *lines] if lines else []


def _text(text: str) -> str:
    """A text in which nothing is a request or an escape."""
    escaped = re.sub(r"[^\x00-\x7f]", lambda match: f"\\[u{ord(match[0]):04X}]", text.translate(_ESCAPES))
    return re.sub(r"(?m)^(?=\.)", r"\\&", escaped)


def write() -> None:
    """Write all pages, and remove those of commands that are gone."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    wanted = dict(pages())
    for file in DIRECTORY.glob("*.1"):
        if file.name not in wanted:
            file.unlink()
    for file_name, text in wanted.items():
        (DIRECTORY / file_name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
