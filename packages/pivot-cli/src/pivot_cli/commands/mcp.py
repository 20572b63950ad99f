"""`pivot mcp`."""

from typing import Final

import click

from pivot_cli.apps import McpOptions, load_app
from pivot_cli.context import command_context

_EXAMPLES: Final = """\b
Examples:
  pivot mcp              Answer questions, and change nothing.
  pivot mcp --allow-run  Also run stages when asked to.
"""


@click.command("mcp", epilog=_EXAMPLES)
@click.option("--allow-run", is_flag=True, help="Let the client run stages, and import code that it has edited.")
def command(*, allow_run: bool) -> int:
    """Let assistants ask about the project: the Model Context Protocol.

    The client starts the command, and talks to it on standard input and output until it closes them. It can ask which
    stages are stale and why, what an edit would make stale, and for logs, metrics, results and previews. It changes
    nothing, unless --allow-run lets it run stages.

    The command needs the package pivot-mcp: install pivot[mcp].
    """
    return load_app("mcp", McpOptions)(command_context(report_imports=False), McpOptions(allow_run))
