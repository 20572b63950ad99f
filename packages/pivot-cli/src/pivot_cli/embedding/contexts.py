"""Contexts of commands in a program that lives longer than they do, and that may have several threads."""

import pathlib
from collections.abc import Mapping

import attrs

from pivot_runtime.context import CommandContext, Notice, Notices

__all__ = ["embedded_context"]


def embedded_context(
    root: pathlib.Path, environment: Mapping[str, str], notices: list[Notice] | None = None
) -> CommandContext:
    """Return a context in which nothing has been read, for one question that a thread of this process asks.

    Nothing is printed for it, and this process is not forked: hosts are new interpreters.

    Args:
        root: The project's root.
        environment: The environment variables.
        notices: Gets the notices, as they are reported; by default they are dropped.

    Raises:
        DiscoveryError: There is no project any more.
        LinkError: One of Pivot's own files in it is a symbolic link.
    """
    collected = Notices() if notices is None else Notices(notices.append)
    return attrs.evolve(CommandContext.find(root, environment), notices=collected)
