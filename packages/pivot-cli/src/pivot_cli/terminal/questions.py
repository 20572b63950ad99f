"""Questions with the answers yes and no, asked on the terminal before something is deleted."""

import sys

import click


def confirm(question: str) -> bool:
    """Ask; no answer means no.

    Raises:
        UsageError: Stdin is not a terminal, so that nobody can answer.
    """
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked, since stdin is not a terminal: --yes agrees in advance")
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        return False
