"""Limits of a garbage collection: how large the cache may stay, and how recently an unneeded object was used. Pure."""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import attrs

from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class Limits(Value):
    """The part of the unneeded content that a collection removes.

    Attributes:
        max_size: The size in bytes that the cache may have; None to remove everything that nothing needs.
        unused_ns: The time for which something must not have been used to be removed; None if that does not matter.
    """

    max_size: int | None = None
    unused_ns: int | None = None


@attrs.frozen(eq=False, repr=False)
class Candidate(Value):
    """An object that could be removed: its size, and when it was last used, in ns since the epoch."""

    size: int
    used_ns: int


@attrs.frozen(eq=False, repr=False)
class RecentRun(Value):
    """A run record, or a result of several runs, that is younger than the retention.

    Attributes:
        used_ns: When it was written, or one of its objects was last used.
        digests: The objects that belong to it.
    """

    used_ns: int
    digests: AbstractSet[str]


@attrs.frozen(eq=False, repr=False)
class Choice(Value):
    """The result of applying limits.

    Attributes:
        remove: The objects to remove, by digest, with their sizes.
        runs: The keys of the recent runs to forget, whose objects are among them.
    """

    remove: Mapping[str, int]
    runs: tuple[str, ...] = ()


def choose(
    size: int,
    unneeded: Mapping[str, Candidate],
    of_runs: Mapping[str, Candidate],
    runs: Mapping[str, RecentRun],
    limits: Limits,
    now_ns: int,
) -> Choice:
    """Choose what to remove: first what nothing needs, then what only recent runs need, the least recently used first.

    Args:
        size: The size of the whole cache.
        unneeded: The objects that nothing needs.
        of_runs: The objects that only recent runs need. They are removed only to respect the size, a run at a time.
        runs: The recent runs, by key.
        limits: The limits.
        now_ns: The current time in ns since the epoch.
    """
    remove: dict[str, int] = {}
    for digest, found in sorted(unneeded.items(), key=lambda item: (item[1].used_ns, item[0])):
        if limits.max_size is not None and size <= limits.max_size:
            break
        if _is_unused(found.used_ns, limits, now_ns):
            remove[digest] = found.size
            size -= found.size
    forgotten: list[str] = []
    if limits.max_size is None:
        return Choice(remove)
    needs = Counter(digest for run in runs.values() for digest in run.digests)
    for key, run in sorted(runs.items(), key=lambda item: (item[1].used_ns, item[0])):
        if size <= limits.max_size:
            break
        if not _is_unused(run.used_ns, limits, now_ns) or of_runs.keys().isdisjoint(run.digests):
            continue
        forgotten.append(key)
        needs.subtract(run.digests)
        for digest in run.digests:
            if digest in of_runs and not needs[digest]:
                remove[digest] = of_runs[digest].size
                size -= of_runs[digest].size
    return Choice(remove, tuple(forgotten))


def _is_unused(used_ns: int, limits: Limits, now_ns: int) -> bool:
    return limits.unused_ns is None or now_ns - used_ns >= limits.unused_ns
