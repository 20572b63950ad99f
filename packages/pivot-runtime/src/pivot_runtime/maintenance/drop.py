"""`pivot cache drop`: removes the content of some artifacts from the cache if it is available elsewhere."""

import os
import time
from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet

import attrs

from pivot_cache.errors import ArtifactError
from pivot_cache.maintenance import gc
from pivot_cache.maintenance.gc_plan import inventory, mark
from pivot_core.paths import ArtifactPath
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.records import Record
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project.guard import guarded

type Elsewhere = Callable[[Stores, Collection[str]], AbstractSet[str]]
"""Finds those of some objects that a remote has."""


@attrs.frozen(eq=False, repr=False)
class DropTarget(Value):
    """One artifact that is to be dropped.

    Attributes:
        path: Where it belongs.
        objects: How many objects of the cache only it, or another target, consists of.
        size: Their size.
        workspace: All of them are in the workspace too, and not as links into the cache.
        remote: All of them are on a remote.
    """

    path: ArtifactPath
    objects: int
    size: int
    workspace: bool
    remote: bool

    @property
    def elsewhere(self) -> bool:
        """Nothing is lost."""
        return self.workspace or self.remote or not self.objects


@attrs.frozen(eq=False, repr=False)
class DropReport(Value):
    """The result.

    Attributes:
        targets: The requested targets.
        removed: Size by digest of what was moved to the trash.
        shared: How many objects of the targets stay, since other outs or tracked data consist of them too.
        refused: Nothing was dropped, since something is nowhere else.
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
    """Move what only these targets consist of to the trash; all of it or nothing.

    Args:
        context: The context of the command.
        names: Stage names, paths of outs or of tracked data.
        force: Drop also what is nowhere else.
        dry_run: Find out what would be done, and do nothing.
        elsewhere: Which objects a remote has; None if there is none.
        report: Told of waiting for another command.

    Raises:
        TargetError: A target is not known.
        CacheError: A record cannot be read, or something cannot be moved.
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
            apart = bool(parts) and _lies_apart(stores, record)
            targets.append(DropTarget(record.path, len(parts), size, apart, bool(parts) and parts <= remote))
        refused = not force and not all(target.elsewhere for target in targets)
        removed = {} if refused or dry_run else gc.drop(stores.store, sorted(unshared), time.time_ns())
        return DropReport(tuple(targets), removed, len(mine) - len(unshared), refused)


def _parts(stores: Stores, some: Iterable[Record]) -> AbstractSet[str]:
    return mark([record.artifact for record in some], stores.store, lambda _: None).digests


def _lies_apart(stores: Stores, record: Record) -> bool:
    """Whether the workspace has the content, and would have it without the cache."""
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
