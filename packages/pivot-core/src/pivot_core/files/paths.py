"""Artifact paths: project-relative, POSIX, normalised; pure text, without disk access."""

import os
import posixpath
import re
from collections.abc import Iterator
from typing import Self

from pivot_core.errors import PathError

STATE_DIR = ".pivot"
"""The directory that marks the root of a project and contains Pivot's files."""

RESERVED_DIRS = frozenset({".git", STATE_DIR})
"""The names of the directories of git and of Pivot, which contain no artifact."""

_PART = "[A-Za-z0-9_-][A-Za-z0-9._-]*"
_USUAL = re.compile(f"{_PART}(?:/{_PART})*").fullmatch
"""Matches only paths in normal form, as most are: a lock or a tree may have very many."""


class ArtifactPath(str):
    """The path of an artifact: relative to the project's root, with ``/``, without ``.`` or ``..``.

    A separate text type, so that the same file always has the same name: symlinks are not resolved, and no part depends
    on the current directory.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Self:
        """The path from a lock file, a tree or another untrusted source.

        Raises:
            PathError: It is not in normal form, or `resolve` could not return it.
        """
        if not isinstance(text, str):
            raise PathError(f"a path must be a string, not {type(text).__name__}")
        if _USUAL(text):
            return cls(text)
        _check_text(text)
        if posixpath.isabs(text) or posixpath.normpath(text) != text or text == "." or _escapes(text):
            raise PathError(f"{text!r} is not a normalised path inside the project")
        _check_not_state(text, text)
        return cls(text)

    @classmethod
    def resolve(cls, declared: str | os.PathLike[str], *, base: str = "", root: str | None = None) -> Self:
        """The artifact for a path declared in the directory ``base``.

        Args:
            declared: The path as the user wrote it; absolute only below ``root``.
            base: A directory relative to the root, ``""`` for the root itself.
            root: The absolute path of the root, needed for absolute declared paths.

        Raises:
            PathError: The path is empty, leaves the project, or names Pivot's own state.
        """
        text = os.fspath(declared)
        if not isinstance(text, str):
            raise PathError(f"a path must be a string, not {type(text).__name__}")
        _check_text(text)
        if posixpath.isabs(text):
            inside = None if root is None else below(_absolute(text), _absolute(root))
            if inside is None:
                raise PathError(
                    f"{text!r} is outside the project",
                    hint="declare a path relative to the pipeline's directory; to use data in another place, "
                    "put a symbolic link to them into the project",
                )
            normal = inside
        else:
            normal = posixpath.normpath(posixpath.join(base, text))
        if normal == ".":
            raise PathError(f"{text!r} is the project's root itself, not a file in it")
        if _escapes(normal):
            raise PathError(
                f"{text!r} is outside the project",
                hint="to use data in another place, put a symbolic link to them into the project",
            )
        _check_not_state(normal, text)
        return cls(normal)

    def relative_to(self, base: str) -> str:
        """This path as written by a user in the directory ``base``."""
        return posixpath.relpath(self, base or ".")


def is_within(path: str, directory: str) -> bool:
    """Whether a path is a directory, or is in it."""
    return path == directory or path.startswith(f"{directory}/")


def touches(one: str, other: str) -> bool:
    """Whether two paths are the same, or one is in the other."""
    return is_within(one, other) or is_within(other, one)


def parents(path: str) -> Iterator[ArtifactPath]:
    """Return the directories that contain a path, the nearest first."""
    return map(ArtifactPath, parent_names(path))


def parent_names(path: str) -> Iterator[str]:
    """As `parents`, without the cost of an object for each of very many."""
    while path := path.rpartition("/")[0]:
        yield path


def below(path: str, root: str) -> str | None:
    """Return an absolute path relative to the directory ``root``, which itself is ``.``; None if it is outside."""
    if path == root:
        return "."
    prefix = root.rstrip("/") + "/"
    return path.removeprefix(prefix) if path.startswith(prefix) else None


def _absolute(path: str) -> str:
    return "/" + posixpath.normpath(path).lstrip("/")  # POSIX allows normpath to keep two leading slashes


def _escapes(normal: str) -> bool:
    return normal == ".." or normal.startswith("../")


def _check_not_state(normal: str, written: str) -> None:
    # Includes `.PIVOT/`, which is the same directory on file systems that ignore case.
    if normal.split("/", 1)[0].casefold() == STATE_DIR:
        raise PathError(f"{written!r} is in {STATE_DIR}/, which belongs to Pivot")


def _check_text(text: str) -> None:
    if not text:
        raise PathError("a path must not be empty")
    if "\0" in text:
        raise PathError(f"{text!r} contains a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PathError(f"{text!r} is not valid UTF-8", hint="rename the file") from None
