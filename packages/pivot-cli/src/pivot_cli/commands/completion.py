"""`pivot completion`."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print a shell script that completes commands, options, stages and files.

    \b
    bash:  pivot completion bash > ~/.local/share/bash-completion/completions/pivot
    zsh:   pivot completion zsh > "${fpath[1]}/_pivot"
    fish:  pivot completion fish > ~/.config/fish/completions/pivot.fish
    """  # noqa: D301  # click reads the backspace: it keeps these lines
    from pivot_cli.app import cli  # noqa: PLC0415  # the group has this command in it

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not supported")
    click.echo(kind(cli, {}, "pivot", "_PIVOT_COMPLETE").source(), nl=False)
    return 0
