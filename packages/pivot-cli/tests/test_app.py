"""The command group without any project: what is imported when, and how errors end."""

import importlib
import importlib.metadata
import subprocess
import sys

import click
import pytest

from pivot_cli import app, version
from pivot_cli.commands import cache
from pivot_core.errors import PivotError


@pytest.mark.parametrize(
    ("name", "listed"),
    [(name, commands) for commands in (app.COMMANDS, cache.COMMANDS) for name in commands],
)
def test_the_list_says_what_the_commands_help_says(name: str, listed: app.Commands) -> None:
    module, short = listed[name]
    command = importlib.import_module(module).command

    assert isinstance(command, click.Command)
    assert command.name == name
    assert (command.help or "").splitlines()[0] == short


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_asking_imports_neither_engine_nor_fingerprint(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from pivot_cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "finally:\n"
        "    loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "    heavy = {'pivot_runtime', 'pivot_cache', 'pivot_fingerprint', 'attrs', 'sqlite3', 'yaml'}\n"
        "    print(sorted(loaded & heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def ends_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    @click.command("init")
    def command() -> None:
        raise error

    module = importlib.import_module("pivot_cli.commands.init")
    monkeypatch.setattr(module, "command", command)
    return app.run(["init"])


def test_an_error_of_ours_is_three_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code = ends_with(monkeypatch, PivotError("it is so", hint="do this"))

    assert code == 2
    assert capsys.readouterr().err == "error: it is so\nhint: do this\ndocs: pivot docs troubleshooting\n"


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_a_bug_shows_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("PIVOT_DEBUG", raising=False)
    code = ends_with(monkeypatch, ZeroDivisionError("division by zero"))
    told = capsys.readouterr().err

    assert code == 3
    assert "bug in Pivot: ZeroDivisionError" in told
    assert "Traceback" not in told


def test_a_bug_with_debugging_is_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIVOT_DEBUG", "1")
    ends_with(monkeypatch, ZeroDivisionError("division by zero"))

    assert "Traceback" in capsys.readouterr().err


def test_the_quick_look_at_the_version_agrees_with_the_standard_library() -> None:
    assert version.version_line() == f"pivot {importlib.metadata.version('pivot-cli')}"
    assert version._installed() == version._anywhere()
