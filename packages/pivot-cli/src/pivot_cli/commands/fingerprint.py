"""`pivot fingerprint`."""

import json

import click

from pivot_cli import context, options
from pivot_cli.reporting.notices import warn_of_broken
from pivot_cli.terminal import console
from pivot_cli.views import json as jsonform
from pivot_cli.views import status as render
from pivot_runtime.inspecting.status import status


@click.command("fingerprint")
@options.stages
@options.everything
@options.overrides
@click.option("-v", "--verbose", is_flag=True, help="Show every place of what is not tracked.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    stages: tuple[str, ...], *, everything: bool, overrides: tuple[str, ...], verbose: bool, as_json: bool
) -> int:
    """Show what code each stage depends on, and what is not tracked.

    Without STAGES, those of the pipeline here and all that they depend on. Listed are the functions, classes,
    constants and loaders that a stage reaches, what its last run was seen to run beyond that, the libraries it
    names, and what could not be followed.
    """
    found = status(context.project(overrides), stages, everything=everything)
    warn_of_broken(found.broken)
    if as_json:
        console.data(json.dumps({"stages": [jsonform.fingerprint(stage) for stage in found.stages]}, indent=2))
    else:
        console.data(render.fingerprints(found, verbose=verbose))
    return 0
