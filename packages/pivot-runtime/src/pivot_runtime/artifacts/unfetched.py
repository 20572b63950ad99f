"""Directories of which only a part was fetched: they are not here, rather than modified."""

import os

from pivot_cache.errors import CacheError
from pivot_cache.formats import pvt, tree_diff
from pivot_cache.formats.tree_diff import Difference
from pivot_core.graph import Graph
from pivot_core.lock import Artifact
from pivot_core.paths import ArtifactPath
from pivot_runtime.artifacts import lock_files
from pivot_runtime.cache.stores import Stores
from pivot_runtime.project.project import Project


def differing(stores: Stores, path: ArtifactPath, recorded: Artifact) -> Difference | None:
    """How the directory at a path differs from a recorded one; None where the cache does not know what that lists."""
    try:
        return tree_diff.between(stores.store.tree(recorded), stores.files.tree(stores.layout.artifact(path)))
    except CacheError:
        return None


def is_unfetched(project: Project, stores: Stores, graph: Graph, path: ArtifactPath, found: Artifact) -> bool:
    """Whether something is not here of the directory at a path, and everything else is as it is recorded.

    Of what a stage has left, whoever removed it: it counts as missing. Of tracked data only where the cache does not
    have it either: what is in the cache, and not here, the user has hardly failed to fetch.
    """
    for address in graph.writers(path):
        lock = lock_files.read(project, address)
        recorded = None if lock is None else lock.outs.get(path)
        if recorded is not None:
            differs = _differing(stores, path, recorded, found)
            return differs is not None and differs.partial
    recorded = _tracked(project, path)
    differs = None if recorded is None else _differing(stores, path, recorded, found)
    if recorded is None or differs is None or not differs.partial:
        return False
    listed = stores.store.tree(recorded).files
    return any(name in listed and not stores.store.has(listed[name].digest) for name in differs.absent)


def _differing(stores: Stores, path: ArtifactPath, recorded: Artifact, found: Artifact) -> Difference | None:
    return differing(stores, path, recorded) if recorded.tree and recorded != found else None


def _tracked(project: Project, path: ArtifactPath) -> Artifact | None:
    file = project.root / f"{path}{pvt.SUFFIX}"
    project.notes.look(file)
    if not os.path.lexists(file):
        return None
    try:
        return pvt.read(file)
    except CacheError:
        return None
