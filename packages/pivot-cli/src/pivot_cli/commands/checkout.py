"""`pivot checkout`."""

from collections.abc import Sequence
from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.reporting.checkout import restore_and_report
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_cli.views import files
from pivot_runtime.artifacts.checkout import CheckoutOptions
from pivot_runtime.context import CommandContext

_EXAMPLES: Final = """\b
Examples:
  pivot checkout                         Restore all that is recorded.
  pivot checkout --dry-run summary.json  Show what would be restored.
  pivot checkout --kept                  List files that were replaced.
"""


@click.command("checkout", epilog=_EXAMPLES)
@options.targets
@click.option("-f", "--force", is_flag=True, help="Also overwrite files whose content exists nowhere else.")
@click.option("--only-missing", is_flag=True, help="Write only files that do not exist.")
@options.checkout_mode
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be restored, but restore nothing.")
@click.option(
    "--kept", is_flag=True, help="Restore files that were saved before being replaced; without TARGETS, list them."
)
@click.option("--to", metavar="PATH", help="With --kept and one target: restore it to PATH.")
def command(  # noqa: PLR0913  # one parameter per option
    targets: tuple[str, ...],
    *,
    force: bool,
    only_missing: bool,
    checkout_mode: str | None,
    dry_run: bool,
    kept: bool,
    to: str | None,
) -> int:
    """Restore outs and tracked data from the cache.

    Without TARGETS, restore everything that the lock files and .pvt files name. TARGETS are stage names, out paths,
    tracked paths, directories that contain some, or paths inside them. A file whose content is not in the cache is not
    overwritten unless --force is given.

    With --kept, TARGETS are paths of files that Pivot saved before replacing them, since their content was nowhere
    else: restore the newest content of each, or one by the first digits of its digest. Saved files are kept for
    as many days as cache.trash_days says.
    """
    context = command_context()
    if kept:
        if only_missing or dry_run or checkout_mode is not None:
            raise click.UsageError("--kept goes with --force and --to only")
        if to is not None and len(targets) != 1:
            raise click.UsageError("--to goes with one target")
        with signals.raise_on_termination():
            return _kept(context, targets, force=force, to=to)
    if to is not None:
        raise click.UsageError("--to goes with --kept")
    checkout_options = CheckoutOptions(
        force=force, only_missing=only_missing, mode=options.mode_of(checkout_mode), dry_run=dry_run
    )
    with signals.raise_on_termination():
        return restore_and_report(context, targets, checkout_options)


def _kept(context: CommandContext, targets: Sequence[str], *, force: bool, to: str | None) -> int:
    from pivot_runtime.artifacts import kept  # lazy

    if not targets:
        console.data(files.kept(kept.list_kept(context), context.project))
        return 0
    for target in targets:
        done = kept.restore_kept(context, target, to=to, force=force, report=RunLines())
        console.line(f"Brought back {context.project.from_cwd(done.to)}: {done.files} file(s)")
    return 0
