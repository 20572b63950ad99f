"""`pivot init`."""

import pathlib
import sys
from typing import Final

import click

from pivot_cli import options
from pivot_cli.context import working_directory
from pivot_cli.docs import example as quick_start
from pivot_cli.terminal import console
from pivot_core.discovery import DECLARED_FILE, PIPELINE_FILE
from pivot_runtime.git import repository
from pivot_runtime.project.project import Initialized, init

_MOST = 3
_EXAMPLES: Final = """\b
Examples:
  pivot init            Make this directory a project.
  pivot init --example  Make it one, with two stages to try.
  pivot init --git      Also let Pivot merge lock files for git.
"""

_DESCRIBE: Final = "describe your stages in pipeline.py, then run 'pivot repro'"


@click.command("init", epilog=_EXAMPLES)
@click.option("--git", is_flag=True, help="Let Pivot merge lock files for git, in this clone.")
@click.option("--example", is_flag=True, help="Also create the pipeline of the quick start, to try Pivot with.")
@options.quiet
def command(*, git: bool, example: bool, quiet: bool) -> None:
    """Make the current directory the root of a project.

    The command creates .pivot/ for the cache, the state and the lock files, and .pivotignore with patterns of files
    that need no watching. Existing files stay unchanged.

    --example also creates pipeline.py and data.json as in the quick start ('pivot docs quick-start'). It replaces no
    file.

    --git adds a line to .gitattributes, which you commit, and a merge driver to the configuration of this clone.
    Everybody runs the command once in each clone.
    """
    directory = working_directory()
    if git:
        repository.require(directory)
    if example:
        quick_start.require_place(directory)
    done = init(directory)
    lines = _summary(directory, done)
    if example:
        lines += [f"  {name}" for name in quick_start.write(directory)]
    if git:
        lines += _install_merge_driver(done.outer or directory)
    for line in () if quiet else lines:
        console.line(line)
    _report_others(directory, done)
    if done.outer is not None or quiet:
        return
    if done.created and not repository.contains(directory):
        console.note("there is no git repository here; after 'git init', Pivot also keeps new outs out of git")
    if example:
        console.hint("'pivot repro' runs its two stages; after an edit, 'pivot status --explain' says what has changed")
    elif done.created:
        console.hint(_next_step(directory))


def _next_step(directory: pathlib.Path) -> str:
    if (directory / ".dvc").is_dir():
        return "'pivot import-dvc' takes the stages, data and results of the DVC project here over"
    found = [name for name in (PIPELINE_FILE, DECLARED_FILE) if (directory / name).is_file()]
    return f"'pivot repro' runs the stages of {found[0]}" if found else _DESCRIBE


def _summary(directory: pathlib.Path, done: Initialized) -> list[str]:
    if done.created:
        return [f"Initialized a Pivot project in {directory}", *(f"  {created}" for created in done.created)]
    return [f"Already a Pivot project: {directory}"]


def _install_merge_driver(root: pathlib.Path) -> list[str]:
    # With -P, Python imports none of the repository's files as one of our modules.
    changed = repository.install(root, [sys.executable, "-P", "-m", "pivot_cli", "lock", "merge"])
    return [f"Git merges lock files with Pivot{'' if changed else ' already'}", *(f"  {each}" for each in changed)]


def _report_others(directory: pathlib.Path, done: Initialized) -> None:
    """Warn of projects around this one and in it."""
    for inner in done.inner[:_MOST]:
        console.warning(f"{inner} is also a project, and is now part of this one: its recorded runs no longer count")
    if done.inner:
        console.hint(f"remove {directory / '.pivot'} and {directory / '.pivotignore'} if you did not intend this")
    if done.outer is not None:
        console.warning(
            f"{done.outer}, which contains it, is also a Pivot project, and remains the root of everything in it"
        )
        console.hint(f"remove {directory / '.pivot'} if you did not intend to nest them")
