"""The paths that `pivot repro --watch` waits for: which have changed, and which of them runs write themselves."""

import os
import pathlib
from collections.abc import Collection, Iterable
from typing import Final

from pivot_core.errors import PivotError
from pivot_core.files.paths import touches
from pivot_runtime.context import CommandContext
from pivot_runtime.freshness.stamps import ABSENT, DIRECTORY, ReadSet, restamp
from pivot_runtime.project.ignore import ignored

_CODE: Final = (".py", ".yaml", ".yml", ".toml", ".json")
_PASSED_OVER: Final = frozenset({"node_modules", "__pycache__", "site-packages"})


def changed(read_set: ReadSet) -> list[str]:
    """The paths whose stamp differs from the read set."""
    found = [path for path, stamped in read_set.stamps.items() if restamp(path, stamped) != stamped]
    return found + [path for path, signature in read_set.trees.items() if _signature(path) != signature]


def update_stamps(read_set: ReadSet, paths: Iterable[str]) -> None:
    """Note the present stamps of paths, so that the same change is found only once."""
    for path in paths:
        if path in read_set.stamps:
            read_set.stamps[path] = restamp(path, read_set.stamps[path])


def edits(paths: Iterable[str], read_set: ReadSet, written: Collection[str]) -> tuple[str, ...]:
    """The changed paths that somebody else than a run has changed, where runs write the given ones."""
    return tuple(path for path in paths if not _by_runs(path, read_set, written))


def _by_runs(path: str, read_set: ReadSet, written: Collection[str]) -> bool:
    """Whether a run may have changed a path, including a run that failed and put back its outs.

    That is an out, a path in it, a directory around it, a lock, an object, or only the list of names in a directory.
    """
    return _only_names(path, read_set) or any(touches(path, each) for each in written)


def _only_names(path: str, read_set: ReadSet) -> bool:
    """Whether only names in a directory have changed, as they do when outs of a stage that failed are put back."""
    return os.path.isdir(path) and path not in read_set.trees and read_set.stamps[path] != ABSENT


def directories(read_set: ReadSet) -> set[str]:
    """The directories in which something must happen before a path of the read set can change."""
    found = set()
    for path, stamped in read_set.stamps.items():
        if path.endswith("/.pivot"):
            continue
        if not stamped.startswith(DIRECTORY) or stamped == ABSENT:
            found.add(_existing(os.path.dirname(path)))
        if os.path.isdir(path) and not stamped.startswith(DIRECTORY):
            found.add(path)
    for path in read_set.trees:
        found.update(directory for directory, _, _ in os.walk(path))
    return found


def note_code(context: CommandContext) -> None:
    """Look at every file in the project that may be code, since nobody knows which of them a load depends on."""
    try:
        passed_over = ignored(context.project.layout.ignore_file)
    except PivotError:
        passed_over = _no_pattern
    root = os.fspath(context.project.root)
    pending = [""]
    while pending:
        below = pending.pop()
        context.read_set.look(f"{root}/{below}".rstrip("/"))
        try:
            with os.scandir(f"{root}/{below}") as entries:
                listed = list(entries)
        except OSError:
            continue
        for entry in listed:
            path = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if not (entry.name.startswith(".") or entry.name in _PASSED_OVER or passed_over(f"{path}/")):
                    pending.append(f"{path}/")
            elif entry.name.endswith(_CODE):
                context.read_set.look(f"{root}/{path}")


def _no_pattern(_: str) -> bool:
    return False


def _signature(path: str) -> str:
    from pivot_cache.state.scan import scan  # lazy

    try:
        return scan(pathlib.Path(path)).signature()
    except (OSError, PivotError):
        return ""


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
