"""Restores files for `pivot checkout` and `pivot pull`, and prints the result."""

from collections.abc import Collection, Sequence

from pivot_cli.context import least_exit_code
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_cli.views import files
from pivot_runtime.artifacts.checkout import CheckoutOptions, restore
from pivot_runtime.context import CommandContext


def restore_and_report(
    context: CommandContext,
    targets: Sequence[str],
    checkout_options: CheckoutOptions,
    *,
    reported: Collection[str] = (),
) -> int:
    """Restore, and print the result; return the exit code.

    Args:
        context: The context of the command.
        targets: The targets to restore.
        checkout_options: How files are restored.
        reported: Paths already reported as missing from the cache.
    """
    done = restore(context, targets, options=checkout_options, report=RunLines())
    for line in files.checkout_notes(done, context.project):
        console.note(line)
    for line in files.checkout_errors(done, context.project, reported):
        console.error(line)
    if done.modified:
        console.hint("--force overwrites them, and saves their current content in the cache")
    again = ", 'pivot repro' computes it again" if done.computed else ""
    if set(done.missing) - set(reported):
        console.hint(f"'pivot pull' fetches what a remote has{again}")
    for way in done.ways:
        console.hint(way)
    console.data(files.checkout_text(done, context.project, dry_run=checkout_options.dry_run))
    return max(0 if done.complete else 1, least_exit_code(context, targets))
