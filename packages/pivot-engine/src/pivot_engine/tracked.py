"""Data that no stage writes, and that are under Pivot all the same: how they are now."""

import enum
from collections.abc import Iterable

import attrs

from pivot_cache.statcache import StatCache
from pivot_core.lock import Artifact
from pivot_core.paths import ArtifactPath
from pivot_core.values import Value
from pivot_engine.project import Project
from pivot_engine.records import Record


class State(enum.Enum):
    """How tracked data are, compared with what is recorded of them."""

    CLEAN = "clean"
    MODIFIED = "modified"
    MISSING = "missing"


@attrs.frozen(eq=False, repr=False)
class TrackedFile(Value):
    """Tracked data as they are now.

    Attributes:
        path: Where.
        state: Compared with what is recorded.
        size: In bytes, now; of what is recorded if it is missing.
    """

    path: ArtifactPath
    state: State
    size: int


def states(project: Project, files: StatCache, found: Iterable[Record]) -> list[TrackedFile]:
    """How tracked data are now; nothing is changed."""
    return [_state(record, _look(project, files, record.path)) for record in found]


def _look(project: Project, files: StatCache, path: ArtifactPath) -> Artifact | None:
    file = project.layout.artifact(path)
    project.notes.look(file)
    found = files.artifact(file)
    if found is not None and found.tree:
        project.notes.tree(file, *files.walked[file])
    return found


def _state(record: Record, now: Artifact | None) -> TrackedFile:
    if now is None:
        return TrackedFile(record.path, State.MISSING, record.artifact.size)
    return TrackedFile(record.path, State.CLEAN if now == record.artifact else State.MODIFIED, now.size)
