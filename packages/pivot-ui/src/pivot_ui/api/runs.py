"""Earlier runs, and the one that is at work."""

from typing import Any, Final

from pivot_cli.views.history import run_json
from pivot_runtime.errors import HistoryError
from pivot_runtime.history import history
from pivot_ui.api.query import Query
from pivot_ui.errors import NothingThereError
from pivot_ui.project import ProjectService

__all__ = ["read_run", "read_runs"]

_LIMIT: Final = 50
_MOST: Final = 100
"""A project keeps as many runs."""
_MOST_STAGES: Final = 200
"""Of each run in a list; ``counts`` counts all of them."""


def read_runs(service: ProjectService, query: Query) -> dict[str, Any]:
    """Return ``limit`` runs ``before`` a number, the newest first, and whether there are more."""
    limit = query.number("limit", _LIMIT, 1, _MOST)
    before = query.number("before", 1 << 53)
    found: list[dict[str, Any]] = []
    for run in history.runs(service.context().project):
        if run.number >= before:
            continue
        if len(found) == limit:
            return {"runs": found, "more": True}
        plain = run_json(run)
        found.append({**plain, "stages": plain["stages"][:_MOST_STAGES]})
    return {"runs": found, "more": False}


def read_run(service: ProjectService, query: Query) -> dict[str, Any]:
    """Return the run with a ``number``, or the newest.

    Raises:
        NothingThereError: There is no such run, or it cannot be read.
    """
    number = query.number("number", 0)
    try:
        return run_json(history.run(service.context().project, number or None))
    except HistoryError as error:
        raise NothingThereError(str(error), hint=error.hint) from None
