"""Where a command works: read here, at the edge, and nowhere else."""

import pathlib

import click

from pivot_core.errors import PivotError
from pivot_engine.origin import Origin
from pivot_engine.project import Project


def working_directory() -> pathlib.Path:
    """The directory that the command was given in.

    Raises:
        PivotError: It was removed.
    """
    try:
        return pathlib.Path.cwd()
    except FileNotFoundError:
        raise PivotError("the current directory no longer exists", hint="cd to one that does") from None


def project(overrides: tuple[str, ...] = ()) -> Project:
    """The project that the command was given in, with values of parameters that it was given.

    Raises:
        PivotError: There is none.
    """
    beginning = click.get_current_context().obj
    return Project.find(working_directory(), overrides, origin=Origin(*beginning) if beginning else None)
