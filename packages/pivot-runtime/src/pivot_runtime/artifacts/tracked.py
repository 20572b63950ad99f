"""The state of tracked data: unchanged, modified or missing."""

import enum
import os
from collections.abc import Iterable

import attrs

from pivot_cache.errors import ArtifactError, CacheError
from pivot_cache.formats import pvt, tree
from pivot_cache.formats.tree import TreeDifference
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.lock import Artifact
from pivot_core.values import Value
from pivot_runtime.artifacts import lock_files
from pivot_runtime.artifacts.records import Record
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.context import CommandContext, Notice

_UNREADABLE = Artifact("", 0)


class TrackedState(enum.Enum):
    """The state of tracked data compared with their record."""

    CLEAN = "clean"
    MODIFIED = "modified"
    MISSING = "missing"
    PARTIAL = "partial"
    """A directory with some files missing, and all others as recorded."""
    LOST = "lost"
    """As recorded, but not completely in the cache, so that the content exists nowhere else."""
    OTHER = "other"
    """Other content that was once recorded, for example on another branch: the cache has it."""


@attrs.frozen(eq=False, repr=False)
class TrackedFile(Value):
    """The current state of tracked data.

    Attributes:
        path: The path.
        state: The state compared with the record.
        size: The current size in bytes; the recorded size if the data are missing.
        difference: For a directory, the files that differ, as far as known.
        in_cache: Whether the recorded content is in the cache.
    """

    path: ArtifactPath
    state: TrackedState
    size: int
    difference: TreeDifference = attrs.field(factory=TreeDifference)
    in_cache: bool = True


def states(context: CommandContext, stores: Stores, found: Iterable[Record]) -> list[TrackedFile]:
    """The current states of tracked data; nothing is changed."""
    done = [
        _state(
            stores,
            record,
            _look(context, stores, record.path),
            stores.store.has_all(record.artifact, context.read_set.look),
        )
        for record in found
    ]
    if any(each.state is not TrackedState.CLEAN for each in done):
        context.read_set.mark_incomplete("the cache matters, not only the workspace")
    return done


def _look(context: CommandContext, stores: Stores, path: ArtifactPath) -> Artifact | None:
    """The existing artifacts; an unreadable one is reported, and differs from every record."""
    file = context.project.layout.artifact_path(path)
    context.read_set.look(file)
    try:
        found = stores.files.artifact(file)
    except ArtifactError as error:
        context.notices.add(Notice(str(error), error.hint))
        return _UNREADABLE
    if found is not None and found.tree:
        context.read_set.tree(file, *stores.files.walked[file])
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
    if now.digest != recorded.digest and stores.store.has_all(now) and not _kept(stores, path, now):
        state = TrackedState.OTHER
    elif differs is not None and differs.partial:
        state = TrackedState.PARTIAL
    else:
        state = TrackedState.MODIFIED
    return TrackedFile(path, state, now.size, differs or TreeDifference(), in_cache)


def _kept(stores: Stores, path: ArtifactPath, now: Artifact) -> bool:
    """Whether the cache has the content only because it was saved: no branch has recorded it."""
    from pivot_runtime.artifacts import kept  # lazy

    return not kept.is_elsewhere(stores, path, now)


def differing(stores: Stores, path: ArtifactPath, recorded: Artifact) -> TreeDifference | None:
    """The difference between a directory and its record; None if the cache lacks the recorded listing."""
    try:
        return tree.compare(stores.store.tree(recorded), stores.files.tree(stores.layout.artifact(path)))
    except CacheError:
        return None


def is_unfetched(context: CommandContext, stores: Stores, graph: Graph, path: ArtifactPath, found: Artifact) -> bool:
    """Whether some files of a directory are missing, and all others are as recorded.

    For an out of a stage, this counts as missing, whoever removed the files. For tracked data, it does only if the
    cache also lacks the missing files: files that are in the cache but not here were probably removed by the user.
    """
    for address in graph.writers(path):
        lock = lock_files.read(context, address)
        recorded = None if lock is None else lock.outs.get(path)
        if recorded is not None:
            differs = _differing(stores, path, recorded, found)
            return differs is not None and differs.partial
    recorded = _tracked(context, path)
    differs = None if recorded is None else _differing(stores, path, recorded, found)
    if recorded is None or differs is None or not differs.partial:
        return False
    listed = stores.store.tree(recorded).files
    return any(name in listed and not stores.store.verified(listed[name].digest) for name in differs.absent)


def _differing(stores: Stores, path: ArtifactPath, recorded: Artifact, found: Artifact) -> TreeDifference | None:
    return differing(stores, path, recorded) if recorded.tree and recorded != found else None


def _tracked(context: CommandContext, path: ArtifactPath) -> Artifact | None:
    file = context.project.root / f"{path}{pvt.SUFFIX}"
    context.read_set.look(file)
    if not os.path.lexists(file):
        return None
    try:
        return pvt.read(file)
    except CacheError:
        return None
