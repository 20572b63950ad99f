"""All questions by their names, which are paths below ``/api/``."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pivot_ui.api.compare import read_compare
from pivot_ui.api.graph import read_graph
from pivot_ui.api.logs import read_log
from pivot_ui.api.previews import read_content, read_preview
from pivot_ui.api.project import read_project
from pivot_ui.api.query import Query
from pivot_ui.api.results import read_plots, read_results
from pivot_ui.api.revisions import read_revisions
from pivot_ui.api.runs import read_run, read_runs
from pivot_ui.api.stage import read_stage
from pivot_ui.api.status import read_status
from pivot_ui.project import ProjectService

__all__ = ["READERS", "Reader"]

type Reader = Callable[[ProjectService, Query], Any]
"""Returns plain data, or `MediaAnswer`."""

READERS: Final[Mapping[str, Reader]] = {
    "compare": read_compare,
    "content": read_content,
    "graph": read_graph,
    "log": read_log,
    "plots": read_plots,
    "preview": read_preview,
    "project": read_project,
    "results": read_results,
    "revisions": read_revisions,
    "run": read_run,
    "runs": read_runs,
    "stage": read_stage,
    "status": read_status,
}
