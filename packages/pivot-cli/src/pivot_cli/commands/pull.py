"""`pivot pull`."""

import json
from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.reporting import transfers
from pivot_cli.reporting.checkout import report_problems
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_cli.views import files
from pivot_runtime.artifacts import checkout
from pivot_runtime.sharing.transfer import TransferOptions

_EXAMPLES: Final = """\b
Examples:
  pivot pull                 Fetch and restore everything that is recorded.
  pivot pull summarize       Fetch and restore the outs of one stage.
  pivot pull --only-missing  Leave files that exist as they are.
"""


@click.command("pull", epilog=_EXAMPLES)
@options.targets
@options.remote
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be fetched and restored, but do neither.")
@options.transfers
@click.option("-f", "--force", is_flag=True, help="Also overwrite files whose content exists nowhere else.")
@click.option("--only-missing", is_flag=True, help="Restore only files that do not exist.")
@options.checkout_mode
@options.relink
@options.as_json
def command(  # noqa: PLR0913  # one parameter per option
    targets: tuple[str, ...],
    *,
    remote: str | None,
    dry_run: bool,
    jobs: int | None,
    force: bool,
    only_missing: bool,
    checkout_mode: str | None,
    relink: bool,
    as_json: bool,
) -> int:
    """Download outs and tracked data from a remote, and restore them.

    The command does the same as 'pivot fetch' followed by 'pivot checkout'. It restores everything that could be
    fetched, even if some objects could not.
    """
    if relink and only_missing:
        raise click.UsageError("--relink and --only-missing exclude each other")
    context = command_context()
    with signals.raise_on_termination():
        moved = transfers.fetch(context, targets, TransferOptions(remote, jobs, dry_run=dry_run))
        code = transfers.report_fetch(moved, context.project, dry_run=dry_run, silent=as_json)
        checkout_options = checkout.CheckoutOptions(
            force=force,
            only_missing=only_missing,
            mode=options.mode_of(checkout_mode),
            relink=relink,
            dry_run=dry_run,
            coming=moved.planned,
        )
        done = checkout.restore(context, targets, options=checkout_options, report=RunLines())
    code = max(code, report_problems(context, targets, done, frozenset((*moved.failed, *moved.missing))))
    if as_json:
        both = {
            "fetch": files.transfer_json(moved, dry_run=dry_run),
            "checkout": files.checkout_json(done, dry_run=dry_run),
        }
        console.data(json.dumps(both, indent=2))
    else:
        console.data(files.checkout_text(done, context.project, dry_run=dry_run))
    return code
