"""The files stored as ``ab/cdef...`` in a directory, for objects and run records, in use or in the trash."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pivot_core.files.digest import is_digest

_SHARD = 2
"""The length of a shard's name, as in `pivot_cache.layout.sharded`."""


def entries(directory: Path) -> "Iterator[tuple[str, os.DirEntry[str]]]":
    """The digest and the directory entry of everything whose path forms a digest, in no order, links included.

    Raises:
        OSError: A directory cannot be read.
    """
    for shard in _scan(directory):
        if len(shard.name) == _SHARD and shard.is_dir(follow_symlinks=False):
            for entry in _scan(shard.path):
                if is_digest(shard.name + entry.name):
                    yield shard.name + entry.name, entry


def files(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The digest and the status of every regular file among them; files that disappear meanwhile are skipped.

    Raises:
        OSError: A directory cannot be read.
    """
    for digest, entry in entries(directory):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield digest, status


def _scan(directory: str | Path) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(directory) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
