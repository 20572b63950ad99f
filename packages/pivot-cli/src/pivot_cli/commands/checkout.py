"""`pivot checkout`."""

from collections.abc import Collection, Sequence

import click

from pivot_cli import console, options, place, results, signals
from pivot_cli.progress import Lines
from pivot_engine.project import Project
from pivot_engine.restoring import Wishes, restore


@click.command("checkout")
@options.targets
@click.option("-f", "--force", is_flag=True, help="Overwrite also files whose content is nowhere else.")
@click.option("--only-missing", is_flag=True, help="Write only files that do not exist.")
@options.checkout_mode
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be restored, and do nothing.")
def command(
    targets: tuple[str, ...], *, force: bool, only_missing: bool, checkout_mode: str | None, dry_run: bool
) -> int:
    """Restore outs and tracked data from the cache.

    Without TARGETS, everything that the lock files and .pvt files name. TARGETS are stage
    names, out paths, tracked paths, directories that hold some, or paths inside them. A file whose content is not
    in the cache is left alone unless --force is given.
    """
    project = place.project()
    wishes = Wishes(force=force, only_missing=only_missing, mode=options.mode_of(checkout_mode), dry_run=dry_run)
    with signals.heeding():
        return restored(project, targets, wishes)


def restored(project: Project, targets: Sequence[str], wishes: Wishes, *, told: Collection[str] = ()) -> int:
    """Restore, and print what came of it; returns the exit code.

    Args:
        project: Where.
        targets: What.
        wishes: How.
        told: Paths of which the user knows that the cache does not have them.
    """
    done = restore(project, targets, wishes=wishes, report=Lines())
    for line in results.checkout_notes(done, project):
        console.note(line)
    for line in results.checkout_errors(done, project, told):
        console.error(line)
    if done.modified:
        console.hint("--force overwrites them, and puts what is there now into the cache")
    if set(done.missing) - set(told):
        console.hint("'pivot pull' fetches what a remote has, 'pivot repro' computes it again")
    click.echo(results.restored(done, project, dry_run=wishes.dry_run), nl=False)
    return max(0 if done.complete else 1, place.left_out(project, targets))
