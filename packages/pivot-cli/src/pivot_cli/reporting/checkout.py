"""Prints the problems of a checkout, for `pivot checkout` and `pivot pull`."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from pivot_cli.context import least_exit_code
from pivot_cli.terminal import console, formats
from pivot_cli.views import files
from pivot_runtime.context import CommandContext

if TYPE_CHECKING:
    from pivot_runtime.artifacts.checkout import CheckoutReport


def overwriting(done: "CheckoutReport") -> str:
    """Say how the user's files that a checkout left as they were are overwritten."""
    several = sum(len(names) or 1 for names in done.modified.values()) > 1
    which, whose = ("them", "their") if several else ("it", "its")
    return f"--force overwrites {which}, and saves {whose} current content in the cache"


def report_problems(
    context: CommandContext, targets: Sequence[str], done: "CheckoutReport", reported: Collection[str] = ()
) -> int:
    """Print notes, errors and hints about a checkout; return the exit code.

    Args:
        context: The context of the command.
        targets: The targets of the checkout.
        done: Its result.
        reported: Paths already reported as missing from the cache.
    """
    for line in files.checkout_notes(done, context.project):
        console.note(line)
    for line in files.checkout_errors(done, context.project, reported):
        console.error(line)
    if done.modified:
        console.hint(overwriting(done))
    again = ", 'pivot repro' computes it again" if done.computed else ""
    if set(done.missing) - set(reported):
        console.hint(f"'pivot pull' fetches what a remote has{again}")
    if done.otherwise:
        what = formats.counted(done.otherwise, "unchanged file")
        console.hint(f"--relink also creates {what} in this way, which stayed as they were")
    for way in done.ways:
        console.hint(way)
    return max(0 if done.complete else 1, least_exit_code(context, targets))
