"""`pivot init`."""

import click

from pivot_cli import console
from pivot_cli.group import working_directory
from pivot_engine.project import init


@click.command("init")
def command() -> None:
    """Make this directory the root of a project.

    Creates .pivot/ for the cache, the state and the lock files, and .pivotignore with
    patterns of files that need no watching. What is there already stays as it is.
    """
    directory = working_directory()
    done = init(directory)
    if done.created:
        click.echo(f"Initialized a Pivot project in {directory}")
        for created in done.created:
            click.echo(f"  {created}")
    else:
        click.echo(f"Already a Pivot project: {directory}")
    if done.outer is not None:
        console.warning(f"{done.outer} around it is a Pivot project too, and stays the root of all below it")
        console.hint(f"remove {directory / '.pivot'} if you did not mean to nest them")
    elif done.created:
        console.hint("describe your stages in pipeline.py, then run 'pivot repro'")
