"""`pivot import-dvc`."""

import json
from pathlib import Path
from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import config_store
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import HashProgress
from pivot_cli.views import dvc_import
from pivot_runtime.dvc_import.import_dvc import ImportOptions, import_dvc

_EXAMPLES: Final = """\b
Examples:
  pivot import-dvc --dry-run  Show what would be carried.
  pivot import-dvc            Import the project here.
  pivot import-dvc --keep     Import it after edits of its pivot.yaml.
"""


@click.command("import-dvc", epilog=_EXAMPLES)
@click.argument("directory", required=False, metavar="[DIR]", type=click.Path(exists=True, file_okay=False))
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done; change nothing.")
@click.option("-f", "--force", is_flag=True, help="Replace other pivot.yaml and .pvt files.")
@click.option("--keep", is_flag=True, help="Keep other pivot.yaml files as they are, and import the rest.")
@click.option("--script-deps", is_flag=True, help="Keep Python scripts among the deps: all edits count, even comments.")
@options.as_json
def command(directory: str | None, *, dry_run: bool, force: bool, keep: bool, script_deps: bool, as_json: bool) -> int:
    """Take a DVC project over: stages, data, cache, settings and results.

    The command writes a pivot.yaml for each dvc.yaml and a .pvt file for each .dvc file, copies what they need from
    DVC's cache, and records the runs in dvc.lock that still hold, so that nothing runs again. It changes no file of
    DVC's and needs no DVC. It lists what it could not carry, and then exits with code 1.

    Python scripts among the deps of the stages that run them are left out, as Pivot follows their code: comments and
    formatting do not count.

    If it is interrupted, repeat it.
    """
    if force and keep:
        raise click.UsageError("--force and --keep exclude each other")
    store = config_store()
    wanted = ImportOptions(dry_run=dry_run, force=force, keep=keep, script_deps=script_deps)
    with signals.raise_on_termination(), HashProgress():
        done = import_dvc(store.cwd / Path(directory or "."), store.environment, wanted, report=RunLines())
    if as_json:
        console.data(json.dumps(dvc_import.as_json(done, dry_run=dry_run), indent=2))
    else:
        console.data(dvc_import.as_text(done, dry_run=dry_run))
    return 1 if any(each.needs_work for each in done.leftovers) else 0
