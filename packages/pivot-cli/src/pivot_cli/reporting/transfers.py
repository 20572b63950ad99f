"""Prints transfers and their results."""

from collections.abc import Sequence

import attrs

from pivot_cli.terminal import console, formats
from pivot_cli.terminal.progress import TransferProgress
from pivot_runtime.project.project import Project
from pivot_runtime.sharing import transfer
from pivot_runtime.sharing.remote_client import TransferOptions
from pivot_runtime.sharing.transfer import TransferReport

_MOST = 10
_CACHE = "the cache"


def fetched(project: Project, targets: Sequence[str], options: TransferOptions) -> TransferReport:
    """Fetch and show the progress; warn where results of others could not be asked for."""
    with TransferProgress("fetching") as progress:
        report = transfer.fetch(project, targets, attrs.evolve(options, progress=progress))
    if report.not_asked is not None:
        console.warning(f"results of others were not looked up: {report.not_asked}")
    return report


def told(done: str, would: str, moved: TransferReport, project: Project, *, dry_run: bool) -> int:
    """Print the result of a transfer; returns the exit code.

    ``Pushed to 'origin': 3 transferred, 0 skipped, 0 failed`` goes to stdout, what is wrong to stderr.
    """
    outcome = moved.outcome
    if outcome.stopped is not None:
        console.failure(outcome.stopped)
    else:
        _failures(moved, project)
    _missing(moved, project, _CACHE if done.startswith("Pushed") else repr(moved.remote))
    for path, size in moved.planned.items():
        console.data(
            f"would {'push' if done.startswith('Pushed') else 'fetch'}  {project.shown(path)}  {formats.size(size)}"
        )
    counts = f"{len(outcome.transferred)} {'to transfer' if dry_run else 'transferred'}"
    missing = f", {len(outcome.missing)} missing" if outcome.missing else ""
    console.data(
        f"{would if dry_run else done} {moved.remote!r}: {counts}, {len(outcome.present)} skipped, "
        f"{len(outcome.failed)} failed{missing}"
    )
    if not (outcome.stopped or outcome.transferred or outcome.present or outcome.missing or outcome.failed):
        console.hint("nothing is recorded: 'pivot repro' writes .pivot/stages/*.lock, and git brings those of others")
    if moved.runs:
        console.data(_results(moved.runs, pushed=done.startswith("Pushed"), dry_run=dry_run))
    if outcome.stopped is not None:
        return outcome.stopped.exit_code
    return 0 if moved.complete else 1


def _results(number: int, *, pushed: bool, dry_run: bool) -> str:
    if pushed:
        return f"Shared {formats.counted(number, 'run record')}"
    took = "Would take" if dry_run else "Took"
    found = formats.counted(number, "result")
    return f"{took} {found} of others for the inputs that are here, for 'pivot repro' to restore"


def _failures(moved: TransferReport, project: Project) -> None:
    shown = list(moved.failed.items())[:_MOST]
    for path, error in shown:
        console.error(f"{project.shown(path)}: {error}")
    if len(moved.failed) > _MOST:
        console.error(f"and {len(moved.failed) - _MOST} more")
    for hint in dict.fromkeys(error.hint for _, error in shown if error.hint):
        console.hint(hint)


def _missing(moved: TransferReport, project: Project, where: str) -> None:
    for path in moved.missing[:_MOST]:
        console.error(f"{project.shown(path)}: {where} does not have it")
    if len(moved.missing) > _MOST:
        console.error(f"and {len(moved.missing) - _MOST} more that {where} does not have")
    if moved.missing and where == _CACHE:
        console.hint("'pivot cache verify --repair' takes it from the workspace, 'pivot repro' computes it again")
    elif moved.missing:
        console.hint("'pivot repro' computes it again; 'pivot push --refresh' where it was made shares it")
