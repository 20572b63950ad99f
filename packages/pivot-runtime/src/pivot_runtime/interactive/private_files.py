"""Private copies of content from the cache, which last as long as this process."""

import atexit
import os
import pathlib
import shutil
import tempfile
from typing import Final

from pivot_cache.objects.store import ObjectStore
from pivot_core.lock import Artifact

_directories: Final[dict[int, pathlib.Path]] = {}
"""By process, the directory of its copies: a forked process neither uses nor removes that of its parent."""


def private_copy(store: ObjectStore, artifact: Artifact, name: str) -> pathlib.Path:
    """Return a copy of verified content from the store, under the last part of a path.

    Raises:
        CacheError: The content is missing or damaged, or the copy cannot be written.
    """
    file = pathlib.Path(tempfile.mkdtemp(dir=_directory()), name)
    store.restore(artifact, file)
    return file


def private_file(data: bytes, name: str) -> pathlib.Path:
    """Return a file with these bytes."""
    file = pathlib.Path(tempfile.mkdtemp(dir=_directory()), name)
    file.write_bytes(data)
    return file


def discard(copy: pathlib.Path) -> None:
    """Remove a copy that is not needed any more."""
    shutil.rmtree(copy.parent, ignore_errors=True)


def _directory() -> pathlib.Path:
    process = os.getpid()
    known = _directories.get(process)
    if known is None or not known.is_dir():
        known = _directories[process] = pathlib.Path(tempfile.mkdtemp(prefix="pivot-"))
        atexit.register(_remove, process)
    return known


def _remove(process: int) -> None:
    if process == os.getpid():
        shutil.rmtree(_directories[process], ignore_errors=True)
