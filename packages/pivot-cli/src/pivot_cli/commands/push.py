"""`pivot push`."""

import json
from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context, least_exit_code
from pivot_cli.reporting import transfers
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import TransferProgress
from pivot_cli.views import files
from pivot_runtime.sharing.transfer import TransferOptions, push

_EXAMPLES: Final = """\b
Examples:
  pivot push                      Push everything that is recorded.
  pivot push summary.json         Push one out.
  pivot push --dry-run -r backup  Show what another remote lacks.
"""


@click.command("push", epilog=_EXAMPLES)
@options.targets
@options.remote
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be pushed, but push nothing.")
@options.transfers
@options.refresh
@click.option("--all-objects", is_flag=True, help="Push the whole cache, not only recorded objects.")
@options.as_json
def command(  # noqa: PLR0913  # one parameter per option
    targets: tuple[str, ...],
    *,
    remote: str | None,
    dry_run: bool,
    jobs: int | None,
    refresh: bool,
    all_objects: bool,
    as_json: bool,
) -> int:
    """Upload outs and tracked data from the cache to a remote.

    Without TARGETS, push everything that the lock files and .pvt files name. Objects on the remote are skipped, and
    never replaced. No pipeline is imported.
    """
    context = command_context()
    with signals.raise_on_termination(), TransferProgress("pushing") as progress:
        transfer_options = TransferOptions(
            remote, jobs, dry_run=dry_run, refresh=refresh, all_objects=all_objects, progress=progress
        )
        moved = push(context, targets, transfer_options)
    code = transfers.report_push(moved, context.project, dry_run=dry_run, silent=as_json)
    if as_json:
        console.data(json.dumps(files.transfer_json(moved, dry_run=dry_run), indent=2))
    return max(code, least_exit_code(context, targets))
