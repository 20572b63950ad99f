"""`pivot unfreeze`."""

import json
from typing import Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_runtime.running.freeze import unfreeze

_EXAMPLES: Final = """\b
Examples:
  pivot unfreeze summarize   Let a stage run again.
"""


@click.command("unfreeze", epilog=_EXAMPLES)
@options.some_stages
@options.as_json
def command(stages: tuple[str, ...], *, as_json: bool) -> int:
    """Let frozen stages run again.

    The command removes the stages from .pivot/frozen, which you commit. A stage that its own definition freezes stays
    frozen.
    """
    done = unfreeze(command_context(), stages, report=RunLines())
    if as_json:
        console.data(json.dumps({"changed": list(done.changed), "unchanged": list(done.unchanged)}, indent=2))
        return 0
    for name in done.changed:
        console.line(f"Unfroze {name}")
    for name in done.unchanged:
        console.line(f"{name} is not frozen")
    return 0
