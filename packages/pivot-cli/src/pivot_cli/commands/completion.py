"""`pivot completion`."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import get_completion_class

from pivot_cli.app import SuggestingGroup
from pivot_cli.terminal import console

if TYPE_CHECKING:
    from pivot_cli.completion_files import FileChange

_EXAMPLES: Final = """\b
Examples:
  pivot completion install      Complete commands in new shells.
  pivot completion install zsh  Do so in another shell than yours.
  pivot completion uninstall    Remove it again.
  pivot completion fish         Print the script itself.
"""
_INSTALL_EXAMPLES: Final = """\b
Examples:
  pivot completion install          Complete commands in your shell.
  pivot completion install --print  Show what would be written.
"""
_UNINSTALL_EXAMPLES: Final = """\b
Examples:
  pivot completion uninstall  Remove it from your shell.
"""
_SHELL = click.argument("shell", required=False, type=click.Choice(["bash", "zsh", "fish"]))


@click.group("completion", cls=SuggestingGroup, epilog=_EXAMPLES)
def command() -> None:
    """Complete commands, options, stages and files in your shell."""


@command.command("install", epilog=_INSTALL_EXAMPLES)
@_SHELL
@click.option("--print", "as_text", is_flag=True, help="Print what would be written where, and write nothing.")
def install(shell: str | None, *, as_text: bool) -> int:
    """Let new shells complete commands.

    Without SHELL, it is the one that $SHELL names. The command writes the script where the shell looks for completions.
    For zsh, and for bash without bash-completion, it adds a marked block to .zshrc or .bashrc. Repeating it updates
    both, and changes nothing else.
    """
    from pivot_cli import completion_files  # lazy

    shell = shell or completion_files.shell_of(os.environ)
    changes = completion_files.installing(shell, _script(shell), os.environ)
    if as_text:
        console.data("\n".join(f"# {change.file}\n{change.added}" for change in changes))
        return 0
    _apply(changes, "Wrote", "Already in")
    console.hint(f"new shells complete the commands; for this one: source {changes[0].file}")
    return 0


@command.command("uninstall", epilog=_UNINSTALL_EXAMPLES)
@_SHELL
def uninstall(shell: str | None) -> int:
    """Remove what 'pivot completion install' has written."""
    from pivot_cli import completion_files  # lazy

    shell = shell or completion_files.shell_of(os.environ)
    changes = completion_files.removing(shell, os.environ)
    _apply(changes, "Changed", "")
    if not changes:
        console.line(f"Nothing is installed for {shell}")
    return 0


def _apply(changes: "Sequence[FileChange]", changed: str, same: str) -> None:
    from pivot_cli import completion_files  # lazy

    for change in changes:
        completion_files.apply(change)
        verb = same if change.before == change.after else "Removed" if change.after is None else changed
        console.line(f"{verb} {change.file}")


def _script(shell: str) -> str:
    from pivot_cli.app import cli  # lazy: the group has this command in it

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not supported")
    return kind(cli, {}, "pivot", "_PIVOT_COMPLETE").source()


def _printing(shell: str) -> Callable[[], int]:
    def show() -> int:
        console.data(_script(shell))
        return 0

    show.__doc__ = f"Print the script that completes commands in {shell}."
    return show


for _name in ("bash", "zsh", "fish"):
    _epilog = f"\b\nExamples:\n  pivot completion {_name}  Print the script.\n"
    command.command(_name, epilog=_epilog)(_printing(_name))
