"""`pivot logs`."""

import contextlib
import sys

import click

from pivot_cli import console, place
from pivot_cli.completion import Target
from pivot_engine import logs


@click.command("logs")
@click.argument("stage", metavar="STAGE", type=Target())
@click.option("-n", "--lines", type=click.IntRange(min=1), metavar="N", help="Only the last N lines.")
@click.option(
    "--back",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Not of the last run, but of the one N runs before it; of each stage three earlier logs are kept.",
)
def command(stage: str, *, lines: int | None, back: int) -> int:
    """Print what a stage printed when it last ran.

    While it runs, what it has printed so far. Of more than 3 MB the beginning and the end are kept. Nothing is
    imported or changed.
    """
    log = logs.find(place.project().layout, stage, back=back)
    if log is None:
        console.note(f"no run of {stage!r} on this machine has printed anything")
        return 0
    console.note(f"{log.relative_to(log.parents[3])}")
    if lines is not None:
        shown = logs.tail(log, lines)
        click.echo(shown, nl=bool(shown))
        return 0
    sys.stdout.flush()
    with contextlib.suppress(FileNotFoundError), log.open("rb") as file:
        frames = logs.Frames()
        for line in file:
            if frames.theirs(line.decode(errors="replace")):
                sys.stdout.buffer.write(line)
    return 0
