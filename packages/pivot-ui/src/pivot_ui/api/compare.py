"""Two sides beside each other: git revisions, runs, or the workspace."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pivot_cli.comparing.values import METRICS, PARAMS, diff_json
from pivot_cli.embedding.contexts import embedded_context
from pivot_cli.pages.plots import plots_json
from pivot_core.lock import Artifact
from pivot_runtime.artifacts.records import Record
from pivot_runtime.comparing.metrics import metrics
from pivot_runtime.comparing.params import params
from pivot_runtime.comparing.plots import plots
from pivot_runtime.comparing.revisions import WORKSPACE, Revisions
from pivot_runtime.context import CommandContext, Notice
from pivot_runtime.errors import GitSetupError, HistoryError, RevisionError
from pivot_ui.api.query import Query
from pivot_ui.errors import BadQueryError, NothingThereError
from pivot_ui.project import ProjectService

__all__ = ["missing_sides", "read_compare", "side_of"]

_MOST_OUTS: Final = 5000


def read_compare(service: ProjectService, query: Query) -> dict[str, Any]:
    """Return parameters, metrics, outs and plots of ``left`` and ``right``: a revision, ``run:N`` or ``workspace``.

    A part that cannot be read is among the problems, and the rest is there.

    Raises:
        NothingThereError: There is no such revision, run, or result of a run.
        PivotError: A part cannot be compared at all.
    """
    names = query.text("left"), query.text("right")
    sides = [side_of(name) for name in names]
    notices: list[Notice] = []
    context = embedded_context(service.root, service.environment, notices)
    with missing_sides():
        outs = _outs(context, sides)
    values = params(context, sides)
    measured = metrics(context, sides)
    drawn = plots(context, sides)
    told = ((notice.text, notice.hint) for notice in notices)
    problems = dict([*values.problems, *measured.problems, *drawn.problems, *told])
    return {
        "left": names[0],
        "right": names[1],
        "params": diff_json(values, PARAMS, every=True)["params"],
        "metrics": diff_json(measured, METRICS, every=True)["metrics"],
        "outs": outs[:_MOST_OUTS],
        "plots": plots_json(drawn),
        "problems": [{"error": error, "hint": hint} for error, hint in problems.items()],
    }


@contextlib.contextmanager
def missing_sides() -> Iterator[None]:
    """Turn the errors of revisions that do not exist into those of missing things."""
    try:
        yield
    except (GitSetupError, HistoryError, RevisionError) as error:
        raise NothingThereError(str(error), hint=error.hint) from None


def side_of(name: str) -> str | None:
    """Return the name of a revision or run; None for the workspace.

    Raises:
        BadQueryError: It is empty.
    """
    if not name.strip():
        raise BadQueryError("a revision has no name")
    return None if name == WORKSPACE else name


def _outs(context: CommandContext, sides: Sequence[str | None]) -> list[dict[str, Any]]:
    """Return the outs that stages wrote, as the lock files of each side record them."""
    with Revisions.opened(context) as revisions:
        left, right = (_written(revisions.read(side).records.by_path) for side in sides)
    return [_out(path, left.get(path), right.get(path)) for path in sorted({*left, *right})]


def _written(found: Mapping[Any, Record]) -> dict[str, Record]:
    return {str(path): record for path, record in found.items() if record.address is not None}


def _out(path: str, left: Record | None, right: Record | None) -> dict[str, Any]:
    known = [each for each in (right, left) if each is not None]
    return {
        "path": path,
        "stage": known[0].address,
        "left": None if left is None else _content(left.artifact),
        "right": None if right is None else _content(right.artifact),
        "same": left is not None and right is not None and left.artifact == right.artifact,
    }


def _content(artifact: Artifact) -> dict[str, Any]:
    return {"digest": artifact.digest, "size": artifact.size}
