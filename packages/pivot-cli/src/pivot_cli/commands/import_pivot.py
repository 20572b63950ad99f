"""`pivot import-pivot`."""

import json
from typing import Any, Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import HashProgress
from pivot_runtime.earlier.import_pivot import EarlierData, EarlierProject, Outcome, import_pivot

_EXAMPLES: Final = """\b
Examples:
  pivot import-pivot --dry-run  List what it would take over, and what not.
  pivot import-pivot            Track the data again.
"""

_TRACKED: Final = {Outcome.TRACKED: "the data are as recorded", Outcome.RESTORED: "restored from the earlier cache"}
_LEFT: Final = {
    Outcome.CHANGED: ("the data have changed since", "'pivot track {data}' records them as they are now"),
    Outcome.ABSENT: (
        "the data are neither here nor in the earlier cache",
        "put them there and repeat the command, or delete {file}",
    ),
    Outcome.UNREADABLE: ("{problem}", "'pivot track' the data again"),
    Outcome.REFUSED: ("{problem}", "{hint}"),
}


@click.command("import-pivot", epilog=_EXAMPLES)
@click.option("-n", "--dry-run", is_flag=True, help="Only print what would happen.")
@options.as_json
def command(*, dry_run: bool, as_json: bool) -> int:
    """Take over the tracked data of Pivot 0.1 to 0.5.

    The command compares the data of each .pvt file of that time with the digest there, copies absent ones from the
    cache of that time, and tracks them again. It lists what it leaves as it is: data that have changed or are lost, and
    lock files, whose digests of code cannot be compared any more. It exits with 1 if it leaves data.
    """
    context = command_context()
    with signals.raise_on_termination(), HashProgress():
        found = import_pivot(context, dry_run=dry_run, report=RunLines())
    if as_json:
        console.data(json.dumps(_as_json(found), indent=2))
    else:
        _print(found, dry_run=dry_run)
    return int(any(not each.kept for each in found.data))


def _print(found: EarlierProject, *, dry_run: bool) -> None:
    if not found.data and not found.locks:
        console.line("Nothing of an earlier Pivot is here")
        return
    for each in found.data:
        _print_data(each, "would track" if dry_run else "tracked")
    if found.locks:
        console.line("Lock files of that time cannot be kept:")
    for lock in found.locks:
        console.line(f"  {lock.stage}: {lock.current} of {lock.outs} outs are here as recorded ({lock.file})")
    if found.locks:
        console.hint(
            "'pivot repro' runs these stages once; 'pivot commit STAGE' accepts outs that you know are current. "
            "Then delete these lock files"
        )
    if not dry_run and any(each.kept for each in found.data):
        console.hint("commit the changed .pvt and .gitignore files")


def _print_data(each: EarlierData, verb: str) -> None:
    data = each.data
    if each.kept:
        console.line(f"{verb}  {data}  {_TRACKED[each.outcome]}")
    else:
        words = {"data": data, "file": each.file, "problem": each.problem}
        words["hint"] = f"{each.hint}; then repeat the command" if each.hint else "repeat the command after that"
        problem, hint = (text.format(**words) for text in _LEFT[each.outcome])
        console.line(f"left  {each.file}  {problem}")
        console.hint(hint)
    if each.source is not None:
        repository, revision, path = each.source
        console.hint(f"{data} came from {path} of {repository} at {revision}: 'pivot import' records that again")


def _as_json(found: EarlierProject) -> dict[str, Any]:
    return {
        "data": [
            {"file": each.file, "outcome": each.outcome.value, "kept": each.kept, "problem": each.problem or None}
            for each in found.data
        ],
        "locks": [
            {"file": each.file, "stage": each.stage, "outs": each.outs, "current_outs": each.current}
            for each in found.locks
        ],
    }
