"""`pivot get`."""

import os
import pathlib
import sys
from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import require_descriptors, working_directory
from pivot_cli.terminal import console, formats
from pivot_cli.terminal.progress import TransferProgress
from pivot_runtime.external.get import Destination, get

_EXAMPLES: Final = """\b
Examples:
  pivot get model.json --rev v1.0           Write the model of a tag here.
  pivot get summary.json --rev HEAD~2 -o -  Print an older result.
  pivot get model.json --repo ../registry   Write that of another repository.
"""


@click.command("get", epilog=_EXAMPLES)
@click.argument("out", metavar="OUT", shell_complete=options.complete_targets)
@click.option(
    "--rev",
    metavar="REV",
    shell_complete=options.complete_revisions,
    help="A branch, a tag or a commit; by default the current records.",
)
@click.option("--repo", metavar="REPO", help="Read another git repository: its URL, or its directory.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, or into the directory FILE; - prints a file.")
@click.option("-f", "--force", is_flag=True, help="Replace an existing file.")
def command(out: str, *, rev: str | None, repo: str | None, output: str | None, force: bool) -> int:
    """Write the recorded content of an out or of tracked data to a file.

    OUT is a path, or a stage with one out. The content comes from the cache or a remote, and for outs in git from git.
    No record changes: 'pivot import' keeps the connection to the source. With --repo, OUT is a path in that repository,
    whose default branch is read unless --rev names another revision; no code of it runs.
    """
    require_descriptors()
    path = None if output in (None, "-") else pathlib.Path(output or "")
    into = (output or "").endswith("/")
    destination = Destination(path, sys.stdout.buffer if output == "-" else None, force, into)
    with signals.raise_on_termination(), TransferProgress("fetching") as progress:
        done = get(working_directory(), os.environ, out, destination, rev=rev, repository=repo, progress=progress)
    if done.target is not None:
        at = "" if done.commit is None else f" at {done.commit[:10]}"
        written = os.path.relpath(done.target, working_directory())
        console.line(f"Wrote {written}: {done.path}{at}, {formats.size(done.artifact.size)}")
    return 0
