"""File systems that take names for equal that differ only by case or by the form of an accent."""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from pivot_core.paths import STATE_DIR


def ignores_case(root: Path) -> bool:
    """Whether the file system of a project takes such names for one."""
    try:
        return os.path.samefile(root / STATE_DIR, root / STATE_DIR.upper())
    except OSError:
        return False


def clashes[Path_: str](paths: Iterable[Path_]) -> dict[Path_, Path_]:
    """Each of some paths that has another one of the same name but for case or accents, with that one."""
    groups: dict[str, list[Path_]] = {}
    for path in dict.fromkeys(paths):
        groups.setdefault(_folded(path), []).append(path)
    return {
        path: next(other for other in group if other != path)
        for group in groups.values()
        if len(group) > 1
        for path in group
    }


def _folded(path: str) -> str:
    """The form of a name that such a file system compares: decomposed, folded, and again, since folding may compose."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
