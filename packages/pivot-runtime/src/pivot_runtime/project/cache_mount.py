"""The file system that a project's cache is on: while it is absent, nothing is created in its place."""

import contextlib
import os
import pathlib

from pivot_cache.errors import CacheError
from pivot_cache.files import safe_read
from pivot_cache.files.atomic import write_bytes
from pivot_cache.layout import Layout


def remember(layout: Layout) -> None:
    """Remember the mount point above a cache outside the project; a project that cannot be written stays as it is."""
    if layout.cache_dir.is_relative_to(layout.root):
        return
    with contextlib.suppress(CacheError, OSError):
        data = f"{layout.cache_dir}\0{mount_point(layout.cache_dir)}\n".encode("utf-8", "surrogateescape")
        write_bytes(layout.cache_mount_file, data)


def absent(layout: Layout) -> pathlib.Path | None:
    """Return the remembered mount point if nothing is mounted there now, else None."""
    try:
        text = safe_read.read_regular(layout.cache_mount_file).decode("utf-8", "surrogateescape")
    except OSError:
        return None
    cache, _, point = text.removesuffix("\n").partition("\0")
    return pathlib.Path(point) if point and cache == str(layout.cache_dir) and not os.path.ismount(point) else None


def mount_point(path: pathlib.Path) -> pathlib.Path:
    """Return the mount point of the file system that a path is on."""
    real = path.resolve()
    return next(each for each in (real, *real.parents) if os.path.ismount(each))
