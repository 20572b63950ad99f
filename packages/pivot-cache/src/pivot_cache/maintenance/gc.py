"""Garbage collection: moves unneeded objects to the trash, and deletes them after their grace period.

`collect` may be killed, or meet a full disk, at any point: needed objects are in place, others are in place or in the
trash, and the next collection continues. Four guards protect against other processes that use the store meanwhile, each
of which suffices in most cases: objects that changed after reading the roots began are skipped; after the move, the
roots are read again, and objects that they now name are moved back; a store looks for missing objects in the trash; and
before the trash is deleted, objects that are then needed are moved back. The last two need the trash: a collection may
delete what it moves (`at_once`) only while no other process uses the store.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet

import attrs

from pivot_cache.errors import as_cache_errors
from pivot_cache.files.atomic import staging
from pivot_cache.layout import sharded
from pivot_cache.maintenance.gc_plan import (
    Cache,
    Doubt,
    GcPlan,
    LiveSet,
    Retention,
    is_old,
    mark,
    prepare,
    recent_artifacts,
    refuse,
)
from pivot_cache.objects.store import ObjectStore
from pivot_cache.objects.trash import OBJECTS, RUNS, Batch
from pivot_cache.state.run_cache import RunCache
from pivot_core.lock import Artifact
from pivot_core.progress import no_progress
from pivot_core.values import Value

type Progress = Callable[[str, int], object]
"""Called with the operation, and the number of objects since the last call."""

_CLOCKS_NS = 5_000_000_000
"""The possible difference between the file system's clock and ours, if it cannot be measured."""


@attrs.frozen(eq=False, repr=False)
class GcResult(Value):
    """The result of a collection.

    Attributes:
        plan: Its plan.
        batch: The batch in the trash; None if nothing was moved, or if it was deleted at once.
        removed: The size, by digest, of each moved object.
        runs: The number of moved run records.
        returned: Objects moved back from the trash, since something names them again.
        deleted: The number and size of the objects deleted from the trash.
    """

    plan: GcPlan
    batch: Batch | None
    removed: Mapping[str, int]
    runs: int
    returned: AbstractSet[str]
    deleted: tuple[int, int]


def collect(  # noqa: PLR0913  # each is optional
    cache: Cache,
    gather: Callable[[], Iterable[Artifact]],
    rules: Retention,
    *,
    progress: Progress = no_progress,
    doubt: Doubt = refuse,
    since_ns: int | None = None,
    at_once: Callable[[], bool] = bool,
) -> GcResult:
    """Move unneeded objects to the trash, and delete those whose grace period is over.

    Args:
        cache: The cache to collect.
        gather: Reads the roots; called again if anything was moved.
        rules: The rules for ages.
        progress: Called for every object.
        doubt: As for `pivot_cache.maintenance.gc_plan.mark`.
        since_ns: Objects that changed at this time or later are skipped; by default the file system's current time.
        at_once: Called after the move: whether to delete what was moved, without a grace period. That requires that no
            other process has written to the store meanwhile.

    Raises:
        CacheError: Something cannot be read, moved or deleted, or a listing is damaged.
    """
    since = _present(cache.store) if since_ns is None else since_ns
    planned = prepare(cache, gather(), rules, since_ns=since, doubt=doubt)
    returned = _return(cache.store, planned.marked.digests)
    deleted = _delete(planned.expired, progress)  # first, since it frees space for directories
    batch = cache.store.trash.batch(rules.now_ns)
    runs = _move_runs(cache.runs, planned.runs, planned.forgotten, batch, rules)
    for name in planned.released:
        cache.results.release(name)
    removed = _move_objects(cache.store, planned.remove, batch, since, progress)
    if removed:
        back = _return(cache.store, mark([*gather(), *recent_artifacts(cache, rules)], cache.store, doubt).digests)
        removed = {digest: size for digest, size in removed.items() if digest not in back}
        returned |= back
    with as_cache_errors("tidy", batch.directory):
        batch.remove_empty()
    if (removed or runs) and at_once():
        count, size = _delete([batch], progress)
        return GcResult(planned, None, removed, runs, returned, (deleted[0] + count, deleted[1] + size))
    return GcResult(planned, batch if removed or runs else None, removed, runs, returned, deleted)


def undo_newest(cache: Cache) -> GcResult | None:
    """Move the objects of the newest collection or drop back from the trash; None if the trash is empty.

    Objects that exist again in the meantime stay unchanged. It can be repeated after any failure.

    Raises:
        CacheError: An object cannot be moved.
    """
    for batch in reversed(cache.store.trash.batches()):
        with as_cache_errors("bring back", batch.directory):
            objects = dict(batch.objects())
            records = [key for key, _ in batch.contents(RUNS)]
            for digest in objects:
                batch.give_back(OBJECTS, digest, cache.store.path_of(digest))
            for key in records:
                batch.give_back(RUNS, key, sharded(cache.runs.directory, key))
            batch.remove_empty()
        if objects or records:
            nothing = GcPlan({}, 0, 0, frozenset(), LiveSet(frozenset(), frozenset()))
            return GcResult(nothing, batch, objects, len(records), frozenset(objects), (0, 0))
    return None


def drop(store: ObjectStore, unwanted: Iterable[str], now_ns: int) -> dict[str, int]:
    """Move these objects to the trash; only `undo` brings them back.

    Returns:
        The size, by digest, of each existing one.

    Raises:
        CacheError: An object cannot be moved.
    """
    batch = store.trash.batch(now_ns, dropped=True)
    dropped = {}
    with as_cache_errors("write to", store.trash.directory):
        for digest in unwanted:
            path = store.path_of(digest)
            try:
                size = path.lstat().st_size
            except FileNotFoundError:
                continue
            if batch.take(OBJECTS, digest, path):
                dropped[digest] = size
    return dropped


def _present(store: ObjectStore) -> int:
    """The current time by the clock from which objects get their times."""
    try:
        with staging(store.directory) as place:
            return os.stat(place).st_ctime_ns
    except OSError:  # a full disk must not prevent freeing space
        return time.time_ns() - _CLOCKS_NS


def _move_runs(runs: RunCache, old: Iterable[str], forgotten: Iterable[str], batch: Batch, rules: Retention) -> int:
    moved = 0
    with as_cache_errors("move to the trash from", runs.directory):
        for key in forgotten:
            moved += batch.take(RUNS, key, sharded(runs.directory, key))
        for key in old:
            path = sharded(runs.directory, key)
            try:
                still = is_old(path.lstat().st_mtime_ns, rules)
            except FileNotFoundError:
                continue
            moved += still and batch.take(RUNS, key, path)
    return moved


def _move_objects(
    store: ObjectStore, unwanted: Mapping[str, int], batch: Batch, since_ns: int, progress: Progress
) -> dict[str, int]:
    moved = {}
    with as_cache_errors("move to the trash from", store.directory):
        for digest, size in unwanted.items():
            path = store.path_of(digest)
            try:
                changed_ns = path.lstat().st_ctime_ns
            except FileNotFoundError:
                continue
            if changed_ns < since_ns and batch.take(OBJECTS, digest, path):
                moved[digest] = size
            progress("collecting", 1)
    return moved


def _return(store: ObjectStore, named: AbstractSet[str]) -> set[str]:
    """Move named objects back from the trash, except dropped ones."""
    returned = set()
    with as_cache_errors("bring back from", store.trash.directory):
        for batch in reversed(store.trash.batches()):
            if batch.dropped:
                continue
            for digest in [digest for digest, _ in batch.objects() if digest in named]:
                if batch.give_back(OBJECTS, digest, store.path_of(digest)):
                    returned.add(digest)
    return returned


def _delete(expired: Iterable[Batch], progress: Progress) -> tuple[int, int]:
    count = size = 0
    for batch in expired:
        with as_cache_errors("delete", batch.directory):
            sizes = [size for _, size in batch.objects()]
            batch.remove()
        progress("deleting", len(sizes))
        count += len(sizes)
        size += sum(sizes)
    return count, size
