"""Which ways to make a file in the workspace from an object work between two directories: found out by trying."""

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from pivot_cache import _syscalls
from pivot_cache.atomic import staging

REFLINK, HARDLINK, SYMLINK = "reflink", "hardlink", "symlink"


def working(objects: Path, workspace: Path) -> Mapping[str, bool]:
    """Whether each of them works; False for all where one of the directories cannot be written to.

    Args:
        objects: Where the objects lie; made if need be.
        workspace: A directory on the workspace's file system; made if need be.
    """
    ways: Mapping[str, Callable[[Path, Path], object]] = {
        REFLINK: _clone,
        HARDLINK: _syscalls.link,
        SYMLINK: _syscalls.symlink,
    }
    results = dict.fromkeys(ways, False)
    with contextlib.suppress(OSError), staging(objects) as source, staging(workspace) as target:
        file = source / "file"
        descriptor = _syscalls.create(file, 0o600)
        with contextlib.suppress(OSError):
            _syscalls.write(descriptor, b"x" * 4096)
        os.close(descriptor)
        for name, way in ways.items():
            with contextlib.suppress(OSError):
                way(file, target / name)
                results[name] = True
    return results


def _clone(source: Path, target: Path) -> None:
    with source.open("rb") as file:
        descriptor = _syscalls.create(target, 0o600)
        try:
            _syscalls.clone(file.fileno(), descriptor)
        finally:
            os.close(descriptor)
