"""Runs by the name ``run:12``, and the result that is recorded of each."""

import math
import re
from collections.abc import Iterable
from typing import Final

from pivot_cache.layout import Layout
from pivot_cache.state.results import Result, Results
from pivot_runtime.errors import HistoryError, RevisionError
from pivot_runtime.history import history, journal
from pivot_runtime.history.history import PastRun
from pivot_runtime.project import identity
from pivot_runtime.project.project import Project

_NAME: Final = re.compile(r"run:([0-9]{1,15})")
_SAME_S: Final = 0.002
"""Results have the duration of their run in whole milliseconds."""
_ROUNDED_S: Final = 0.005


def number_of(name: str | None) -> int | None:
    """The run that a user means with a name; None if it is the name of something else."""
    found = _NAME.fullmatch(name or "")  # git has no branch or tag with a colon
    return None if found is None else int(found[1])


def read_result(project: Project, layout: Layout, number: int) -> Result:
    """The result of a run.

    Args:
        project: The project.
        layout: The layout of its files, with the cache that it uses.
        number: The number of the run.

    Raises:
        HistoryError: There is no such run.
        RevisionError: No result of it is recorded, or several are.
        CacheError: The results cannot be read.
    """
    past = history.run(project, number)
    found = None
    if past.state == "done" and not _is_sweep(past):
        found = result_of(past, _next_end(project, number), _own(layout))
    if found is None:
        raise _no_result(past)
    return found


def result_of(past: PastRun, next_end: float, recorded: Iterable[Result]) -> Result | None:
    """The result that was written at the end of a run; None if it is not among these.

    It is written after the end of the run, and before another run may begin its work, which ends at ``next_end``.
    """
    end = past.time + past.seconds
    fitting = [
        each
        for each in recorded
        if abs(each.seconds - past.seconds) <= _SAME_S and end - _ROUNDED_S <= each.time < next_end
    ]
    return min(fitting, key=lambda each: each.time, default=None)


def _next_end(project: Project, number: int) -> float:
    """The end of the run after this one, in seconds since the epoch."""
    for later in journal.numbers(project.layout.history_dir):
        if later > number:
            try:
                following = history.run(project, later)
            except HistoryError:
                continue
            return following.time + following.seconds
    return math.inf


def _own(layout: Layout) -> Iterable[Result]:
    project = "" if layout.cache is None else identity.known(layout)
    return (each for each in Results(layout.results_dir).read().values() if each.project == project)


def _is_sweep(past: PastRun) -> bool:
    return any(stage.combination for stage in past.stages)


def _no_result(past: PastRun) -> RevisionError:
    if past.state == "running":
        return RevisionError(f"run {past.number} has not ended", hint="wait for its end")
    if _is_sweep(past):
        return RevisionError(
            f"run {past.number} has a result for each combination", hint="'pivot results' compares them"
        )
    if past.state != "done":
        return RevisionError(
            f"run {past.number} left no result: it is {past.state}",
            hint="complete runs are recorded: see 'pivot history'",
        )
    return RevisionError(
        f"no result of run {past.number} is recorded",
        hint="'pivot repro' records runs of stages with parameters or metrics; a later run with the same result "
        "replaces an earlier one, and 'pivot results' lists what is recorded",
    )
