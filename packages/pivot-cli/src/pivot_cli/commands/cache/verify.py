"""`pivot cache verify`."""

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from pivot_cli import signals
from pivot_cli.context import command_context
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import ObjectProgress, TransferProgress
from pivot_cli.views import cache
from pivot_runtime.maintenance.verify import verify

if TYPE_CHECKING:
    from pivot_cache.errors import CacheError
    from pivot_runtime.maintenance.verify import Fetch

_EXAMPLES: Final = """\b
Examples:
  pivot cache verify --fast    Look for missing objects only.
  pivot cache verify --repair  Bring back what is bad or missing.
"""


def _fetch() -> "Fetch":
    """Return the function that fetches artifacts from the default remote, with progress and warnings."""
    from pivot_runtime.sharing.transfer import fetch_from_default  # lazy

    return lambda stores, artifacts: _report(partial(fetch_from_default, stores, artifacts))


def _report(fetch: "Callable[[TransferProgress], CacheError | None]") -> None:
    with TransferProgress("fetching") as progress:
        stopped = fetch(progress)
    if stopped is not None:
        console.warning(f"some artifacts could not be requested: {stopped}")


@click.command("verify", epilog=_EXAMPLES)
@click.option("--full/--fast", default=True, help="Read all bytes, or only ask the file system.  [default: full]")
@click.option("--repair", is_flag=True, help="Restore or fetch bad and missing content.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, full: bool, repair: bool, as_json: bool) -> int:
    """Verify that the cache is complete and undamaged.

    The command reads every object, and moves damaged ones to the quarantine. It also checks that all objects are
    there that the lock files and .pvt files of the workspace name. --repair takes bad or missing content from the
    workspace or fetches it from the remote; otherwise the command lists the stages to run again. It exits with 1 if
    something is bad or missing, and with 3 if something could not be read.
    """
    context = command_context()
    with signals.raise_on_termination(), ObjectProgress("checking") as progress:
        found = verify(
            context,
            full=full,
            repair=repair,
            fetch=_fetch() if repair else None,
            report=RunLines(),
            progress=progress,
        )
    if as_json:
        console.data(json.dumps(cache.verify_json(found), indent=2))
    else:
        console.data(cache.verify_text(found))
    for line in cache.verify_errors(found, context.project):
        console.error(line)
    hint = cache.verify_hint(found, full=full, repair=repair)
    if hint:
        console.hint(hint)
    if not found.good:
        return 1
    return 0 if found.report.certain else 3
