"""All questions by their names, which are paths below ``/api/``."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pivot_ui.api.graph import read_graph
from pivot_ui.api.previews import read_content, read_preview
from pivot_ui.api.project import read_project
from pivot_ui.api.query import Query
from pivot_ui.api.status import read_status
from pivot_ui.project import ProjectService

__all__ = ["READERS", "Reader"]

type Reader = Callable[[ProjectService, Query], Any]
"""Returns plain data, or `MediaAnswer`."""

READERS: Final[Mapping[str, Reader]] = {
    "content": read_content,
    "graph": read_graph,
    "preview": read_preview,
    "project": read_project,
    "status": read_status,
}
