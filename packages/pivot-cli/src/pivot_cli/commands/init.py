"""`pivot init`."""

import sys

import click

from pivot_cli import options
from pivot_cli.context import working_directory
from pivot_cli.terminal import console
from pivot_runtime.git import repository
from pivot_runtime.project.project import init

_MOST = 3


@click.command("init")
@click.option("--git", is_flag=True, help="Let Pivot merge lock files for git, in this clone.")
@options.quiet
def command(*, git: bool, quiet: bool) -> None:
    """Make the current directory the root of a project.

    The command creates .pivot/ for the cache, the state and the lock files, and .pivotignore with patterns of files
    that need no watching. Existing files stay unchanged.

    --git adds a line to .gitattributes, which you commit, and a merge driver to the configuration of this clone.
    Everybody runs the command once in each clone.
    """
    directory = working_directory()
    if git:
        repository.require(directory)
    done = init(directory)
    lines = [f"Already a Pivot project: {directory}"]
    if done.created:
        lines = [f"Initialized a Pivot project in {directory}", *(f"  {created}" for created in done.created)]
    if git:
        # With -P, Python imports none of the repository's files as one of our modules.
        changed = repository.install(
            done.outer or directory, [sys.executable, "-P", "-m", "pivot_cli", "lock", "merge"]
        )
        lines += [
            f"Git merges lock files with Pivot{'' if changed else ' already'}",
            *(f"  {each}" for each in changed),
        ]
    for line in () if quiet else lines:
        console.line(line)
    for inner in done.inner[:_MOST]:
        console.warning(f"{inner} is also a project, and is now part of this one: its recorded runs no longer count")
    if done.inner:
        console.hint(f"remove {directory / '.pivot'} and {directory / '.pivotignore'} if you did not intend this")
    if done.outer is not None:
        console.warning(
            f"{done.outer}, which contains it, is also a Pivot project, and remains the root of everything in it"
        )
        console.hint(f"remove {directory / '.pivot'} if you did not intend to nest them")
    elif done.created and not quiet:
        if not repository.contains(directory):
            console.note("there is no git repository here; after 'git init', Pivot also keeps new outs out of git")
        console.hint("describe your stages in pipeline.py, then run 'pivot repro'")
