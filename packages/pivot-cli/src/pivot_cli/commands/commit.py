"""`pivot commit`."""

import json
from typing import Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import HashProgress
from pivot_runtime.running.commit import accept

_EXAMPLES: Final = """\b
Examples:
  pivot commit                              Accept all stale stages.
  pivot commit -m 'only renamed' summarize  Accept one, and say why.
"""


@click.command("commit", epilog=_EXAMPLES)
@options.stages
@click.option("-m", "--reason", default="", metavar="TEXT", help="The reason, which is written into the lock files.")
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="Also accept stages whose data or parameters changed, or that have no recorded run.",
)
@options.overrides
@options.as_json
def command(stages: tuple[str, ...], *, overrides: tuple[str, ...], reason: str, force: bool, as_json: bool) -> int:
    """Accept the files in the workspace as results of the current code.

    Use it for stages whose code changed without changing their outs. Without STAGES, accept all stale stages. The
    command runs nothing, and records either all stages or none.
    """
    context = command_context(overrides)
    with HashProgress():
        done = accept(context, stages, reason=reason, force=force, report=RunLines())
    if as_json:
        console.data(json.dumps({"accepted": list(done.names), "unchanged": list(done.unchanged)}, indent=2))
        return 0
    for name in done.names:
        console.line(f"Accepted {name}")
    if not done.names:
        console.data("Nothing to accept: everything is up to date")
    return 0
