"""`pivot fingerprint`."""

import json
from typing import Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.reporting.notices import warn_of_broken
from pivot_cli.terminal import console
from pivot_cli.views.status import fingerprint_json, fingerprints
from pivot_runtime.inspecting.status import StatusOptions, status

_EXAMPLES: Final = """\b
Examples:
  pivot fingerprint summarize     Show the code of one stage.
  pivot fingerprint --all --json  Show all pipelines, as JSON.
"""


@click.command("fingerprint", epilog=_EXAMPLES)
@options.stages
@options.all_pipelines
@options.overrides
@click.option("-v", "--verbose", is_flag=True, help="Show every place of code that is not tracked.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    stages: tuple[str, ...], *, all_pipelines: bool, overrides: tuple[str, ...], verbose: bool, as_json: bool
) -> int:
    """Show the code that each stage depends on, and code that is not tracked.

    Without STAGES, show the stages of the current pipeline and everything upstream. The command lists the functions,
    classes, constants and loaders that a stage reaches, other code that its last run was observed to use, the
    libraries that it uses, and code that could not be followed.
    """
    found = status(command_context(overrides), stages, StatusOptions(all_pipelines=all_pipelines))
    warn_of_broken(found.broken)
    if as_json:
        console.data(json.dumps({"stages": [fingerprint_json(stage) for stage in found.stages]}, indent=2))
    else:
        console.data(fingerprints(found, verbose=verbose))
    return 0
