"""`pivot cache status`."""

import json
from typing import Final

import click

from pivot_cli.context import command_context
from pivot_cli.terminal import console
from pivot_cli.views import cache
from pivot_runtime.maintenance.status import cache_status

_EXAMPLES: Final = """\b
Examples:
  pivot cache status         Show what the cache contains.
  pivot cache status --json  Print it as JSON.
"""


@click.command("status", epilog=_EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool) -> int:
    """Show the contents of the cache, by stage.

    The command lists the objects of each stage and of tracked data, the trash, damaged objects, and the kinds of
    links that work between the cache and the workspace. It verifies nothing.
    """
    context = command_context()
    found = cache_status(context)
    if as_json:
        console.data(json.dumps(cache.status_json(found), indent=2))
    else:
        console.data(cache.status_text(found, context.project))
    return 0
