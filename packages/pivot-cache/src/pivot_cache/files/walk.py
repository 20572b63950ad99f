"""Walks through directories, stat signatures, and when a signature is final; imports next to nothing."""

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


def stat_signature(status: os.stat_result) -> str:
    """Return a text that changes when the file does."""
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def tree_signature(files: "Iterable[tuple[str, os.stat_result]]", empty: "Iterable[str]") -> str:
    """One text that changes when any file, name, mode or empty directory does."""
    lines = [f"{path}\0{stat_signature(status)} {status.st_mode & stat.S_IXUSR}" for path, status in files]
    return xxhash.xxh3_128_hexdigest("\0".join((*lines, "", *empty)).encode("utf-8", "surrogateescape"))


def settles_at(*changed_ns: int) -> int:
    """Return the time from which any later change must give files that were changed at these times other signatures.

    All times are in ns since the epoch. The time stamps of a file system move in steps: until the next one, an edit may
    leave the time of the last change as it is.
    """
    # Whole seconds are the only sign of a file system that keeps no more than that.
    return max((at + (_FINE_STEP_NS if at % _SECOND_NS else _COARSE_STEP_NS) for at in changed_ns), default=0)
