"""What was in the way: kept before it is replaced, for the grace period."""

import time
from collections.abc import Callable

from pivot_cache.errors import CacheError, LockFileError
from pivot_cache.kept import Kept, KeptFiles
from pivot_cache.layout import Layout
from pivot_core.lock import Artifact
from pivot_core.paths import ArtifactPath
from pivot_engine.stores import Stores


def keep(stores: Stores, path: ArtifactPath, by: str) -> Artifact:
    """Before something is replaced that nothing else names: keep it, on the disk itself.

    Raises:
        ArtifactError: It cannot be read.
        CacheError: The cache cannot be written.
    """
    found = stores.look(path)
    alone = found is None or not elsewhere(stores, path, found)
    artifact = stores.keep(stores.layout.artifact(path))
    _write_down(stores, path, artifact, by, alone=alone)
    return artifact


def untracked(stores: Stores, path: ArtifactPath, artifact: Artifact) -> None:
    """Data are no longer tracked: the cache has them still, and nothing names them.

    Raises:
        CacheError: The cache cannot be written.
    """
    if stores.store.lies(artifact.digest):
        _write_down(stores, path, artifact, "pivot untrack", alone=True)


def tracked(stores: Stores, path: ArtifactPath, artifact: Artifact) -> None:
    """Data are tracked, so that what was kept of them is named again.

    Raises:
        CacheError: The cache cannot be written.
    """
    _forget(stores, path, artifact)


def _write_down(stores: Stores, path: ArtifactPath, artifact: Artifact, by: str, *, alone: bool) -> None:
    now = time.time_ns()
    KeptFiles(stores.layout.kept_dir).add(Kept(str(stores.layout.root), path, artifact, now, by, alone))
    _forget(stores, path, artifact, before_ns=now)


def _forget(stores: Stores, path: ArtifactPath, artifact: Artifact, before_ns: int | None = None) -> None:
    of = (str(stores.layout.root), path, artifact.digest)
    for each in readable(stores.layout):
        if (each.root, each.path, each.artifact.digest) == of and (before_ns is None or each.at_ns < before_ns):
            KeptFiles(stores.layout.kept_dir).forget(each)


def elsewhere(stores: Stores, path: ArtifactPath, found: Artifact) -> bool:
    """Whether some run wrote, or some file names, what lies at a path: the cache has all of it, and not as kept."""
    if is_kept(stores, found):
        return False
    if not found.tree:
        return stores.store.has(found.digest, found.size)
    listed = stores.files.tree(stores.layout.artifact(path))
    return all(stores.store.has(file.digest, file.size) for file in listed.files.values())


def is_kept(stores: Stores, artifact: Artifact) -> bool:
    """Whether the cache has something only since it was in the way."""
    return bool(artifact.size) and any(
        each.alone and each.artifact.digest == artifact.digest for each in readable(stores.layout)
    )


def readable(layout: Layout) -> list[Kept]:
    """All that was kept in a cache, the newest first; what cannot be read is left out."""
    return [each for each in KeptFiles(layout.kept_dir).read() if isinstance(each, Kept)]


def pinned(layout: Layout, grace_ns: int, doubt: Callable[[CacheError], object]) -> set[Artifact]:
    """What must not be collected yet: what was kept within the grace period; ``doubt`` hears of what cannot be read."""
    since = time.time_ns() - grace_ns
    found = set()
    for each in KeptFiles(layout.kept_dir).read():
        if isinstance(each, LockFileError):
            doubt(each)
        elif each.at_ns > since:
            found.add(each.artifact)
    return found


def tidy(stores: Stores, grace_ns: int) -> None:
    """Forget what is older than the grace period, and neither in the cache nor in the trash any more.

    Raises:
        CacheError: It cannot be removed.
    """
    since = time.time_ns() - grace_ns
    for each in readable(stores.layout):
        digest = each.artifact.digest
        gone = not stores.store.path_of(digest).exists() and stores.store.trash.find(digest) is None
        if gone and each.at_ns <= since:
            KeptFiles(stores.layout.kept_dir).forget(each)
