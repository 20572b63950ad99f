"""Replaces files in the workspace that have the right content: copies by links to their objects, or links by copies."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pivot_cache.errors import as_cache_errors
from pivot_cache.files.atomic import sweep_once
from pivot_cache.files.link_modes import CheckoutMode
from pivot_cache.files.replace_check import unchecked
from pivot_cache.objects.materialize import Check, is_copied
from pivot_cache.objects.store import ObjectStore
from pivot_cache.state.scan import leads_to_object
from pivot_core.lock import Artifact


def differently_created(
    artifact: Artifact, target: Path, store: ObjectStore, mode: CheckoutMode
) -> dict[Path, Artifact]:
    """The files of an artifact that exist, but were not created in this way; symbolic links of the user are left out.

    Args:
        artifact: The content at the target.
        target: The path of the file or directory.
        store: The store that has the content.
        mode: How files are created from objects.

    Raises:
        MissingObjectError: The listing of a directory is missing.
        CorruptObjectError: It is damaged.
    """
    return {
        path: file
        for path, file in _files(artifact, target, store)
        if _created(path, store.path_of(file.digest))
        not in (None, CheckoutMode.COPY if is_copied(file, mode) else mode)
    }


def relink(
    artifact: Artifact, target: Path, store: ObjectStore, mode: CheckoutMode, *, check: Check = unchecked
) -> int:
    """Create those files of an artifact again, each atomically, that were not created in this way.

    ``check`` is called directly before each file is replaced; its errors prevent that.

    Returns:
        The number of files that were replaced.

    Raises:
        MissingObjectError: An object is missing.
        CorruptObjectError: An object is damaged; the file stays.
        CacheError: A file cannot be replaced, or the disk fails; files that were replaced before stay.
    """
    found = differently_created(artifact, target, store, mode)
    if found:
        store.persist(*found.values())  # their only other copy is replaced
        for directory in {path.parent for path in found}:
            sweep_once(directory)
    for path, file in found.items():
        store.restore(file, path, mode, check=check)
    return len(found)


def _files(artifact: Artifact, target: Path, store: ObjectStore) -> Iterator[tuple[Path, Artifact]]:
    if not artifact.tree:
        yield target, artifact
        return
    for name, file in store.tree(artifact).files.items():
        yield target / name, file


def _created(path: Path, object_path: Path) -> CheckoutMode | None:
    """How a file was created; None if it is the user's own link, or does not exist."""
    with as_cache_errors("read", path):
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(status.st_mode):
            if not leads_to_object(os.fspath(path)):
                return None
            here = os.path.realpath(path) == os.path.realpath(object_path)
            return CheckoutMode.SYMLINK if here else CheckoutMode.COPY
        try:
            linked = os.path.samestat(status, os.lstat(object_path))
        except FileNotFoundError:
            linked = False
    return CheckoutMode.HARDLINK if linked else CheckoutMode.COPY
