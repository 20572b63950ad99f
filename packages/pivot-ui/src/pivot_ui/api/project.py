"""The project itself: its name, place, revision, and what the page may do."""

import os
import sys
from importlib.metadata import version
from typing import Any

from pivot_runtime.git.head import head
from pivot_ui.api.query import Query
from pivot_ui.editor import find_editor
from pivot_ui.project import ProjectService


def read_project(service: ProjectService, _: Query) -> dict[str, Any]:
    """Return what the frame of the page shows."""
    found, editor = head(service.root), find_editor(service.environment)
    return {
        "name": service.root.name,
        "root": os.fspath(service.root),
        "version": version("pivot-ui"),
        "python": sys.version.partition(" ")[0],
        "allow_run": service.allow_run,
        "exported": service.exported,
        "editor": None
        if service.exported
        else {"kind": editor.kind, "label": editor.label, "template": editor.template},
        "revision": None
        if found is None
        else {"commit": found.commit, "branch": found.branch or None, "dirty": found.dirty},
    }
