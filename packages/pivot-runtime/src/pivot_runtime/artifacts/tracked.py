"""Data that no stage writes, and that are under Pivot all the same: how they are now."""

import enum
from collections.abc import Iterable

import attrs

from pivot_cache.errors import ArtifactError
from pivot_cache.formats.tree_diff import Difference
from pivot_core.lock import Artifact
from pivot_core.paths import ArtifactPath
from pivot_core.values import Value
from pivot_runtime.artifacts.records import Record
from pivot_runtime.artifacts.unfetched import differing
from pivot_runtime.cache.stores import Stores
from pivot_runtime.project.project import Project
from pivot_runtime.project.unusable_files import Doubt

_UNREADABLE = Artifact("", 0)


class TrackedState(enum.Enum):
    """How tracked data are, compared with what is recorded of them."""

    CLEAN = "clean"
    MODIFIED = "modified"
    MISSING = "missing"
    PARTIAL = "partial"
    """A directory of which something is not here, and all else is as it is recorded."""
    LOST = "lost"
    """As it is recorded, and the cache does not have all of it: it is nowhere else."""
    OTHER = "other"
    """Something else that was recorded once, such as by another branch: the cache has it."""


@attrs.frozen(eq=False, repr=False)
class TrackedFile(Value):
    """Tracked data as they are now.

    Attributes:
        path: Where.
        state: Compared with what is recorded.
        size: In bytes, now; of what is recorded if it is missing.
        difference: Of a directory, which files differ, where that is known.
        in_cache: The recorded content is in the cache.
    """

    path: ArtifactPath
    state: TrackedState
    size: int
    difference: Difference = attrs.field(factory=Difference)
    in_cache: bool = True


def states(project: Project, stores: Stores, found: Iterable[Record]) -> list[TrackedFile]:
    """How tracked data are now; nothing is changed."""
    done = [
        _state(
            stores, record, _look(project, stores, record.path), stores.store.holds(record.artifact, project.notes.look)
        )
        for record in found
    ]
    project.notes.partial |= any(
        each.state is not TrackedState.CLEAN for each in done
    )  # it depends on what the cache has
    return done


def _look(project: Project, stores: Stores, path: ArtifactPath) -> Artifact | None:
    """The existing artifacts; what cannot be read is reported, and is like nothing that was ever recorded."""
    file = project.layout.artifact(path)
    project.notes.look(file)
    try:
        found = stores.files.artifact(file)
    except ArtifactError as error:
        project.doubts.add(Doubt(str(error), error.hint, grave=False))
        return _UNREADABLE
    if found is not None and found.tree:
        project.notes.tree(file, *stores.files.walked[file])
    return found


def _state(stores: Stores, record: Record, now: Artifact | None, in_cache: bool) -> TrackedFile:  # noqa: FBT001
    path, recorded = record.path, record.artifact
    if now == recorded:
        return TrackedFile(
            path, TrackedState.CLEAN if in_cache else TrackedState.LOST, recorded.size, in_cache=in_cache
        )
    if now is None:
        return TrackedFile(path, TrackedState.MISSING, recorded.size, in_cache=in_cache)
    if now is _UNREADABLE:
        return TrackedFile(path, TrackedState.MODIFIED, 0, in_cache=in_cache)
    differs = differing(stores, path, recorded) if now.tree and recorded.tree else None
    if now.digest != recorded.digest and stores.store.holds(now) and not _kept(stores, path, now):
        state = TrackedState.OTHER
    elif differs is not None and differs.partial:
        state = TrackedState.PARTIAL
    else:
        state = TrackedState.MODIFIED
    return TrackedFile(path, state, now.size, differs or Difference(), in_cache)


def _kept(stores: Stores, path: ArtifactPath, now: Artifact) -> bool:
    """Whether the cache has it only since it was in the way: no branch has recorded that."""
    from pivot_runtime.artifacts import kept  # noqa: PLC0415  # start-up time: seldom is anything modified

    return not kept.elsewhere(stores, path, now)
