"""`pivot apply`."""

from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.reporting.checkout import overwriting
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.sweeps import results as views
from pivot_cli.terminal import console
from pivot_cli.views import files
from pivot_runtime.sweeps.apply import apply

_EXAMPLES: Final = """\b
Examples:
  pivot apply 3f2a91c0            Put a result into the workspace.
  pivot apply 3f2a91c0 --dry-run  Show what would change.
"""


@click.command("apply", epilog=_EXAMPLES)
@click.argument("result_id", metavar="ID", shell_complete=options.complete_results)
@click.option("-f", "--force", is_flag=True, help="Also overwrite files whose content exists nowhere else.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would change, but change nothing.")
def command(result_id: str, *, force: bool, dry_run: bool) -> int:
    """Put a recorded result into the workspace: outs, lock files and parameters.

    ID is that of 'pivot results', or its beginning. The parameters are set in params.yaml, where comments and layout
    stay as they are. Nothing is changed if that would overwrite a file whose content exists nowhere else, unless
    --force is given.
    """
    context = command_context()
    with signals.raise_on_termination():
        done = apply(context, result_id, force=force, dry_run=dry_run, report=RunLines())
    for line in files.checkout_notes(done.checkout, context.project):
        console.note(line)
    for line in files.checkout_errors(done.checkout, context.project, ()):
        console.error(line)
    if done.checkout.modified:
        console.hint(f"nothing was changed: {overwriting(done.checkout)}")
    for name, reason in done.by_hand.items():
        console.warning(f"{name} must be set by hand: {reason}")
    for address in done.left_out:
        console.note(f"left out: {address} is no longer a stage")
    if done.checkout.complete or dry_run:
        console.data(views.apply_text(done, dry_run=dry_run))
    return 0 if done.complete else 1
