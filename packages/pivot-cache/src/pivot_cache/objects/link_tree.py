"""Directories in the workspace: built beside and renamed, or brought to what they should hold file by file."""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from pivot_cache.errors import CacheError
from pivot_cache.files import atomic, syscalls
from pivot_cache.formats.tree import Tree
from pivot_core.lock import Artifact

type Fill = Callable[[Artifact, str, Path], None]
"""Makes a new file with this content under a free name; the path is what errors call it."""


def build(tree: Tree, place: Path, target: Path, fill: Fill) -> int:
    """Make ``target`` the directory, where no directory is: all of it below ``place``, then swapped in.

    Returns:
        How many files were written.
    """
    new = place / "new"
    syscalls.mkdir(new)
    for directory in tree.directories():
        _mkdir(new / directory, target / directory)
    for path, file in tree.files.items():
        try:
            fill(file, f"{new}/{path}", target / path)
        except FileExistsError:
            raise _clash(target / path) from None
    if os.path.lexists(target):  # a file or a symlink: a directory cannot be renamed over it
        syscalls.rename(target, place / "old")
    try:
        syscalls.rename(new, target)
    except OSError:
        if os.path.lexists(place / "old"):
            syscalls.rename(place / "old", target)
        raise
    return len(tree.files)


def update(tree: Tree, found: Mapping[str, Artifact], place: Path, target: Path, fill: Fill) -> int:
    """Bring the directory ``target`` to what ``tree`` says: what is as it should be is not touched.

    Everything new is made below ``place`` first, so that a missing or corrupt object changes nothing. Then
    what does not belong is removed, and each file swapped in.

    Args:
        tree: The artifacts that should be there.
        found: The existing artifacts; what is not in it is taken for something else.
        place: An empty directory on the same file system.
        target: The directory.
        fill: Makes a file.

    Returns:
        How many files were written.
    """
    new: dict[str, str] = {}
    for path, file in tree.files.items():
        if found.get(path) != file:
            new[path] = f"{place}/{len(new)}"
            fill(file, new[path], target / path)
    directories = tree.directories()
    _remove_foreign(target, tree, frozenset(directories))
    files, present = map(set, _listing(target))
    for directory in directories:
        if directory not in present:
            _mkdir(target / directory, target / directory)
    for path, made in new.items():
        if path not in files and os.path.lexists(target / path):
            raise _clash(target / path)
        _swap_in(made, target / path)
    return len(new)


def _swap_in(made: str, target: Path) -> None:
    """Rename it, or, where the directory is a mount point, such as the volume of a container, a copy of it."""
    try:
        syscalls.rename(made, target)
    except OSError as error:
        status = os.lstat(made)
        if error.errno != errno.EXDEV or not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise
        with open(made, "rb") as source, atomic.temporary(target.parent) as (descriptor, temp):
            with open(descriptor, "wb", closefd=False) as copy:
                shutil.copyfileobj(source, copy)
            syscalls.fchmod(descriptor, stat.S_IMODE(status.st_mode))
            syscalls.rename(temp, target)


def _remove_foreign(target: Path, tree: Tree, directories: frozenset[str]) -> None:
    files, found = _listing(target)
    for path in files:
        if path not in tree.files:
            syscalls.unlink(target / path)
    for path in reversed(found):  # what is in a directory before it
        if path not in directories:
            syscalls.rmdir(target / path)


def _listing(root: Path) -> tuple[list[str], list[str]]:
    """All that is in a directory, whatever it is: all but directories, and directories, parents first."""
    files: list[str] = []
    directories: list[str] = []
    todo = [""]
    while todo:
        below = todo.pop()
        prefix = f"{below}/" if below else ""
        with os.scandir(root / below) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(prefix + entry.name)
                    directories.append(prefix + entry.name)
                else:
                    files.append(prefix + entry.name)
    return files, directories


def _mkdir(path: Path, shown: Path) -> None:
    try:
        syscalls.mkdir(path)
    except FileExistsError:
        raise _clash(shown) from None


def _clash(path: Path) -> CacheError:
    return CacheError(
        f"cannot restore {path}: here it has the same name as another file of that directory",
        hint="this file system takes upper and lower case, or two forms of an accented letter, for the same: "
        "use another one, or rename one of the files where the directory is made",
    )
