"""Patterns of paths, such as ``parts/*.csv``: which paths match, and which files and directories are there.

A path with a ``*`` is a pattern. In a pattern, ``*`` and ``?`` stand for letters of one name, ``[abc]`` for one of some
letters, and ``**`` for any number of directories. Names that begin with a dot match only a dot. ``[*]`` is a literal
``*``: a path whose every ``*`` is written so is no pattern.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Self

from pivot_core.files.paths import ArtifactPath

_LITERAL = "[*]"
_MAGIC = re.compile(r"[*?[]").search


def is_pattern(declared: str) -> bool:
    """Whether a declared path stands for all files that match."""
    return "*" in declared and "*" in declared.replace(_LITERAL, "")


def literal(declared: str) -> str:
    """The path that a declared one means, unless it is a pattern, which stays as it is."""
    return declared if is_pattern(declared) else declared.replace(_LITERAL, "*")


class PathPattern(ArtifactPath):
    """A pattern in the place of an artifact's path, relative to the project's root."""

    __slots__ = ()

    @classmethod
    def resolve(cls, declared: str | os.PathLike[str], *, base: str = "", root: str | None = None) -> Self:
        """As `ArtifactPath.resolve`; ``base`` is the path of a directory, not a pattern."""
        import glob  # lazy

        return super().resolve(declared, base=glob.escape(base), root=root)

    @property
    def base(self) -> ArtifactPath:
        """The directory that contains all files that match; ``.`` for the root."""
        parts = self.split("/")
        names = parts[: next(at for at, part in enumerate(parts) if _MAGIC(part))]
        return ArtifactPath("/".join(names) or ".")

    def matcher(self) -> Callable[[str], bool]:
        """Return whether a path matches."""
        import glob  # lazy

        matches = re.compile(glob.translate(self, recursive=True, include_hidden=False, seps="/")).match
        return lambda path: matches(path) is not None

    def may_match_in(self, directory: str) -> bool:
        """Whether files in a directory may match."""
        parts, names = self.split("/"), directory.split("/")
        for at, name in enumerate(names):
            if at < len(parts) and parts[at] == "**":
                return not name.startswith(".") or any(part.startswith(".") for part in parts[at + 1 :])
            if at >= len(parts) - 1:
                return False
            if not _segment(parts[at])(name):
                return False
        return True


def find_files(
    pattern: str, directory: str, *, suffix: str = "", look: Callable[[str], object] = lambda _: None
) -> list[str]:
    """The files in a directory that match a pattern, relative to it and sorted.

    Args:
        pattern: The pattern, relative to the directory.
        directory: An absolute path.
        suffix: Files with this ending count as the file of the name before it, whether that is there or not.
        look: Called with each path before it is inspected.
    """
    *parts, last = pattern.split("/")
    if last == "**":
        parts, last = [*parts, "**"], "*"
    found = set()
    for prefix in find_directories("/".join(parts), directory, look=look):
        inside = os.path.join(directory, prefix.rstrip("/")).rstrip("/")
        for name in _names(last, inside, suffix, look):
            if not os.path.isdir(os.path.join(inside, name)):
                found.add(f"{prefix}{name}")
    return sorted(found)


def find_directories(pattern: str, directory: str, *, look: Callable[[str], object] = lambda _: None) -> Iterable[str]:
    """The directories in a directory that match a pattern: relative to it, with a ``/`` at the end, ``""`` for itself.

    A ``**`` does not follow symbolic links, which may lead back.
    """
    found = {"": None}
    for part in pattern.split("/") if pattern else ():
        found = dict.fromkeys(inner for prefix in found for inner in _inner(part, prefix, directory, look))
    return found


def _inner(part: str, prefix: str, directory: str, look: Callable[[str], object]) -> Iterator[str]:
    inside = os.path.join(directory, prefix.rstrip("/")).rstrip("/")
    if part == "**":
        yield prefix
        look(inside)
        for entry in _entries(inside):
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _inner(part, f"{prefix}{entry.name}/", directory, look)
        return
    for name in _names(part, inside, "", look):
        if os.path.isdir(os.path.join(inside, name)):
            yield f"{prefix}{name}/"


def _names(part: str, inside: str, suffix: str, look: Callable[[str], object]) -> Iterable[str]:
    """The names in a directory that match one part of a pattern."""
    if not _MAGIC(part):
        path = os.path.join(inside, part)
        look(path)
        if suffix:
            look(path + suffix)
        there = os.path.lexists(path) or (suffix and os.path.lexists(path + suffix))
        return [part] if there else []
    look(inside)
    entries = _entries(inside)
    for entry in entries:
        if entry.is_symlink():  # what it leads to may appear, or become a directory
            look(entry.path)
    names = {entry.name for entry in entries}
    if suffix and not part.endswith(suffix):
        names = {name.removesuffix(suffix) for name in names}
    matches = _segment(part)
    return (name for name in names if name and matches(name))


def _segment(part: str) -> Callable[[str], bool]:
    import fnmatch  # lazy

    matches = re.compile(fnmatch.translate(part)).match
    hidden = part.startswith(".")
    return lambda name: matches(name) is not None and (hidden or not name.startswith("."))


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError:
        return []
