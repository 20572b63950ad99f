"""Finds out what a report contains, and what cannot be known, without running anything."""

import itertools
import platform
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pivot_cli.pages.report import ReportFacts
from pivot_cli.version import version_line
from pivot_core.errors import PivotError
from pivot_runtime.comparing.heads import table_heads
from pivot_runtime.comparing.metrics import PullOptions, metrics
from pivot_runtime.comparing.params import params
from pivot_runtime.comparing.plots import plots
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import GitSetupError, RevisionError
from pivot_runtime.git import commits
from pivot_runtime.history import history
from pivot_runtime.inspecting.overview import overview
from pivot_runtime.inspecting.status import Status, StatusOptions, status

_RUNS: Final = 10


def report_facts(context: CommandContext, revisions: Sequence[str], options: PullOptions) -> ReportFacts:
    """Return the content of a report.

    Args:
        context: The context of the command.
        revisions: The revisions to compare; one is compared with the workspace, and HEAD if none is given.
        options: Whether to fetch what the cache lacks.

    Raises:
        RevisionError: There is no such revision.
        PivotError: Git or the remote fails.
    """
    sides = _sides(context, revisions)
    problems: list[tuple[str, str | None]] = []

    def known[T](find: Callable[[], T], what: str) -> T | None:
        try:
            return find()
        except PivotError as error:
            problems.append((f"{what}: {error}", error.hint))
            return None

    drawn = plots(context, sides, (), options)  # first, as it reports pipelines that cannot be imported

    def stages() -> Status:
        for error in context.failed_load:
            raise error
        return status(context, (), StatusOptions(all_pipelines=True, quiet=True, stats=True))

    found = known(stages, "stages")
    graph = known(lambda: overview(context, all_pipelines=True), "graph") if found is not None else None
    values = metrics(context, sides, (), options)
    return ReportFacts(
        title=f"{context.project.root.name}: report",
        sides=values.sides,
        status=found,
        overview=graph,
        metrics=values,
        params=known(lambda: params(context, sides), "parameters"),
        plots=drawn,
        heads=table_heads(context, sides),
        runs=tuple(itertools.islice(history.runs(context.project), _RUNS)),
        environment=tuple(_environment(context, found)),
        problems=tuple(problems),
    )


def _sides(context: CommandContext, revisions: Sequence[str]) -> Sequence[str | None]:
    if len(revisions) > 1:
        return revisions
    if revisions:
        return (*revisions, None)
    return ("HEAD", None) if _head(context) else (None,)


def _head(context: CommandContext) -> str:
    """Return the id of the last commit; empty without a repository or a commit in it."""
    try:
        with commits.CommitReader.opened(context.project.root) as reader:
            return reader.commit("HEAD")
    except (GitSetupError, RevisionError):
        return ""


def _environment(context: CommandContext, found: Status | None) -> Iterator[tuple[str, str]]:
    """Yield the commit, and the versions of everything that is known to matter; no values of variables."""
    commit = _head(context)
    if commit:
        yield "commit", commit
    yield "Pivot", version_line().removeprefix("pivot ")
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()})"
    yield "system", platform.platform()
    versions: dict[str, str] = {}
    for stage in found.stages if found is not None else ():
        if stage.evaluation.lock is not None:
            versions |= {name: use.version for name, use in stage.evaluation.lock.libraries.items()}
    yield from sorted(versions.items())
