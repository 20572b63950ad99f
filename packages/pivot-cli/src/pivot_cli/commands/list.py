"""`pivot list`."""

import json

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.reporting.notices import warn_of_broken
from pivot_cli.terminal import console
from pivot_cli.views import graph
from pivot_runtime.inspecting.overview import overview


@click.command("list")
@options.targets
@options.all_pipelines
@options.overrides
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(targets: tuple[str, ...], *, all_pipelines: bool, overrides: tuple[str, ...], as_json: bool) -> int:
    """List stages with their deps and outs, and where they are defined.

    Without TARGETS, list the stages of the current pipeline and everything upstream. Paths are relative to the root.
    """
    found = overview(command_context(overrides), targets, all_pipelines=all_pipelines)
    warn_of_broken(found.broken)
    if as_json:
        console.data(json.dumps({"stages": graph.listing_json(found)}, indent=2))
    else:
        console.data(graph.listing(found) or "No stages are registered.\n")
    return 0
