"""`pivot update`."""

from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.reporting import imports
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal.progress import TransferProgress
from pivot_runtime.external.update import update

_EXAMPLES: Final = """\b
Examples:
  pivot update                      Bring in what has changed.
  pivot update --dry-run            Only ask the sources.
  pivot update model.json --rev v2  Follow another revision from now on.
"""


@click.command("update", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, metavar="[PATHS]...")
@click.option("--rev", metavar="REV", help="Follow this branch, tag or commit of the repository from now on.")
@click.option("-n", "--dry-run", is_flag=True, help="Ask the sources, but bring in nothing.")
@click.option("-f", "--force", is_flag=True, help="Replace data that were edited here; they are saved first.")
@options.as_json
def command(paths: tuple[str, ...], *, rev: str | None, dry_run: bool, force: bool, as_json: bool) -> int:
    """Bring in imported data again whose source has changed.

    Without PATHS, ask the sources of all data that 'pivot import' and 'pivot import-url' brought in. A repository is
    compared by its records, and a URL by what the server says of it; where that says nothing, the content is
    downloaded and compared.
    """
    context = command_context()
    with signals.raise_on_termination(), TransferProgress("fetching") as progress:
        done = update(context, paths, rev=rev, force=force, dry_run=dry_run, report=RunLines(), progress=progress)
    return imports.report_update(done, context.project, dry_run=dry_run, as_json=as_json)
