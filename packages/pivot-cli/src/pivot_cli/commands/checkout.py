"""`pivot checkout`."""

import json
from collections.abc import Sequence
from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.reporting.checkout import report_problems
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_cli.views import files
from pivot_runtime.artifacts.checkout import CheckoutOptions, restore
from pivot_runtime.context import CommandContext

_EXAMPLES: Final = """\b
Examples:
  pivot checkout                         Restore all that is recorded.
  pivot checkout --dry-run summary.json  Show what would be restored.
  pivot checkout --kept                  List files that were replaced.
  pivot checkout --relink                Exchange copies and links.
"""


@click.command("checkout", epilog=_EXAMPLES)
@options.targets
@click.option("-f", "--force", is_flag=True, help="Also overwrite files whose content exists nowhere else.")
@click.option("--only-missing", is_flag=True, help="Write only files that do not exist.")
@options.checkout_mode
@options.relink
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be restored, but restore nothing.")
@click.option(
    "--kept", is_flag=True, help="Restore files that were saved before being replaced; without TARGETS, list them."
)
@click.option("--to", metavar="PATH", help="With --kept and one target: restore it to PATH.")
@options.as_json
def command(  # noqa: PLR0913  # one parameter per option
    targets: tuple[str, ...],
    *,
    force: bool,
    only_missing: bool,
    checkout_mode: str | None,
    relink: bool,
    dry_run: bool,
    kept: bool,
    to: str | None,
    as_json: bool,
) -> int:
    """Restore outs and tracked data from the cache.

    Without TARGETS, restore everything that the lock files and .pvt files name. TARGETS are stage names, out paths,
    tracked paths, directories that contain some, or paths inside them. A file whose content is not in the cache is not
    overwritten unless --force is given. Files that are as recorded stay as they are; with --relink, those that are
    copies where --checkout-mode or cache.checkout_mode wants links, or links where it wants copies, are created again.

    With --kept, TARGETS are paths of files that Pivot saved before replacing them, since their content was nowhere
    else: restore the newest content of each, or one by the first digits of its digest. Saved files are kept for
    as many days as cache.trash_days says.
    """
    context = command_context()
    if kept:
        if only_missing or dry_run or relink or checkout_mode is not None:
            raise click.UsageError("--kept goes with --force, --to and --json only")
        if to is not None and len(targets) != 1:
            raise click.UsageError("--to goes with one target")
        with signals.raise_on_termination():
            return _kept(context, targets, force=force, to=to, as_json=as_json)
    if to is not None:
        raise click.UsageError("--to goes with --kept")
    if relink and only_missing:
        raise click.UsageError("--relink and --only-missing exclude each other")
    checkout_options = CheckoutOptions(
        force=force,
        only_missing=only_missing,
        mode=options.mode_of(checkout_mode),
        relink=relink,
        dry_run=dry_run,
    )
    with signals.raise_on_termination():
        done = restore(context, targets, options=checkout_options, report=RunLines())
    code = report_problems(context, targets, done)
    if as_json:
        console.data(json.dumps(files.checkout_json(done, dry_run=dry_run), indent=2))
    else:
        console.data(files.checkout_text(done, context.project, dry_run=dry_run))
    return code


def _kept(context: CommandContext, targets: Sequence[str], *, force: bool, to: str | None, as_json: bool) -> int:
    from pivot_runtime.artifacts import kept  # lazy

    if not targets:
        found = kept.list_kept(context)
        console.data(
            json.dumps({"kept": files.kept_json(found)}, indent=2) if as_json else files.kept(found, context.project)
        )
        return 0
    restored = []
    for target in targets:
        done = kept.restore_kept(context, target, to=to, force=force, report=RunLines())
        restored.append({"path": str(done.to), "files": done.files})
        if not as_json:
            console.line(f"Brought back {context.project.from_cwd(done.to)}: {done.files} file(s)")
    if as_json:
        console.data(json.dumps({"restored": restored}, indent=2))
    return 0
