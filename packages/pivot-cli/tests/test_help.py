"""The help texts: imperative, as wide as a narrow terminal, with valid examples, and kept as click prints them."""

import pathlib
import re
import shlex
import shutil
import subprocess

import click
import man_pages
import pytest
from click_help import commands, file, printed

from pivot_cli import app, help_texts
from pivot_cli.docs.topics import anchors, find
from pivot_cli.main import main
from pivot_cli.version import version_line

WIDTH = 80


COMMANDS = {" ".join(words): command for words, command in commands()}
EXAMPLES = [
    line.strip() for command in COMMANDS.values() for line in (command.epilog or "").splitlines() if "  pivot " in line
]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_one_line_and_fits_a_terminal(name: str) -> None:
    command = COMMANDS[name]
    first, *rest = (command.help or "").splitlines()
    assert first.endswith(".")
    assert rest[:1] in ([], [""])

    shown = printed(tuple(name.split()), WIDTH - 2)

    assert [line for line in shown.splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_aligned_and_call_their_command(name: str) -> None:
    lines = (COMMANDS[name].epilog or "").partition("\n\n")[0].splitlines()
    if lines[:2] != ["\b", "Examples:"]:
        assert not any("  pivot " in line for line in lines)
        return
    described = [line for line in lines[2:] if "  " in line.strip()]
    assert described in ([], lines[2:])
    assert len({line.rindex("  ") for line in described}) <= 1
    assert all(line.startswith(f"  pivot {name}") for line in lines[2:])


def test_each_command_has_examples_and_names_its_page() -> None:
    """`app.PAGES` has the pages. A group lists its commands, which have the examples."""
    single = {name: command.epilog or "" for name, command in COMMANDS.items() if not isinstance(command, click.Group)}
    named = {name: re.findall(r"Read more: pivot docs (\S+)", epilog) for name, epilog in single.items()}

    assert [name for name, epilog in single.items() if "Examples:" not in epilog] == []
    assert {name for name, pages in named.items() if not pages} == {"docs", "help"}
    for topic in {*app.PAGES.values()}:
        page, _, anchor = topic.partition("#")
        assert not anchor or anchor in anchors(find(page).text), topic


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


@pytest.mark.parametrize("columns", help_texts.WIDTHS)
def test_the_kept_texts_are_those_that_click_prints(columns: int) -> None:
    """If a command or an option has changed, `nox -s reference` writes them again."""
    assert pathlib.Path(help_texts.path(columns)).read_text() == file(columns)


@pytest.mark.skipif(not man_pages.DIRECTORY.exists(), reason="only the repository has the pages beside the tests")
def test_the_manual_pages_are_those_of_the_commands() -> None:
    """If a command or an option has changed, `nox -s reference` writes them again."""
    kept = {file.name: file.read_text() for file in man_pages.DIRECTORY.iterdir()}

    assert dict(man_pages.pages()) == kept
    assert ".SH EXAMPLES\n" in kept["pivot-repro.1"]
    assert ".BR pivot\\-cache\\-gc (1)\n" in kept["pivot-cache.1"]
    if shutil.which("groff") is not None:
        files = [str(man_pages.DIRECTORY / name) for name in sorted(kept)]
        done = subprocess.run(["groff", "-man", "-ww", "-z", *files], capture_output=True, text=True, check=True)
        assert done.stderr == ""


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("columns", [40, 80, 99, 100, 300])
@pytest.mark.parametrize("words", [(), ("status",), ("cache",), ("cache", "gc")], ids=" ".join)
def test_help_is_the_same_in_each_width(
    words: tuple[str, ...],
    columns: int,
    option: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setitem(app.cli.context_settings, "terminal_width", help_texts.width())

    with pytest.raises(SystemExit, match=r"^0$"):
        main([*words, option])

    assert capsys.readouterr().out == printed(words, help_texts.width(), option)


@pytest.mark.parametrize("given", [["-V"], ["help", "cache", "gc"]], ids=" ".join)
def test_short_ways_need_no_parser(
    given: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(app, "run", None)

    with pytest.raises(SystemExit, match=r"^0$"):
        main(given)

    expected = {"-V": f"{version_line()}\n", "help": help_texts.find(["cache", "gc", "--help"])}
    assert capsys.readouterr().out == expected[given[0]]


@pytest.mark.parametrize(
    "words", [["stat"], ["status", "a"], ["cache gc"], ["status", "-C"], ["cache\n", "gc"], [""]], ids=repr
)
def test_only_the_help_of_a_command_is_kept(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert help_texts.find(["status", "--help"]) is not None
    assert help_texts.find([*words, "--help"]) is None
