"""Stores a file, or a directory with all its files, from the workspace."""

import functools
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pivot_cache.errors import ArtifactError
from pivot_cache.files.atomic import sweep_once
from pivot_cache.files.threads import map_parallel
from pivot_cache.formats.tree import Tree
from pivot_cache.objects.store import ObjectStore
from pivot_cache.state.scan import Scan, of_file, scan
from pivot_cache.state.stat_cache import StatCache
from pivot_core.lock import Artifact

if TYPE_CHECKING:
    from pivot_cache.objects.sha256 import Sha256Index

_WORTH_WAITING = 1 << 20
_PER_FILE = 4096
"""The cost of checking a file, in bytes that could be hashed in that time."""


def ingest(  # noqa: PLR0913 - where, how much at once, and when
    path: Path | str,
    store: ObjectStore,
    files: StatCache,
    *,
    jobs: int | None = None,
    progress: Callable[[int], None] | None = None,
    sha256_file: Path | None = None,
    later: bool = False,
    found: Scan | None = None,
) -> Artifact:
    """Store the file or directory at an absolute path, and record it in the stat cache.

    Only files that the store lacks are copied; files that the stat cache knows are not read. The listing of a directory
    is stored last, so that it never names missing objects.

    Args:
        path: A file or a directory; symlinks are followed.
        store: The store for the objects.
        files: The record of unchanged files.
        jobs: The number of files copied at the same time; by default the number of processors.
        progress: Called with the size of each stored file, from several threads.
        sha256_file: The record of the SHA-256 of objects, from which it is added to the artifact. The store computes it
            for new files.
        later: Whether the bytes of a small file may wait for `ObjectStore.write_pending`.
        found: The scan of the directory, if the caller has just made it.

    Returns:
        The artifact, which describes exactly the stored bytes, even if files change meanwhile.

    Raises:
        ArtifactError: The path does not exist, or contains something that cannot be part of an artifact.
        CacheError: The store cannot be written.
    """
    name = os.fspath(path)
    sweep_once(os.path.dirname(name))
    try:
        status = os.stat(name)
        if stat.S_ISDIR(status.st_mode):
            tree = _directory(Path(path), found or scan(Path(path)), store, files, jobs, progress)
            return tree.artifact() if sha256_file is None else _sha256_index(sha256_file).of_tree(tree, store)
        artifact = _file(name, status, store, files, later=later and sha256_file is None)
        if progress is not None:
            progress(artifact.size)
        return artifact if sha256_file is None else _sha256_index(sha256_file).of_file(artifact, store)
    except (FileNotFoundError, NotADirectoryError):
        raise ArtifactError(Path(path), "there is no such file") from None


def _sha256_index(file: Path) -> "Sha256Index":
    from pivot_cache.objects.sha256 import Sha256Index  # lazy

    return Sha256Index(file)


def _file(path: str, status: os.stat_result, store: ObjectStore, files: StatCache, *, later: bool) -> Artifact:
    artifact = files.known(path, status)
    if artifact is None or not store.verified(artifact.digest, artifact.size):
        artifact = files.storing(path, functools.partial(store.put, later=later), status)
    return artifact


def _directory(
    path: Path,
    found: Scan,
    store: ObjectStore,
    files: StatCache,
    jobs: int | None,
    progress: Callable[[int], None] | None,
) -> Tree:
    if sum(status.st_size + _PER_FILE for _, status in found.files) >= _WORTH_WAITING:
        files.settle(found.settles_at())
    began = files.now()
    kept = {
        name: file for name, file in files.known_below(path, found).items() if store.verified(file.digest, file.size)
    }
    if progress is not None:
        for artifact in kept.values():
            progress(artifact.size)
    lacking = [file for file in found.files if file[0] not in kept]
    if lacking:
        with store.temporary() as place:
            put = functools.partial(store.put, place=place)

            def keep(file: tuple[str, os.stat_result]) -> Artifact:
                artifact = of_file(path, file[0], lambda source: files.storing(source, put))
                if progress is not None:
                    progress(artifact.size)
                return artifact

            stored = map_parallel(keep, lacking, lambda file: file[1].st_size, jobs)
        kept.update((name, artifact) for (name, _), artifact in zip(lacking, stored, strict=True))
    tree = Tree(kept, tuple(found.empty))
    store.put_tree(tree)
    files.learn(path, found, tree, began)
    return tree
