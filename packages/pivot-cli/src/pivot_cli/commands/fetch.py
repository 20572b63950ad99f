"""`pivot fetch`."""

import json
from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context, least_exit_code
from pivot_cli.reporting import transfers
from pivot_cli.terminal import console
from pivot_cli.views import files
from pivot_runtime.sharing.transfer import TransferOptions

_EXAMPLES: Final = """\b
Examples:
  pivot fetch               Fetch everything that is recorded.
  pivot fetch summary.json  Fetch one out.
  pivot fetch --dry-run     Show what the cache lacks.
"""


@click.command("fetch", epilog=_EXAMPLES)
@options.targets
@options.remote
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be fetched, but fetch only listings.")
@options.transfers
@options.as_json
def command(targets: tuple[str, ...], *, remote: str | None, dry_run: bool, jobs: int | None, as_json: bool) -> int:
    """Download outs and tracked data from a remote into the cache.

    Without TARGETS, fetch everything that the lock files and .pvt files name. The workspace stays unchanged: 'pivot
    checkout' restores from the cache, and 'pivot pull' does both.
    """
    context = command_context()
    with signals.raise_on_termination():
        moved = transfers.fetch(context, targets, TransferOptions(remote, jobs, dry_run=dry_run))
    code = transfers.report_fetch(moved, context.project, dry_run=dry_run, silent=as_json)
    if as_json:
        console.data(json.dumps(files.transfer_json(moved, dry_run=dry_run), indent=2))
    return max(code, least_exit_code(context, targets))
