"""Which run records belong to a project, in a cache that several projects share."""

import pathlib
from collections.abc import Iterable, Iterator, Mapping

from pivot_cache.errors import CacheError, LockFileError
from pivot_cache.state.results import Result, Results
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, RunRecord
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.errors import GitError
from pivot_runtime.maintenance import gc_roots
from pivot_runtime.project import cache_users, identity

type _Outs = frozenset[tuple[ArtifactPath, Artifact]]


def own_keys(stores: Stores, candidates: Mapping[str, tuple[RunRecord, ...]]) -> set[str]:
    """The keys of those run records that this project wrote, and that no other project may need.

    A record says nothing of its project. If others use the cache, a record counts as the project's own if a lock of the
    project, in the workspace or in git, or one of its results names the run, and none of the others does. If another
    project cannot be read, no record counts as the project's own.

    Args:
        stores: The stores of the project.
        candidates: Records by inputs key.
    """
    layout = stores.layout
    try:
        users = [user for user in cache_users.others(layout) if not user.gone]
        if not users:
            return set(candidates)
        if not all(user.present for user in users):
            return set()
        ours, theirs = _outs([layout.root]), _outs(user.root for user in users)
        results = Results(layout.results_dir).read().values()
    except (LockFileError, CacheError, GitError):
        return set()
    name = "" if layout.cache is None else identity.known(layout) or None  # as results are recorded
    our_keys = set(_keys(each for each in results if each.project == name))
    their_keys = set(_keys(each for each in results if each.project != name))

    def is_own(key: str, records: tuple[RunRecord, ...]) -> bool:
        outs = {_facts(record.outs) for record in records}
        named_here = key in our_keys or not outs.isdisjoint(ours)
        return named_here and key not in their_keys and outs.isdisjoint(theirs)

    return {key for key, records in candidates.items() if is_own(key, records)}


def _outs(projects: Iterable[pathlib.Path]) -> set[_Outs]:
    """The outs of every lock, by which its run is found: the key may depend on versions that the lock does not have."""
    return {_facts(lock.outs) for root in projects for lock in gc_roots.locks(root)}


def _facts(outs: Mapping[ArtifactPath, Artifact]) -> _Outs:
    return frozenset(outs.items())


def _keys(results: Iterable[Result]) -> Iterator[str]:
    return (stage.key for result in results for stage in result.stages.values())
