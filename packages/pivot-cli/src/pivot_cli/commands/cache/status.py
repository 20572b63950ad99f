"""`pivot cache status`."""

import json

import click

from pivot_cli import context
from pivot_cli.terminal import console
from pivot_cli.views import cache
from pivot_runtime.maintenance.status import cache_status


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool) -> int:
    """Show what the cache holds, and for whom.

    Listed are the objects of each stage and of all tracked data, what waits in the trash, what was found damaged, and
    which ways to link files work between the cache and the workspace. Nothing is verified.
    """
    project = context.project()
    found = cache_status(project)
    if as_json:
        console.data(json.dumps(cache.status_json(found), indent=2))
    else:
        console.data(cache.status(found, project))
    return 0
