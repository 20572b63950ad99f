"""The recorded results of runs, and plots."""

from typing import Any, Final

from pivot_cli.pages.plots import plots_json
from pivot_cli.sweeps.results import results_json
from pivot_runtime.comparing.plots import plots
from pivot_runtime.sweeps.results import results
from pivot_ui.api.compare import missing_sides, side_of
from pivot_ui.api.query import Query
from pivot_ui.errors import BadQueryError
from pivot_ui.project import ProjectService

__all__ = ["read_plots", "read_results"]

_MOST: Final = 1000
_MOST_SIDES: Final = 10


def read_results(service: ProjectService, _: Query) -> dict[str, Any]:
    """Return the newest results of all pipelines.

    Raises:
        CacheError: The cache cannot be read.
    """
    return results_json(results(service.context(), all_pipelines=True)[:_MOST])


def read_plots(service: ProjectService, query: Query) -> dict[str, Any]:
    """Return the plots of ``revisions``, separated by commas; by default, those of the workspace.

    Raises:
        NothingThereError: There is no such revision.
        PivotError: Git fails.
    """
    names = [name for name in query.text("revisions", "").split(",") if name]
    if len(names) > _MOST_SIDES:
        raise BadQueryError(f"at most {_MOST_SIDES} revisions can be drawn, not {len(names)}")
    with missing_sides():
        return plots_json(plots(service.context(), [side_of(name) for name in names] or [None]))
