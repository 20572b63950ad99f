"""The outs that a stage has written: those that are missing, and those of another kind than declared."""

import os
import pathlib
from collections.abc import Sequence
from typing import Final, Protocol

from pivot_cache.errors import ArtifactError
from pivot_core.files.paths import ArtifactPath
from pivot_runtime.executors.base import Failure

ALL_OUTS: Final = "a stage must write all outs that it declares"


class DeclaredOut(Protocol):
    """An out as far as its kind is concerned."""

    @property
    def path(self) -> ArtifactPath:
        """Its path, relative to the root."""
        ...

    @property
    def directory(self) -> bool:
        """Whether it is a directory."""
        ...


def missing(root: str, outs: Sequence[DeclaredOut]) -> list[ArtifactPath]:
    """The outs that are not there."""
    return [out.path for out in outs if not os.path.exists(os.path.join(root, out.path))]


def failure_of_missing(paths: Sequence[ArtifactPath]) -> Failure:
    """The failure of a stage that did not write these outs."""
    return Failure(f"it did not write {', '.join(paths)}", hint=ALL_OUTS)


def is_other_kind(root: str, out: DeclaredOut) -> bool:
    """Whether a directory is where a file is declared, or the reverse."""
    return os.path.isdir(os.path.join(root, out.path)) is not out.directory


def check_kind(root: str, out: DeclaredOut) -> None:
    """Check that an out is of the declared kind.

    Raises:
        ArtifactError: It is of the other kind.
    """
    if is_other_kind(root, out):
        problem = "is a file, but is declared as a directory" if out.directory else "is a directory"
        raise ArtifactError(pathlib.Path(root, out.path), problem, hint=how_to_declare(out))


def how_to_declare(out: DeclaredOut) -> str:
    """The advice for an out that is of the other kind than declared."""
    if out.directory:
        return "declare it as a file: pivot.Out(...), without a / at the end of its path"
    return "declare it as a directory: pivot.DirectoryOut(...), or a / at the end of its path"
