"""`pivot cache gc`."""

import json
from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import ObjectProgress
from pivot_cli.views import cache
from pivot_runtime.context import CommandContext
from pivot_runtime.maintenance import gc
from pivot_runtime.maintenance.gc import GcOptions

_EXAMPLES: Final = """\b
Examples:
  pivot cache gc --dry-run        Show what would be removed.
  pivot cache gc --keep-since 7d  Keep the results of a week only.
  pivot cache gc --max-size 50GB  Remove the least recently used.
  pivot cache gc --grace 0        Free the space now, without a way back.
  pivot cache gc --undo           Bring back what was removed last.
"""


@click.command("gc", epilog=_EXAMPLES)
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be removed, but remove nothing.")
@click.option(
    "--keep-since",
    callback=options.age,
    metavar="AGE",
    help="Keep results of runs younger than this.  [default: cache.keep_runs_days, 30d]",
)
@click.option(
    "--grace",
    callback=options.age,
    metavar="AGE",
    help="Delete objects that have been in the trash for this long; 0: at once.  [default: cache.trash_days, 14d]",
)
@click.option(
    "--max-size",
    callback=options.size,
    metavar="SIZE",
    help="Remove only until the cache has this size; also results of recent runs if that is not enough.",
)
@click.option(
    "--older-than", callback=options.age, metavar="AGE", help="Remove only what has not been used for this long."
)
@click.option("--undo", is_flag=True, help="Bring back the objects that were last moved to the trash.")
@click.option("--all-projects", is_flag=True, help="Also keep objects that other projects sharing this cache need.")
@click.option("--only-this-project", is_flag=True, help="Ignore other projects that share this cache.")
@click.option("--skip-damaged", is_flag=True, help="Continue without lock files that cannot be read.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(  # noqa: PLR0913  # one parameter per option
    *,
    dry_run: bool,
    keep_since: int | None,
    grace: int | None,
    max_size: int | None,
    older_than: int | None,
    undo: bool,
    all_projects: bool,
    only_this_project: bool,
    skip_damaged: bool,
    as_json: bool,
) -> int:
    """Remove objects that no branch, stash or recent run needs.

    Objects are kept if a lock file or a .pvt file in the workspace or in any git ref, stash, index or worktree names
    them, or if a run of the last 30 days wrote them. All others move to the trash, and the same command deletes them
    after 14 days, or at once with --grace 0. AGE is a number with s, m, h, d or w; SIZE is a number with kB, MB, GB or
    TB.

    With --max-size or --older-than, the least recently used objects go first, and no more than necessary. Objects that
    lock files or .pvt files name always stay, even if the cache is larger then.
    """
    if undo and (max_size is not None or older_than is not None):
        raise click.UsageError("--undo goes without --max-size and --older-than")
    if undo and dry_run:
        raise click.UsageError("--undo and --dry-run exclude each other")
    if all_projects and only_this_project:
        raise click.UsageError("--all-projects and --only-this-project exclude each other")
    context = command_context()
    if undo:
        return _undo(context, as_json=as_json)
    gc_options = GcOptions(
        keep_since, grace, all_projects, only_this_project, skip_damaged, max_size=max_size, unused_ns=older_than
    )
    with signals.raise_on_termination(), ObjectProgress("collecting") as progress:
        done = gc.gc(
            context, gc_options, dry_run=dry_run, report=RunLines(), progress=lambda _, count: progress(0, count, 0)
        )
    for line in cache.gc_notes(done, max_size):
        console.note(line)
    if as_json:
        console.data(json.dumps(cache.gc_json(done), indent=2))
    else:
        console.data(cache.gc_text(done))
        if done.done is not None and done.done.removed and done.done.batch is not None:
            console.hint("'pivot cache gc --undo' brings it back")
    return 0


def _undo(context: CommandContext, *, as_json: bool) -> int:
    with signals.raise_on_termination():
        done = gc.undo(context, report=RunLines())
    if as_json:
        console.data(json.dumps(cache.undo_json(done), indent=2))
    else:
        console.data(cache.undo_text(done))
    return 0 if done is not None else 1
