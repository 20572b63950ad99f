"""Marks of files and directories: short texts that change with what is at a path; imports next to nothing."""

import os
import stat

ABSENT = "-"
DIRECTORY = "directory"
_SECOND_NS = 1_000_000_000
_FINE_STEP_NS = 20_000_000
_COARSE_STEP_NS = 2 * _SECOND_NS


def mark(path: str) -> str:
    """The mark of what is at a path, symlinks followed: `ABSENT` if nothing is there or it cannot be looked at."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ABSENT
    return f"{found.st_ctime_ns} {found.st_mtime_ns} {found.st_size} {found.st_ino} {found.st_dev} {found.st_mode}"


def settled(marked: str, now: int) -> bool:
    """Whether any change after ``now``, in ns since the epoch, must give the path another mark."""
    if marked == ABSENT or marked.startswith(DIRECTORY):
        return True
    changed = int(marked.partition(" ")[0])
    coarse = changed % _SECOND_NS == 0  # the only sign of a file system that keeps whole seconds
    return changed + (_COARSE_STEP_NS if coarse else _FINE_STEP_NS) <= now


def place(path: str) -> str:
    """As `mark`, but of a directory only that it is this one, whatever is in it."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ABSENT
    if stat.S_ISDIR(found.st_mode):
        return f"{DIRECTORY} {found.st_ino} {found.st_dev} {found.st_mode}"
    return mark(path)


def now(path: str, like: str) -> str:
    """The mark of a path now, of the kind that ``like`` is."""
    return place(path) if like.startswith(DIRECTORY) else mark(path)
