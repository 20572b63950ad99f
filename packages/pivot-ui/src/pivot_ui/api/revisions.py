"""The revisions that can be compared."""

import datetime as dt
from typing import Any, Final

from pivot_runtime.git.revision_list import list_revisions
from pivot_ui.api.query import Query
from pivot_ui.project import ProjectService

__all__ = ["read_revisions"]

_MOST: Final = 50


def read_revisions(service: ProjectService, _: Query) -> dict[str, Any]:
    """Return branches, tags and the last commits; none without git."""
    found = list_revisions(service.root, _MOST)
    return {
        "workspace": True,
        "branches": list(found.branches),
        "tags": list(found.tags),
        "commits": [
            {
                "commit": each.commit,
                "short": each.short,
                "subject": each.subject,
                "time": dt.datetime.fromtimestamp(each.time, dt.UTC).isoformat(),
            }
            for each in found.commits
        ],
    }
