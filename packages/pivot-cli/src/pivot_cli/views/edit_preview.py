"""Formats what an edit would make stale, as text and as the documented JSON; pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pivot_cli.terminal import formats
from pivot_cli.views.status import stage_lines, status_json
from pivot_core.errors import list_names

if TYPE_CHECKING:
    from pivot_runtime.inspecting.edit_preview import EditPreview

_MOST = 5
"""The most names in a line."""


def edit_text(found: "EditPreview") -> str:
    """Return one line per stage as after the edit, and lines that compare it with now."""
    lines = stage_lines(found.status)
    return formats.one_per_line([*lines, "", *edit_lines(found)] if lines else list(edit_lines(found)))


def edit_lines(found: "EditPreview") -> Iterator[str]:
    """Yield a line for each group of stages that the edit concerns."""
    groups = {
        "would become stale": found.became_stale,
        "would stay stale": found.still_stale,
        "would become cached": found.became_cached,
        "would be new": found.added,
        "would be removed": found.removed,
    }
    for what, names in groups.items():
        if names:
            yield f"{formats.counted(len(names), 'stage')} {what}: {list_names(names, _MOST)}"
    if not (found.became_stale or found.became_cached or found.added or found.removed):
        yield f"the edit of {formats.counted(len(found.files), 'file')} changes the state of no stage"


def edit_json(found: "EditPreview", *, explain: bool) -> dict[str, Any]:
    """Return the status after the edit as `status_json` does, and the comparison with now as ``edit``."""
    return status_json(found.status, explain=explain, stages_only=True) | {
        "edit": {
            "files": list(found.files),
            "became_stale": list(found.became_stale),
            "still_stale": list(found.still_stale),
            "became_cached": list(found.became_cached),
            "added": list(found.added),
            "removed": list(found.removed),
        }
    }
