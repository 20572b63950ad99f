"""Git's index: which paths of a project git tracks. A repeated command may ask that, so this module imports little."""

import contextlib
import os
import pathlib
from collections.abc import Sequence
from typing import Final

from pivot_core.files.paths import parent_names

_MOST_BYTES: Final = 1 << 16
"""The most bytes of paths that are arguments of git; of more, all paths that git tracks are listed."""


def tracks(root: pathlib.Path, path: str) -> bool:
    """Whether a path of the project, a link itself and not its target, is in git's index."""
    from pivot_runtime.git import calls  # lazy

    if not calls.is_in_repository(root):
        return False
    try:
        done = calls.run(root, "--literal-pathspecs", "ls-files", "-z", "--", path)
    except OSError:
        return False
    return done.returncode == 0 and os.fsencode(path) in done.stdout.split(b"\0")


def tracked(root: pathlib.Path, paths: Sequence[str]) -> set[str] | None:
    """The paths, among some of a project, that git tracks, or in which it tracks something; None without an answer."""
    from pivot_runtime.git import calls  # lazy

    if not paths or not calls.is_in_repository(root):
        return set()
    asked = paths if sum(map(len, paths)) < _MOST_BYTES else ()
    try:
        done = calls.run(root, "--literal-pathspecs", "ls-files", "-z", "--", *asked)
    except OSError:
        return None
    if done.returncode:
        return None
    names = {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}
    return names.union(*map(parent_names, names)).intersection(paths)


def index_file(root: pathlib.Path) -> pathlib.Path | None:
    """The file in which git keeps the paths that it tracks; None if there is no repository around the project."""
    for directory in (root, *root.parents):
        place = directory / ".git"
        if place.is_dir():
            return place / "index"
        with contextlib.suppress(OSError, ValueError):
            return directory / place.read_text().strip().removeprefix("gitdir: ") / "index"
    return None
