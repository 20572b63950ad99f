"""Walks through directories, stat signatures, and the time at which a signature is final; imports almost nothing."""

import os
import stat

import xxhash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    type Entry = os.DirEntry[str]


_SECOND_NS = 1_000_000_000
_FINE_STEP_NS = 20_000_000
_COARSE_STEP_NS = 2 * _SECOND_NS


def _ignore(entry: "Entry", *_: object) -> None:
    raise OSError(0, "cannot be part of an artifact", entry.path)


def walk(
    top: str,
    unreadable: "Callable[[Entry, OSError], None]" = _ignore,
    irregular: "Callable[[Entry, os.stat_result], None]" = _ignore,
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


def stat_signature(status: os.stat_result) -> str:
    """A text that changes when the file changes."""
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def tree_signature(files: "Iterable[tuple[str, os.stat_result]]", empty: "Iterable[str]") -> str:
    """A text that changes when any file, name, mode or empty directory changes."""
    lines = [f"{path}\0{stat_signature(status)} {status.st_mode & stat.S_IXUSR}" for path, status in files]
    return xxhash.xxh3_128_hexdigest("\0".join((*lines, "", *empty)).encode("utf-8", "surrogateescape"))


def settles_at(*changed_ns: int) -> int:
    """The time after which any change gives files that were changed at these times new signatures.

    All times are in ns since the epoch. The time stamps of a file system advance in steps: until the next step, an edit
    may leave the change time as it is.
    """
    # Only times in whole seconds reveal a file system that stores no fractions.
    return max((at + (_FINE_STEP_NS if at % _SECOND_NS else _COARSE_STEP_NS) for at in changed_ns), default=0)
