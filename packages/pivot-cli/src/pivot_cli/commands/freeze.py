"""`pivot freeze`."""

import json
from typing import Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_core.errors import list_names
from pivot_runtime.running.freeze import freeze

_EXAMPLES: Final = """\b
Examples:
  pivot freeze summarize     Keep the result of a stage.
  pivot freeze "*"           Keep the results of all stages.
"""


@click.command("freeze", epilog=_EXAMPLES)
@options.some_stages
@options.as_json
def command(stages: tuple[str, ...], *, as_json: bool) -> int:
    """Keep stages from running until they are unfrozen.

    Whatever has changed, a frozen stage does not run, and stages downstream use the outs that are there. The command
    adds the stages to .pivot/frozen, which you commit.
    """
    done = freeze(command_context(), stages, report=RunLines())
    if as_json:
        console.data(json.dumps({"changed": list(done.changed), "unchanged": list(done.unchanged)}, indent=2))
        return 0
    for name in done.changed:
        console.line(f"Froze {name}")
    for name in done.unchanged:
        console.line(f"{name} is already frozen")
    if done.never_run:
        names = list_names(done.never_run)
        console.note(f"no run is recorded of {names}: provide the outs yourself, or stages that read them cannot run")
    return 0
