"""`pivot cache drop`: removes the content of artifacts from the cache if it is available elsewhere."""

import os
import time
from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet

import attrs

from pivot_cache.errors import ArtifactError
from pivot_cache.maintenance import gc
from pivot_cache.maintenance.gc_plan import inventory, mark
from pivot_core.files.paths import ArtifactPath
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.records import Record
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project.guard import guarded

type Elsewhere = Callable[[Stores, Collection[str]], AbstractSet[str]]
"""Returns the ones of some objects that a remote has."""


@attrs.frozen(eq=False, repr=False)
class DropTarget(Value):
    """An artifact to drop.

    Attributes:
        path: Its path.
        objects: The number of cached objects that belong only to it or to another target.
        size: Their size.
        workspace: Whether all of them are also in the workspace, and not as links into the cache.
        remote: Whether all of them are on a remote.
    """

    path: ArtifactPath
    objects: int
    size: int
    workspace: bool
    remote: bool

    @property
    def elsewhere(self) -> bool:
        """Whether the content stays available."""
        return self.workspace or self.remote or not self.objects


@attrs.frozen(eq=False, repr=False)
class DropReport(Value):
    """The result of a drop.

    Attributes:
        targets: The requested targets.
        removed: The size, by digest, of each object moved to the trash.
        shared: The number of the targets' objects that stay, since other outs or tracked data also need them.
        refused: Whether nothing was dropped, since some content exists nowhere else.
    """

    targets: tuple[DropTarget, ...]
    removed: dict[str, int]
    shared: int
    refused: bool


def drop(
    context: CommandContext,
    names: Iterable[str],
    *,
    force: bool = False,
    dry_run: bool = False,
    elsewhere: Elsewhere | None = None,
    report: Reporter = no_report,
) -> DropReport:
    """Move the objects that belong only to these targets to the trash; all of them or none.

    Args:
        context: The context of the command.
        names: Names of stages, or paths of outs or of tracked data.
        force: Whether to drop content that exists nowhere else.
        dry_run: Whether to determine only what would be done.
        elsewhere: Returns the objects that a remote has; None without a remote.
        report: Called before waiting for another command.

    Raises:
        TargetError: A target is unknown.
        CacheError: A record cannot be read, or an object cannot be moved.
    """
    guard = guarded(context.project.layout.guard_file, "pivot cache drop", events.report_waiting(report))
    with guard, open_stores(context) as stores:
        recorded = records.read(context)
        wanted = [record for record in recorded.select(names, context.project) if record.cache]
        chosen = {record.path for record in wanted}
        others = [r for r in recorded.by_path.values() if r.cache and r.path not in chosen]
        there = inventory(stores.store)
        mine = _parts(stores, wanted) & there.keys()
        unshared = mine - _parts(stores, others)
        remote = elsewhere(stores, unshared) if elsewhere is not None and unshared else frozenset[str]()
        targets = []
        for record in wanted:
            parts = _parts(stores, [record]) & unshared
            size = sum(there[digest].size for digest in parts)
            apart = bool(parts) and _is_independent(stores, record)
            targets.append(DropTarget(record.path, len(parts), size, apart, bool(parts) and parts <= remote))
        refused = not force and not all(target.elsewhere for target in targets)
        removed = {} if refused or dry_run else gc.drop(stores.store, sorted(unshared), time.time_ns())
        return DropReport(tuple(targets), removed, len(mine) - len(unshared), refused)


def _parts(stores: Stores, some: Iterable[Record]) -> AbstractSet[str]:
    return mark([record.artifact for record in some], stores.store, lambda _: None).digests


def _is_independent(stores: Stores, record: Record) -> bool:
    """Whether the workspace has the content independently of the cache."""
    file = stores.layout.artifact(record.path)
    try:
        if stores.look(record.path) != record.artifact:
            return False
    except ArtifactError:
        return False
    cache = os.path.realpath(stores.layout.cache_dir)

    def leads_into_the_cache(path: str) -> bool:
        return os.path.islink(path) and os.path.realpath(path).startswith(f"{cache}{os.sep}")

    if leads_into_the_cache(str(file)):
        return False
    return not any(
        leads_into_the_cache(os.path.join(directory, name)) for directory, _, found in os.walk(file) for name in found
    )
