"""The plan of a garbage collection: the roots, everything that belongs to them, and the objects to remove.

No function here changes anything.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

import attrs

from pivot_cache.errors import CacheError, CorruptObjectError, TreeError, as_cache_errors, cache_error
from pivot_cache.files import shards
from pivot_cache.formats.tree import Tree
from pivot_cache.maintenance.gc_limits import Candidate, Limits, RecentRun, choose
from pivot_cache.objects.store import ObjectStore
from pivot_cache.objects.trash import Batch
from pivot_cache.state.results import Result, Results
from pivot_cache.state.run_cache import RunCache
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact
from pivot_core.values import Value

type Doubt = Callable[[CacheError], object]
"""Called with the error of each unusable listing."""


@attrs.frozen(eq=False, repr=False)
class Cache(Value):
    """The stores that are collected together.

    Attributes:
        store: The objects.
        runs: The run records.
        results: The results, which keep the outs of their runs as long as run records do.
        project: The name of the only project whose results keep something; None for all projects.
    """

    store: ObjectStore
    runs: RunCache
    results: Results
    project: str | None = None


class Object(NamedTuple):
    """An object in the store: its size, the time of its last change, and that of its last use as far as known."""

    size: int
    changed_ns: int
    used_ns: int = 0


@attrs.frozen(eq=False, repr=False)
class Retention(Value):
    """The rules for ages.

    Attributes:
        now_ns: The current time in ns since the epoch.
        keep_runs_ns: The age up to which run records and results keep the objects that they name.
        trash_ns: The time after which objects in the trash are deleted.
        limits: The limits of what is removed; None to remove everything that nothing needs.
    """

    now_ns: int
    keep_runs_ns: int
    trash_ns: int
    limits: Limits | None = None


@attrs.frozen(eq=False, repr=False)
class LiveSet(Value):
    """The objects that must stay.

    Attributes:
        digests: Every named object, present or not.
        unlisted: Directories whose listing is missing, so that their files are unknown.
    """

    digests: AbstractSet[str]
    unlisted: AbstractSet[str]


@attrs.frozen(eq=False, repr=False)
class GcPlan(Value):
    """The steps of a collection.

    Attributes:
        remove: The size, by digest, of each object to move to the trash.
        keep: The number of objects that stay because something names them.
        keep_size: Their size.
        recent: Unnamed objects that changed after reading the roots began.
        runs: Keys of run records that are older than the retention.
        expired: The objects to delete from the trash.
        marked: The objects that stay, as far as they exist.
        forgotten: Keys of younger run records to remove, since the limits leave no room for their objects.
        released: IDs of younger results that stay, but keep no objects any more, for the same reason.
        spared: The number of unneeded objects that stay because the limits allow it.
        spared_size: Their size.
    """

    remove: Mapping[str, int]
    keep: int
    keep_size: int
    recent: AbstractSet[str]
    marked: LiveSet
    runs: tuple[str, ...] = ()
    expired: tuple[Batch, ...] = ()
    forgotten: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    spared: int = 0
    spared_size: int = 0


def refuse(error: CacheError) -> None:
    """Raise the error of any doubt."""
    raise error


def mark(artifacts: Iterable[Artifact], store: ObjectStore, doubt: Doubt = refuse) -> LiveSet:
    """Find every object that belongs to these artifacts, including the files in directories. It changes nothing.

    Args:
        artifacts: The roots.
        store: The store of the listings.
        doubt: Called for each listing whose bytes are wrong; by default, its error is raised. If it returns, the
            contents of the listing are ignored.

    Raises:
        CacheError: A listing cannot be read.
    """
    marked: set[str] = set()
    unlisted: set[str] = set()
    listed: set[str] = set()
    for artifact in artifacts:
        marked.add(artifact.digest)
        if not artifact.tree or artifact.digest in listed:
            continue
        listed.add(artifact.digest)
        try:
            tree = _listing(artifact.digest, store)
        except (CorruptObjectError, TreeError) as error:
            doubt(error)
            tree = None
        if tree is None:
            unlisted.add(artifact.digest)
        else:
            marked |= tree.digests()
    return LiveSet(marked, unlisted)


def inventory(store: ObjectStore) -> dict[str, Object]:
    """Everything in the store, without verification.

    Raises:
        CacheError: A directory cannot be read.
    """
    with as_cache_errors("read", store.directory):
        return {
            digest: Object(status.st_size, status.st_ctime_ns, max(status.st_atime_ns, status.st_ctime_ns))
            for digest, status in shards.files(store.directory)
        }


def plan(objects: Mapping[str, Object], marked: LiveSet, since_ns: int) -> GcPlan:
    """Decide which objects go and which stay; every object is in exactly one of the three groups. Pure.

    Args:
        objects: The existing objects.
        marked: The objects that must stay.
        since_ns: Objects that changed at this time or later are skipped.
    """
    remove, recent, keep, keep_size = {}, set(), 0, 0
    for digest, found in objects.items():
        if digest in marked.digests:
            keep += 1
            keep_size += found.size
        elif found.changed_ns >= since_ns:
            recent.add(digest)
        else:
            remove[digest] = found.size
    return GcPlan(remove, keep, keep_size, recent, marked)


def prepare(
    cache: Cache, roots: Iterable[Artifact], rules: Retention, *, since_ns: int | None = None, doubt: Doubt = refuse
) -> GcPlan:
    """Plan a collection.

    Args:
        cache: The cache to collect.
        roots: The artifacts that must stay, besides those that young run records and results name.
        rules: The rules for ages.
        since_ns: The time at which reading the roots began; by default now.
        doubt: As for `mark`.

    Raises:
        CacheError: Something cannot be read, or a listing is damaged.
    """
    since_ns = time.time_ns() if since_ns is None else since_ns
    roots = list(roots)
    marked = mark([*roots, *recent_artifacts(cache, rules)], cache.store, doubt)
    objects = inventory(cache.store)
    found = plan(objects, marked, since_ns)
    with as_cache_errors("read", cache.runs.directory):
        old = sorted(key for key, written_ns in cache.runs.written() if is_old(written_ns, rules))
    if rules.limits is not None:
        found = _limited(found, objects, mark(roots, cache.store, doubt).digests, cache, rules, rules.limits)
        old = [key for key in old if not found.remove.keys().isdisjoint(_objects_of(key, cache))]
    expired = tuple(batch for batch in cache.store.trash.batches() if rules.now_ns - batch.taken_ns >= rules.trash_ns)
    return attrs.evolve(found, runs=tuple(old), expired=expired)


def _limited(  # each is read once
    found: GcPlan,
    objects: Mapping[str, Object],
    rooted: AbstractSet[str],
    cache: Cache,
    rules: Retention,
    limits: Limits,
) -> GcPlan:
    """A plan that removes less of what nothing needs, or also what only recent runs need."""
    with as_cache_errors("read", cache.runs.directory):
        written = {key: at_ns for key, at_ns in cache.runs.written() if not is_old(at_ns, rules)}
    outs = {key: [artifact for record in cache.runs.get(key) for artifact in record.outs.values()] for key in written}
    results = {name: (at_ns, result) for name, at_ns, result in _recent_results(cache, rules)}
    for name, (at_ns, result) in results.items():
        written[name], outs[name] = at_ns, list(result.artifacts())
    recent = {}
    for name, at_ns in written.items():
        digests = mark(outs[name], cache.store, lambda _: None).digests
        used_ns = max([at_ns, *(objects[each].used_ns for each in digests if each in objects)])
        recent[name] = RecentRun(used_ns, digests)
    unneeded = {digest: Candidate(size, objects[digest].used_ns) for digest, size in found.remove.items()}
    of_runs = {
        digest: Candidate(each.size, each.used_ns)
        for digest, each in objects.items()
        if digest in found.marked.digests and digest not in rooted
    }
    size = sum(each.size for each in objects.values())
    chosen = choose(size, unneeded, of_runs, recent, limits, rules.now_ns)
    evicted = {digest: each for digest, each in chosen.remove.items() if digest in of_runs}
    spared = [each for digest, each in found.remove.items() if digest not in chosen.remove]
    return attrs.evolve(
        found,
        remove=chosen.remove,
        keep=found.keep - len(evicted),
        keep_size=found.keep_size - sum(evicted.values()),
        marked=LiveSet(found.marked.digests - evicted.keys(), found.marked.unlisted - evicted.keys()),
        forgotten=tuple(key for key in chosen.runs if key not in results),
        released=tuple(key for key in chosen.runs if key in results),
        spared=len(spared),
        spared_size=sum(spared),
    )


def _objects_of(key: str, cache: Cache) -> AbstractSet[str]:
    """The objects that belong to the runs of a key."""
    outs = [artifact for record in cache.runs.get(key) for artifact in record.outs.values()]
    return mark(outs, cache.store, lambda _: None).digests


def recent_artifacts(cache: Cache, rules: Retention) -> list[Artifact]:
    """The artifacts named by run records and results that are younger than the retention.

    Raises:
        CacheError: A directory or a result cannot be read.
    """
    with as_cache_errors("read", cache.runs.directory):
        keys = [key for key, written_ns in cache.runs.written() if not is_old(written_ns, rules)]
    of_runs = [artifact for key in keys for record in cache.runs.get(key) for artifact in record.outs.values()]
    return [*of_runs, *(each for _, _, result in _recent_results(cache, rules) for each in result.artifacts())]


def _recent_results(cache: Cache, rules: Retention) -> Iterator[tuple[str, int, Result]]:
    """The results that keep objects: the ID of each, when it was written, and the result."""
    for name, written_ns, result in cache.results.recent(rules.now_ns - rules.keep_runs_ns):
        if cache.project is None or result.project == cache.project:
            yield name, written_ns, result


def is_old(written_ns: int, rules: Retention) -> bool:
    """Whether a run record written at that time is older than the retention."""
    return rules.now_ns - written_ns >= rules.keep_runs_ns


def _listing(digest: str, store: ObjectStore) -> Tree | None:
    """Read a listing; a damaged one is left to `fsck`."""
    path: Path | None = store.path_of(digest)
    try:
        data = store.path_of(digest).read_bytes()
    except FileNotFoundError:
        path = store.trash.find(digest)
        if path is None:
            return None
        with as_cache_errors("read", path):
            data = path.read_bytes()
    except OSError as error:
        raise cache_error("read", store.path_of(digest), error) from error
    if digest_bytes(data) != digest:
        raise CorruptObjectError(digest)
    return Tree.loads(data, f"object {digest}")
