"""Walks through a directory, and one digest over the status of all its files; imports next to nothing."""

import os
import stat

import xxhash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    type Entry = os.DirEntry[str]


def _nothing(entry: "Entry", *_: object) -> None:
    raise OSError(0, "cannot be part of an artifact", entry.path)


def walk(
    top: str,
    unreadable: "Callable[[Entry, OSError], None]" = _nothing,
    irregular: "Callable[[Entry, os.stat_result], None]" = _nothing,
) -> tuple[list[tuple[str, os.stat_result]], list[str]]:
    """Relative path and status of every file below a directory, and the directories that hold nothing.

    Symlinks to files are followed. ``unreadable`` is called for what has no status, which is left out if it returns,
    and ``irregular``, which must raise, for what is neither a file nor a directory.

    Raises:
        OSError: A directory cannot be listed; ``filename`` says which.
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


def signature(files: "Iterable[tuple[str, os.stat_result]]", empty: "Iterable[str]") -> str:
    """One text that changes when any file, name, mode or empty directory does."""
    lines = [
        f"{path}\0{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        f" {status.st_mode & stat.S_IXUSR}"
        for path, status in files
    ]
    return xxhash.xxh3_128_hexdigest("\0".join((*lines, "", *empty)).encode("utf-8", "surrogateescape"))
