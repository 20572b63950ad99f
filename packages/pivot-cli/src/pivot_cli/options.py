"""Arguments and options that several commands share, so that they mean the same everywhere."""

import click

targets = click.argument("targets", nargs=-1, metavar="[TARGETS]...")
"""Stage names, addresses or out paths."""

stages = click.argument("stages", nargs=-1, metavar="[STAGES]...")
"""The same, for commands that look at single stages."""
