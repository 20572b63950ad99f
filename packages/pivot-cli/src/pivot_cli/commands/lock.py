"""`pivot lock`."""

import pathlib
import shlex
from typing import Final

import click

from pivot_cache.files import atomic
from pivot_cache.formats import lock_merge, pvt
from pivot_cli.app import SuggestingGroup
from pivot_cli.terminal import console

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
    sides = base.read_bytes(), ours.read_bytes(), theirs.read_bytes()
    if path.endswith(pvt.SUFFIX):
        return _merge_pvt(sides, (base, ours, theirs), path)
    merged = lock_merge.merge(*sides)
    if merged != sides[1]:
        atomic.write_bytes(ours, merged)
    if merged == lock_merge.STALE:
        console.note(f"{path}: neither side ran with the inputs of the merge; 'pivot repro' runs the stage again")
    return 0


def _merge_pvt(sides: tuple[bytes, bytes, bytes], files: tuple[pathlib.Path, ...], path: str) -> int:
    base, ours, theirs = files
    if any(side.strip() and pvt.is_foreign(side) for side in sides):
        from pivot_runtime.git.repository import merge_file  # noqa: PLC0415  # start-up time: it is another program's file

        return 0 if merge_file(ours, base, theirs) else 1
    merged = lock_merge.merge_pvt(*sides)
    if merged is None:
        console.note(f"{path}: the two sides recorded different data; the file contains ours")
        quoted = shlex.quote(path)
        theirs_too = f"'git checkout --theirs -- {quoted}' takes theirs"
        console.hint(f"{theirs_too}; then 'pivot checkout' the data, and 'git add {quoted}'")
        return 1
    if merged != sides[1]:
        atomic.write_bytes(ours, merged)
    return 0
