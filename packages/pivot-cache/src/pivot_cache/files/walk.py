"""Walks through directories; imports almost nothing."""

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    type Entry = os.DirEntry[str]


def _refuse(entry: "Entry", *_: object) -> None:
    raise OSError(0, "cannot be part of an artifact", entry.path)


def walk(
    top: str,
    unreadable: "Callable[[Entry, OSError], None]" = _refuse,
    irregular: "Callable[[Entry, os.stat_result], None]" = _refuse,
) -> tuple[list[tuple[str, os.stat_result]], list[str]]:
    """The relative path and status of every file below a directory, and the empty directories.

    Symlinks to files are followed. ``unreadable`` is called for entries without a status, which are skipped if it
    returns, and ``irregular``, which must raise, for entries that are neither files nor directories.

    Raises:
        OSError: A directory cannot be listed; ``filename`` names it.
    """
    files: list[tuple[str, os.stat_result]] = []
    empty: list[str] = []
    todo = [""]
    while todo:
        below = todo.pop()
        before = len(files) + len(todo)
        prefix = f"{below}/" if below else ""
        with os.scandir(f"{top}/{below}") as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(prefix + entry.name)
                    continue
                try:
                    status = entry.stat()
                except OSError as error:
                    unreadable(entry, error)
                    continue
                if not stat.S_ISREG(status.st_mode):
                    irregular(entry, status)
                files.append((prefix + entry.name, status))
        if below and len(files) + len(todo) == before:
            empty.append(below)
    return files, empty
