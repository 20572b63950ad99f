"""Arguments and options that several commands share, so that they mean the same everywhere."""

import click

from pivot_cache.store import CheckoutMode

targets = click.argument("targets", nargs=-1, metavar="[TARGETS]...")
"""Stage names, addresses or out paths."""

stages = click.argument("stages", nargs=-1, metavar="[STAGES]...")
"""The same, for commands that look at single stages."""

checkout_mode = click.option(
    "--checkout-mode",
    type=click.Choice(["copy", "hardlink", "symlink"]),
    help="How files are made from the cache.  [default: cache.checkout_mode, else copy]",
)
"""How files are made from objects; no other is tried where it does not work."""


def mode_of(chosen: str | None) -> CheckoutMode | None:
    """The mode that was asked for, if any."""
    return None if chosen is None else CheckoutMode(chosen)
