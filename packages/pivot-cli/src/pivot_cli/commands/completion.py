"""`pivot completion`."""

from typing import Final

import click
from click.shell_completion import get_completion_class

_EXAMPLES: Final = """\b
Examples:
  pivot completion bash > ~/.local/share/bash-completion/completions/pivot
  pivot completion zsh > "${fpath[1]}/_pivot"
  pivot completion fish > ~/.config/fish/completions/pivot.fish
"""


@click.command("completion", epilog=_EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print a shell script that completes commands, options, stages and files."""
    from pivot_cli.app import cli  # lazy: the group has this command in it

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not supported")
    click.echo(kind(cli, {}, "pivot", "_PIVOT_COMPLETE").source(), nl=False)
    return 0
