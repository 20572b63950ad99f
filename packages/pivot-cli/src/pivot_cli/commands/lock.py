"""`pivot lock`."""

import pathlib
import shlex
from typing import Final

import click

from pivot_cli.app import SuggestingGroup
from pivot_cli.terminal import console
from pivot_runtime.git import merge_driver
from pivot_runtime.git.merge_driver import MergeOutcome, MergeSides

_EXAMPLES: Final = """\b
Examples:
  pivot lock merge %O %A %B %P  Merge as git's driver does.
"""
_FILE = click.Path(exists=True, dir_okay=False, path_type=pathlib.Path)


@click.group("lock", cls=SuggestingGroup, epilog="Run 'pivot lock COMMAND --help' for the options of a command.")
def command() -> None:
    """Merge lock files."""


@command.command("merge", epilog=_EXAMPLES)
@click.argument("base", type=_FILE)
@click.argument("ours", type=_FILE)
@click.argument("theirs", type=_FILE)
@click.argument("path")
def merge(base: pathlib.Path, ours: pathlib.Path, theirs: pathlib.Path, path: str) -> int:
    """Merge a lock file or a .pvt file, as git's merge driver.

    BASE, OURS and THEIRS are the files that git calls %O, %A and %B, and PATH is the path of the file, %P; the result
    is written to OURS. If both sides recorded the same run, or one side matches the merge, the result is that lock
    file. Otherwise it is empty, and the stage runs again. If both sides have changed a .pvt file, ours stays and the
    exit code is 1, which git reports as a conflict. 'pivot init --git' sets this up.
    """
    outcome = merge_driver.merge(MergeSides(base, ours, theirs), path)
    match outcome:
        case MergeOutcome.STALE:
            console.note(f"{path}: neither side ran with the inputs of the merge; 'pivot repro' runs the stage again")
        case MergeOutcome.DIFFERENT_DATA:
            console.note(f"{path}: the two sides recorded different data; the file contains ours")
            quoted = shlex.quote(path)
            theirs_too = f"'git checkout --theirs -- {quoted}' takes theirs"
            console.hint(f"{theirs_too}; then 'pivot checkout' the data, and 'git add {quoted}'")
        case _:
            pass
    return 1 if outcome in (MergeOutcome.DIFFERENT_DATA, MergeOutcome.CONFLICT) else 0
