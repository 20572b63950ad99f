"""The page for troubleshooting: its commands exist, each entry can be reached, and says what to do."""

import pathlib
import re
import shlex

import click
import pytest

from pivot_cli import app

PAGE = (pathlib.Path(__file__).parent.parent / "docs/troubleshooting.md").read_text()
ENTRIES = re.findall(r'(?ms)^<a id="([\w-]+)"></a>\n### (.*?)(?=^<a id=|^## |\Z)', PAGE)
COMMANDS = sorted(set(re.findall(r"`(pivot [^`…]+)`", PAGE)) - {"pivot"})


@pytest.mark.parametrize("shown", COMMANDS)
def test_each_command_exists_with_its_options(shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pathlib.Path(__file__).parent)
    _, *words = shlex.split(shown.replace("DIR", ".").replace("\n", " "))
    if words in (["--version"], []):
        return
    context = app.cli.make_context("pivot", words)
    while isinstance(context.command, click.Group):
        name, *rest = [*context._protected_args, *context.args]
        command = context.command.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group) and not rest:
            return
        context = command.make_context(name, rest, parent=context, resilient_parsing=rest == [])


def test_each_entry_is_in_the_table_and_has_a_solution() -> None:
    table = PAGE.partition("\n## ")[0]

    assert sorted(re.findall(r"\]\(#([\w-]+)\)", table)) == sorted(anchor for anchor, _ in ENTRIES)
    assert [anchor for anchor, text in ENTRIES if "olution.**" not in text and anchor != "exit-codes"] == []
