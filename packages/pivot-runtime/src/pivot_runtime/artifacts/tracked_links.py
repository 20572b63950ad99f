"""Tracked data that are a symbolic link to where they lie: written through it, or left alone; the link always stays."""

import os
import pathlib

from pivot_cache.errors import CacheError
from pivot_cache.state.scan import leads_to_object
from pivot_core.lock import Artifact
from pivot_core.paths import STATE_DIR, ArtifactPath
from pivot_runtime.git import repository

_STATE = frozenset({".git", STATE_DIR})


def is_followed(file: pathlib.Path) -> bool:
    """Whether a path is a link of the user's: not one that Pivot made, to an object of a cache."""
    return file.is_symlink() and not leads_to_object(os.fspath(file))


def check(root: pathlib.Path, path: ArtifactPath, artifact: Artifact) -> None:
    """Refuse to write through a link that the user has not made for these data.

    A link and a `.pvt` file may both come with the branch of a stranger; data that are tracked are not in git.

    Raises:
        CacheError: Nothing is to be written through it; it says why.
    """
    file = root / path
    real = pathlib.Path(os.path.realpath(file))
    way = "put the data themselves in its place, or remove it"
    if not real.exists():
        raise CacheError(f"{file} is a symbolic link that leads nowhere: {way}", hint=way)
    if real.is_dir() is not artifact.tree:
        kinds = ("directory", "file") if real.is_dir() else ("file", "directory")
        raise CacheError(f"{file} is a symbolic link to a {kinds[0]}, and a {kinds[1]} is recorded: {way}", hint=way)
    inside = os.path.relpath(real, os.path.realpath(root))
    if not inside.startswith("..") or not _STATE.isdisjoint(part.casefold() for part in real.parts):
        raise CacheError(f"{file} is a symbolic link to {real}, where nothing is restored to: {way}", hint=way)
    if repository.tracks(root, path):
        raise CacheError(f"{file} is a symbolic link that has come by git, which is not followed: {way}", hint=way)


def replaced(directory: pathlib.Path, names: "set[str]") -> str | None:
    """The first of these files in a directory that is a link of the user's, and would be replaced by a file."""
    return next((name for name in sorted(names) if is_followed(directory / name)), None)
