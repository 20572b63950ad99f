"""Pages of directories: in the workspace, and as a run recorded them."""

import os
import stat
from collections.abc import Iterable
from typing import Final

import attrs

from pivot_cache.formats.tree import Tree
from pivot_core.values import Value
from pivot_runtime.previews.cells import shortened
from pivot_runtime.previews.tables import Window

MOST_ENTRIES: Final = 100_000
"""The entries of a directory in the workspace that are looked at."""


@attrs.frozen(eq=False, repr=False)
class DirectoryEntry(Value):
    """An entry of a directory.

    Attributes:
        name: Its name.
        kind: ``file``, ``directory``, ``link`` or ``other``.
        size: Its bytes; None if they are unknown.
    """

    name: str
    kind: str
    size: int | None


@attrs.frozen(eq=False, repr=False)
class DirectoryPreview(Value):
    """One page of a directory.

    Attributes:
        entries: The entries, by name.
        offset: The number of entries before them.
        total: The number of all entries; None if there are more than `MOST_ENTRIES`.
    """

    entries: tuple[DirectoryEntry, ...]
    offset: int
    total: int | None


def of_workspace(descriptor: int, window: Window) -> DirectoryPreview:
    """A page of an open directory in the workspace; symbolic links are not followed.

    Raises:
        OSError: It cannot be listed.
    """
    found: list[os.DirEntry[str]] = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            found.append(entry)
            if len(found) > MOST_ENTRIES:
                break
    total = len(found) if len(found) <= MOST_ENTRIES else None
    found.sort(key=lambda entry: entry.name)
    return DirectoryPreview(tuple(map(_entry, found[window.offset : window.end])), window.offset, total)


def of_tree(tree: Tree, inside: str, window: Window) -> DirectoryPreview | None:
    """A page of a recorded directory, or of one in it; None if there is none at the path inside."""
    lead = f"{inside}/" if inside else ""
    found: dict[str, DirectoryEntry] = {}
    for path, file in tree.files.items():
        if path.startswith(lead):
            name, deeper, _ = path[len(lead) :].partition("/")
            before = found.get(name)
            size = file.size + (before.size or 0 if before is not None else 0)
            found[name] = DirectoryEntry(name, "directory" if deeper else "file", size)
    for path in tree.empty:
        if path.startswith(lead):
            name = path[len(lead) :].partition("/")[0]
            found.setdefault(name, DirectoryEntry(name, "directory", 0))
    if not found and inside and inside not in tree.empty:
        return None
    names = sorted(found)
    return DirectoryPreview(tuple(_named(found, names[window.offset : window.end])), window.offset, len(names))


def _named(found: dict[str, DirectoryEntry], names: Iterable[str]) -> Iterable[DirectoryEntry]:
    return (found[name] for name in names)


def _entry(entry: "os.DirEntry[str]") -> DirectoryEntry:
    name = shortened(entry.name)
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return DirectoryEntry(name, "other", None)
    if stat.S_ISREG(status.st_mode):
        return DirectoryEntry(name, "file", status.st_size)
    if stat.S_ISDIR(status.st_mode):
        return DirectoryEntry(name, "directory", None)
    return DirectoryEntry(name, "link" if stat.S_ISLNK(status.st_mode) else "other", None)
