"""`pivot clean`."""

import json
from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console, questions
from pivot_cli.terminal.progress import HashProgress
from pivot_cli.views import files
from pivot_runtime.workspace import clean

_EXAMPLES: Final = """\b
Examples:
  pivot clean --dry-run      Show which outs would be removed.
  pivot clean --yes          Remove all outs, without a question.
  pivot clean -y summarize   Remove the outs of one stage.
"""


@click.command("clean", epilog=_EXAMPLES)
@options.targets
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be removed, but remove nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-f", "--force", is_flag=True, help="Also remove outs that are nowhere else, after saving them.")
@options.as_json
def command(targets: tuple[str, ...], *, dry_run: bool, yes: bool, force: bool, as_json: bool) -> int:
    """Remove outs from the workspace.

    Without TARGETS, remove the outs of all recorded stages; otherwise, those of the named stages, or the named outs.
    The command lists them and asks. It keeps what no run wrote, what was modified since, and what the cache does not
    have, and says so. 'pivot checkout' restores the outs. Records and tracked data stay.

    With --force, such outs are saved in the cache first; 'pivot checkout --kept' brings them back.
    """
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json goes with --yes or --dry-run")
    context = command_context()
    with HashProgress():
        planned = clean.plan(context, targets, force=force)
    agreed = yes or dry_run or not planned.remove
    if not agreed:
        console.text(files.clean_plan(planned, context.project))
        agreed = questions.confirm(f"Remove {files.outs_of(planned)}?")
        if not agreed:
            console.note("nothing was removed")
            return 1
    done = planned
    if not dry_run and planned.remove:
        with signals.raise_on_termination():
            done = clean.clean(context, targets, force=force, only=frozenset(planned.remove), report=RunLines())
    if as_json:
        console.data(json.dumps(files.clean_json(done, dry_run=dry_run), indent=2))
        return 0
    for line in files.clean_notes(done, context.project):
        console.note(line)
    console.data(files.clean_text(done, context.project, dry_run=dry_run))
    if done.remove and not dry_run:
        console.hint("'pivot checkout' restores what the cache has")
    return 0
