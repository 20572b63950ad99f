"""Arguments and options that several commands share, so that they mean the same everywhere."""

import os
import re
from collections.abc import Callable
from typing import Any, Final

import click

from pivot_cache.objects.store import CheckoutMode
from pivot_cli.completion import Target
from pivot_runtime.config.settings import variable

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

targets = click.argument("targets", nargs=-1, metavar="[TARGETS]...", type=Target())
"""Stage names, addresses or out paths."""

stages = click.argument("stages", nargs=-1, metavar="[STAGES]...", type=Target())
"""The same, for commands that look at single stages."""


def _import_anew(_: click.Context, __: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click's signature
    if value:
        os.environ[variable("snapshot")] = "off"


def everything[F: Callable[..., object]](command: F) -> F:
    """Not only the pipeline of the current directory; and whether what has not changed is imported again."""
    anew = click.option(
        "--no-snapshot",
        is_flag=True,
        expose_value=False,
        callback=_import_anew,
        help="Import the pipelines again, even if nothing has changed since the last import.",
    )
    every = click.option(
        "-a", "--all", "everything", is_flag=True, help="Load every pipeline under the project's root."
    )
    return every(anew(command))


overrides = click.option(
    "-p",
    "--param",
    "overrides",
    multiple=True,
    metavar="STAGE.NAME=VALUE",
    help="Set a parameter of a stage for this command.",
)
"""Values of parameters, for `Project`."""

checkout_mode = click.option(
    "--checkout-mode",
    type=click.Choice(["copy", "hardlink", "symlink"]),
    help="How to create files from the cache.  [default: cache.checkout_mode, else copy]",
)
"""How files are made from objects; no other is tried where it does not work."""


def mode_of(chosen: str | None) -> CheckoutMode | None:
    """The mode that was asked for, if any."""
    return None if chosen is None else CheckoutMode(chosen)


def age(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """How long ago, in ns, as the callback of an option: ``30d``, ``12h``, ``2w``, ``45m``, ``10s`` or ``0``."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,6})([smhdw])|0", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is not an age; write it as 30d, 12h or 2w")
    return int(match[1] or 0) * _SECONDS[match[2] or "s"] * 1_000_000_000


everywhere = click.option(
    "--global", "user", is_flag=True, help="Use your own file, for all projects, instead of the project's."
)
"""Which file of settings is meant."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
"""Data for programs."""

_TELLING: Final = (
    click.option("--explain", is_flag=True, help="Show in detail why each stage runs."),
    click.option("-q", "--quiet", is_flag=True, help="Print only problems."),
    click.option(
        "-v", "--verbose", is_flag=True, help="Same as --explain, and show the resources that each stage used."
    ),
    click.option("--jsonl", is_flag=True, help="Print events on stdout, one line of JSON each."),
)


def telling[F: Callable[..., Any]](command: F) -> F:
    """How much a run reports, and in which form: the fields of `Telling`."""
    for option in reversed(_TELLING):
        command = option(command)
    return command


remote = click.option(
    "-r", "--remote", metavar="NAME", help="The remote to use.  [default: default_remote, or the only one]"
)
"""Which remote."""

transfers = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of parallel transfers.  [default: remote.jobs, else 20]",
)
"""How many transfers go on at once."""

refresh = click.option("--refresh", is_flag=True, help="Ask the remote about every object, even about known ones.")
"""Whether what is known of the remote counts."""
