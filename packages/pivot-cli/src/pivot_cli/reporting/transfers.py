"""Prints transfers and their results."""

import itertools
from collections.abc import Sequence

import attrs

from pivot_cli.error_topics import GENERAL, topic_of
from pivot_cli.terminal import console, formats
from pivot_cli.terminal.progress import TransferProgress
from pivot_runtime.context import CommandContext
from pivot_runtime.project.project import Project
from pivot_runtime.sharing import transfer
from pivot_runtime.sharing.transfer import TransferOptions, TransferReport

_CACHE = "the cache"


def fetch(context: CommandContext, targets: Sequence[str], options: TransferOptions) -> TransferReport:
    """Fetch with progress; warn if shared results could not be looked up."""
    with TransferProgress("fetching") as progress:
        report = transfer.fetch(context, targets, attrs.evolve(options, progress=progress))
    if report.not_asked is not None:
        console.warning(f"shared results were not looked up: {report.not_asked}")
    return report


def report_push(report: TransferReport, project: Project, *, dry_run: bool, silent: bool = False) -> int:
    """Print the result of a push, or only its problems if it is ``silent``; return the exit code."""
    _report_problems(report, project, _CACHE)
    if silent:
        return _exit_code(report)
    for path, size in report.planned.items():
        console.line(f"would push  {project.from_cwd(path)}  {formats.size(size)}")
    _report_counts("Would push to" if dry_run else "Pushed to", report, dry_run=dry_run)
    if report.runs:
        console.data(f"Shared {formats.counted(report.runs, 'run record')}")
    return _exit_code(report)


def report_fetch(report: TransferReport, project: Project, *, dry_run: bool, silent: bool = False) -> int:
    """Print the result of a fetch, or only its problems if it is ``silent``; return the exit code."""
    _report_problems(report, project, repr(report.remote))
    if silent:
        return _exit_code(report)
    for path, size in report.planned.items():
        console.line(f"would fetch  {project.from_cwd(path)}  {formats.size(size)}")
    _report_counts("Would fetch from" if dry_run else "Fetched from", report, dry_run=dry_run)
    if report.runs:
        fetched = "Would fetch" if dry_run else "Fetched"
        results = formats.counted(report.runs, "shared result")
        console.data(f"{fetched} {results} for the current inputs, for 'pivot repro' to restore")
    return _exit_code(report)


def _report_problems(report: TransferReport, project: Project, source: str) -> None:
    if report.outcome.stopped is not None:
        console.failure(report.outcome.stopped)
    else:
        _report_failures(report, project)
    _report_missing(report, project, source)


def _report_failures(report: TransferReport, project: Project) -> None:
    for line in formats.first_ten([f"{project.from_cwd(path)}: {error}" for path, error in report.failed.items()]):
        console.error(line)
    reported = list(itertools.islice(report.failed.values(), formats.FIRST))
    for hint in dict.fromkeys(error.hint for error in reported if error.hint):
        console.hint(hint)
    for topic in dict.fromkeys(map(topic_of, reported)):
        console.docs(topic)


def _report_missing(report: TransferReport, project: Project, source: str) -> None:
    lines = [f"{project.from_cwd(path)}: {source} does not have it" for path in report.missing]
    for line in formats.first_ten(lines, f" that {source} does not have"):
        console.error(line)
    if report.missing and source == _CACHE:
        console.hint("'pivot cache verify --repair' takes it from the workspace, 'pivot repro' computes it again")
    elif report.missing:
        console.hint("'pivot repro' computes it again; 'pivot push --refresh' where it was made shares it")
    if report.missing:
        console.docs(f"{GENERAL}#object-missing")


def _report_counts(verb: str, report: TransferReport, *, dry_run: bool) -> None:
    """Print ``Pushed to 'origin': 3 transferred, 0 skipped, 0 failed`` on stdout."""
    result = report.outcome
    counts = f"{len(result.transferred)} {'to transfer' if dry_run else 'transferred'}"
    missing = f", {len(result.missing)} missing" if result.missing else ""
    console.data(
        f"{verb} {report.remote!r}: {counts}, {len(result.present)} skipped, {len(result.failed)} failed{missing}"
    )
    if not (result.stopped or result.transferred or result.present or result.missing or result.failed):
        console.hint("nothing is recorded: 'pivot repro' writes .pivot/stages/*.lock, and git brings those of others")


def _exit_code(report: TransferReport) -> int:
    if report.outcome.stopped is not None:
        return report.outcome.stopped.exit_code
    return 0 if report.complete else 1
