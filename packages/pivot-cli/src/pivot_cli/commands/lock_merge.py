"""`pivot lock merge`."""

import pathlib

import click

from pivot_cache import atomic, lockmerge
from pivot_cli import console

_FILE = click.Path(exists=True, dir_okay=False, path_type=pathlib.Path)


@click.command("merge")
@click.argument("base", type=_FILE)
@click.argument("ours", type=_FILE)
@click.argument("theirs", type=_FILE)
@click.argument("path")
def command(base: pathlib.Path, ours: pathlib.Path, theirs: pathlib.Path, path: str) -> None:
    """Merge a lock file, as git's merge driver.

    BASE, OURS and THEIRS are what git calls %O, %A and %B, and PATH is where the file belongs, %P; the
    result is written to OURS. If both sides have run the same, or one side has run what the merge has, it is that one.
    Otherwise the lock file is left empty, and the stage runs again. 'pivot init --git' sets this up.
    """
    sides = base.read_bytes(), ours.read_bytes(), theirs.read_bytes()
    merged = lockmerge.merge(*sides)
    if merged != sides[1]:
        atomic.write_bytes(ours, merged)
    if merged == lockmerge.STALE:
        console.note(f"{path}: neither side has run what the merge has; the stage runs again with 'pivot repro'")
