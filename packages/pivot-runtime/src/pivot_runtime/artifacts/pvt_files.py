"""Where `.pvt` files are looked for: the walk that finds them, and whether it would come to a path."""

import os
import pathlib
from collections.abc import Callable, Collection, Iterator

from pivot_cache.formats import pvt

_ENVIRONMENT = "pyvenv.cfg"
_SKIPPED = frozenset({"node_modules", "__pycache__"})


def find(root: pathlib.Path, look: Callable[[str], object], foreign: Collection[str] = ()) -> Iterator[pathlib.Path]:
    """All of them.

    Hidden directories, environments and what is behind symbolic links are not searched, nor are tracked directories
    themselves: `track` refuses to put a file there.

    Args:
        root: Of the project.
        look: Called for each directory before it is listed.
        foreign: Whoever takes a file adds its path here if it stands for nothing.
    """
    pending = [os.fspath(root)]
    while pending:
        directory = pending.pop()
        look(directory)
        inner: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    is_directory = entry.is_dir(follow_symlinks=False)
                    if entry.name.endswith(pvt.SUFFIX) and entry.name != pvt.SUFFIX and not is_directory:
                        names.append(entry.name)
                    elif entry.name == _ENVIRONMENT and directory != os.fspath(root):
                        inner.clear()
                        names.clear()
                        break
                    elif is_directory and not _is_skipped(entry.name):
                        inner.append(entry.name)
        except OSError:
            continue  # what cannot be listed holds nothing that could be restored either
        for name in names:
            yield pathlib.Path(directory, name)
        here = {name for name in names if os.path.join(directory, name) not in foreign}
        pending.extend(os.path.join(directory, name) for name in inner if f"{name}{pvt.SUFFIX}" not in here)


def unsearched(root: pathlib.Path, path: str) -> tuple[str, str] | None:
    """The first directory on the way to a project path that `find` does not search, and why; None if it gets there."""
    parts = path.split("/")[:-1]
    for length in range(1, len(parts) + 1):
        around = "/".join(parts[:length])
        directory = root / around
        if directory.is_symlink():
            return around, "is a symbolic link"
        if _is_skipped(parts[length - 1]):
            return around, "is left out of searches"
        if (directory / _ENVIRONMENT).exists():
            return around, f"is a virtual environment ({_ENVIRONMENT})"
    return None


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED
