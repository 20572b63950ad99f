"""`pivot forget`."""

import json
from typing import Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console, formats
from pivot_runtime.workspace.forget import forget

_EXAMPLES: Final = """\b
Examples:
  pivot forget summarize          Let a stage count as never run.
  pivot forget --dry-run 'pre*'   Show which records would be removed.
"""


@click.command("forget", epilog=_EXAMPLES)
@click.argument("stages", nargs=-1, required=True, metavar="STAGES...", shell_complete=options.complete_targets)
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be forgotten, but forget nothing.")
@options.as_json
def command(stages: tuple[str, ...], *, dry_run: bool, as_json: bool) -> int:
    """Remove the records of stages, so that they count as never run.

    The command removes their lock files, and the records of their runs in the cache, so that the next 'pivot repro'
    runs them again and restores nothing. Their outs stay in the workspace. Git brings the lock files back. In a cache
    that several projects share, records of runs that another project may need stay.
    """
    done = forget(command_context(), stages, dry_run=dry_run, report=RunLines())
    if as_json:
        found = {
            "dry_run": dry_run,
            "forgotten": list(done.addresses),
            "runs": done.runs,
            "shared_runs": done.shared,
            "unrecorded": list(done.unrecorded),
        }
        console.data(json.dumps(found, indent=2))
        return 0
    verb = "Would forget" if dry_run else "Forgot"
    for address in done.addresses:
        console.line(f"{verb} {address}")
    if done.runs:
        console.data(f"{verb} {formats.counted(done.runs, 'run')} of {'it' if len(done.addresses) == 1 else 'them'}")
    if done.shared:
        console.note(
            f"{formats.counted(done.shared, 'run')} of {'it' if len(done.addresses) == 1 else 'them'} "
            "stay recorded, since other projects use the cache: 'pivot repro --force' runs a stage all the same"
        )
    for address in done.unrecorded:
        console.note(f"nothing is recorded of {address}")
    return 0
