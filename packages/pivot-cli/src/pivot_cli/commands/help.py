"""`pivot help`."""

from typing import TYPE_CHECKING, Final

import click

from pivot_cli.app import SuggestingGroup
from pivot_cli.terminal import console

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_EXAMPLES: Final = """\b
Examples:
  pivot help           List all commands.
  pivot help repro     Show the options of a command.
  pivot help cache gc  Show those of a command in a group.
"""


def _complete(context: click.Context, _: click.Parameter, typed: str) -> "list[CompletionItem]":
    """Return the commands that may follow the words before."""
    from click.shell_completion import CompletionItem  # lazy

    try:
        found = _named(context, context.params.get("words") or ())
    except click.UsageError:
        return []
    names = found.command.list_commands(found) if isinstance(found.command, click.Group) else []
    return [CompletionItem(name) for name in names if name.startswith(typed)]


@click.command("help", epilog=_EXAMPLES)
@click.argument("words", nargs=-1, metavar="[COMMAND]...", shell_complete=_complete)
@click.pass_context
def command(context: click.Context, words: tuple[str, ...]) -> int:
    """Show the help of a command.

    It is the same as that of 'pivot COMMAND --help'.
    """
    console.data(_named(context, words).get_help())
    return 0


def _named(context: click.Context, words: tuple[str, ...]) -> click.Context:
    """Return the context of the command that the words name.

    Raises:
        UsageError: There is no such command.
    """
    found = context.find_root()
    for word in words:
        if not isinstance(found.command, SuggestingGroup):
            raise click.UsageError(f"{found.command_path!r} has no commands", found)
        name, inner, _ = found.command.resolve_command(found, [word])
        if inner is None:
            raise click.UsageError(f"No such command {word!r}.", found)
        found = click.Context(inner, info_name=name, parent=found)
    return found
