"""How files are created from objects, and the kinds of links that work between two directories, tested once."""

import contextlib
import enum
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from pivot_cache.files import syscalls
from pivot_cache.files.atomic import staging

REFLINK, HARDLINK, SYMLINK = "reflink", "hardlink", "symlink"


class CheckoutMode(enum.Enum):
    """How a file in the workspace is created from an object.

    A copy shares blocks with the object if the file system supports it, and can be edited without harm. A link takes no
    space and is read-only. Since all hard links of a file have the same mode, executable files are copied in every
    mode; so are empty files, for which a link saves nothing.
    """

    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


def probe(objects: Path, workspace: Path) -> Mapping[str, bool]:
    """Whether each kind of link works; all are False if one of the directories cannot be written to.

    Args:
        objects: The directory of the objects; created if necessary.
        workspace: A directory on the workspace's file system; created if necessary.
    """
    ways: Mapping[str, Callable[[Path, Path], object]] = {
        REFLINK: _clone,
        HARDLINK: syscalls.link,
        SYMLINK: syscalls.symlink,
    }
    results = dict.fromkeys(ways, False)
    with contextlib.suppress(OSError), staging(objects) as source, staging(workspace) as target:
        file = source / "file"
        descriptor = syscalls.create(file, 0o600)
        with contextlib.suppress(OSError):
            syscalls.write(descriptor, b"x" * 4096)
        os.close(descriptor)
        for name, way in ways.items():
            with contextlib.suppress(OSError):
                way(file, target / name)
                results[name] = True
    return results


def _clone(source: Path, target: Path) -> None:
    with source.open("rb") as file:
        descriptor = syscalls.create(target, 0o600)
        try:
            syscalls.clone(file.fileno(), descriptor)
        finally:
            os.close(descriptor)
