"""`pivot list`."""

import json
from typing import TYPE_CHECKING, Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.reporting.notices import hint_at_no_stages, warn_of_broken
from pivot_cli.terminal import console
from pivot_cli.views import graph
from pivot_runtime.inspecting.overview import overview

if TYPE_CHECKING:
    from pivot_runtime.context import CommandContext


_EXAMPLES: Final = """\b
Examples:
  pivot list              List the stages of the current pipeline.
  pivot list --untracked  List files that belong to no stage.
"""


@click.command("list", epilog=_EXAMPLES)
@options.targets
@options.all_pipelines
@options.overrides
@click.option("--untracked", is_flag=True, help="List files that no stage and no .pvt file knows.")
@options.as_json
def command(
    targets: tuple[str, ...], *, all_pipelines: bool, overrides: tuple[str, ...], untracked: bool, as_json: bool
) -> int:
    """List stages with their deps and outs, and where they are defined.

    Without TARGETS, list the stages of the current pipeline and everything upstream. Paths are relative to the root.

    With --untracked, list the files of the project that no stage of any pipeline reads, writes or is defined by, and
    that are not tracked data either. Files that .pivotignore or git ignores are left out.
    """
    if untracked:
        if targets:
            raise click.UsageError("--untracked goes without TARGETS")
        return _untracked(command_context(overrides), as_json=as_json)
    found = overview(command_context(overrides), targets, all_pipelines=all_pipelines)
    warn_of_broken(found.broken)
    if as_json:
        console.data(json.dumps({"stages": graph.listing_json(found)}, indent=2))
    else:
        console.data(graph.listing(found) or "No stages are registered.\n")
        if not found.graph.stages:
            hint_at_no_stages()
    return 0


def _untracked(context: "CommandContext", *, as_json: bool) -> int:
    from pivot_runtime.inspecting.untracked import untracked  # lazy

    found = untracked(context)
    warn_of_broken(found.broken)
    if as_json:
        listed = [{"path": path, "in_git": in_git} for path, in_git in found.paths.items()]
        console.data(json.dumps({"untracked": listed}, indent=2))
        return 0
    for path, in_git in found.paths.items():
        console.line(f"{path}  (in git)" if in_git else path)
    if not found.paths:
        console.note("all files belong to stages or are tracked")
    return 0
