"""File systems that ignore the case of names or the encoding of accents."""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from pivot_core.files.paths import STATE_DIR


def ignores_case(root: Path) -> bool:
    """Whether a project's file system treats such names as equal."""
    try:
        return os.path.samefile(root / STATE_DIR, root / STATE_DIR.upper())
    except OSError:
        return False


def clashes[Path_: str](paths: Iterable[Path_]) -> dict[Path_, Path_]:
    """The paths that differ from another given path only in case or accents, each with that path."""
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
    """The form of a name that such a file system compares: decomposed and folded, twice, as folding may compose."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
