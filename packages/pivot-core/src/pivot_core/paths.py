"""Artifact paths: project-relative, POSIX, normalised; text only, the disk is never asked."""

import os
import posixpath
from collections.abc import Iterator
from typing import Self

from pivot_core.errors import PathError

STATE_DIR = ".pivot"
"""The directory that marks the root of a project and holds what Pivot writes."""


class ArtifactPath(str):
    """Where an artifact is: relative to the project's root, with ``/``, without ``.`` or ``..``.

    A text of its own type, so that the same file always has the same name: symlinks are
    not resolved, and no part of it depends on the current directory.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Self:
        """The path written in a lock file, tree or other untrusted place.

        Raises:
            PathError: It is not already in normal form, or not a path that `resolve` could give.
        """
        if not isinstance(text, str):
            raise PathError(f"a path must be a text, not {type(text).__name__}")
        _check_text(text)
        if posixpath.isabs(text) or posixpath.normpath(text) != text or text == "." or _escapes(text):
            raise PathError(f"{text!r} is not a normalised path inside the project")
        _check_not_state(text, text)
        return cls(text)

    @classmethod
    def resolve(cls, declared: str | os.PathLike[str], *, base: str = "", root: str | None = None) -> Self:
        """The artifact that a path means when it is declared in the directory ``base``.

        Args:
            declared: As the user wrote it; absolute only below ``root``.
            base: A directory relative to the root, ``""`` for the root itself.
            root: The absolute path of the root, for absolute declared paths.

        Raises:
            PathError: The path is empty, leaves the project, or names Pivot's own state.
        """
        text = os.fspath(declared)
        if not isinstance(text, str):
            raise PathError(f"a path must be a text, not {type(text).__name__}")
        _check_text(text)
        if posixpath.isabs(text):
            inside = None if root is None else _below(_absolute(text), _absolute(root))
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
        """This path as a user who is in the directory ``base`` would write it."""
        return posixpath.relpath(self, base or ".")


def is_within(path: str, directory: str) -> bool:
    """Whether a path is a directory, or is in it."""
    return path == directory or path.startswith(f"{directory}/")


def touches(one: str, other: str) -> bool:
    """Whether two paths are the same, or one is in the other."""
    return is_within(one, other) or is_within(other, one)


def parents(path: str) -> Iterator[ArtifactPath]:
    """The directories around a path, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield ArtifactPath(path)


def _absolute(path: str) -> str:
    return "/" + posixpath.normpath(path).lstrip("/")  # POSIX lets normpath keep two leading slashes


def _below(path: str, root: str) -> str | None:
    if path == root:
        return "."
    prefix = root.rstrip("/") + "/"
    return path.removeprefix(prefix) if path.startswith(prefix) else None


def _escapes(normal: str) -> bool:
    return normal == ".." or normal.startswith("../")


def _check_not_state(normal: str, shown: str) -> None:
    # Also `.PIVOT/`, which is the same directory where the file system ignores case.
    if normal.split("/", 1)[0].casefold() == STATE_DIR:
        raise PathError(f"{shown!r} is in {STATE_DIR}/, which belongs to Pivot")


def _check_text(text: str) -> None:
    if not text:
        raise PathError("a path must not be empty")
    if "\0" in text:
        raise PathError(f"{text!r} holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PathError(f"{text!r} is not valid UTF-8", hint="rename the file") from None
