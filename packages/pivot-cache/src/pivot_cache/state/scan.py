"""Scans of directories: every file with its status, every empty directory, and one digest of everything."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import attrs

from pivot_cache.errors import ArtifactError, cache_error
from pivot_cache.files import signatures, walk
from pivot_cache.files.hashing import as_artifact_errors, check_regular, hash_descriptor, open_artifact
from pivot_cache.formats.tree import Tree
from pivot_core.files.digest import is_digest
from pivot_core.lock import Artifact
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class Scan(Value):
    """The result of a walk through a directory.

    Attributes:
        files: Relative path and status of every file, in the order of the walk; symlinks are followed.
        empty: The empty directories.
    """

    files: list[tuple[str, os.stat_result]]
    empty: list[str]
    _signature: str = attrs.field(default="", init=False, eq=False, repr=False)

    def signature(self) -> str:
        """A text that changes when any file, name, mode or empty directory changes."""
        if not self._signature:
            object.__setattr__(self, "_signature", signatures.tree_signature(self.files, self.empty))
        return self._signature

    def settles_at(self) -> int:
        """The time after which any change gives the directory another signature."""
        return signatures.settles_at(*(status.st_ctime_ns for _, status in self.files))


def scan(root: Path) -> Scan:
    """Walk through a directory.

    Every name in it counts. A symlink to a file counts as that file; one to an object that no longer exists counts as
    missing.

    Raises:
        ArtifactError: The directory contains something that cannot be part of an artifact; the error names it.
        FileNotFoundError: The directory does not exist.
    """
    try:
        files, empty = walk.walk(os.fspath(root), _explain, _refuse)
    except OSError as error:
        path = Path(error.filename)
        if isinstance(error, FileNotFoundError) and path == root:
            raise
        raise ArtifactError(
            path, f"cannot be read: {error.strerror}", hint=cache_error("read", path, error).hint
        ) from error
    found = Scan(files, empty)
    _check_names(root, found)
    return found


def hash_path(path: Path) -> Artifact:
    """Hash the file or directory at a path, without the stat cache; several large files are hashed at the same time.

    Raises:
        ArtifactError: The path does not exist, or contains something unreadable or something that cannot be part of an
            artifact.
    """
    if path.is_dir():
        return hash_tree(path).artifact()
    try:
        return _hash(path)
    except FileNotFoundError:
        raise ArtifactError(path, "there is no such file") from None


def hash_tree(root: Path) -> Tree:
    """Hash a directory, without the stat cache.

    Raises:
        ArtifactError: The path is not a directory, or contains something unreadable or something that cannot be part of
            an artifact.
    """
    try:
        found = scan(root)
    except FileNotFoundError:
        raise ArtifactError(root, "there is no such directory") from None
    from pivot_cache.files.threads import map_parallel  # lazy

    hashed = map_parallel(lambda file: of_file(root, file[0], _hash), found.files, lambda file: file[1].st_size)
    return Tree({path: file for (path, _), file in zip(found.files, hashed, strict=True)}, tuple(found.empty))


def of_file(root: Path, name: str, work: Callable[[str], Artifact]) -> Artifact:
    """The result of ``work`` for a file found in a walk through ``root``.

    Raises:
        ArtifactError: The file has been removed meanwhile.
    """
    path = f"{root}/{name}"
    try:
        return work(path)
    except FileNotFoundError:
        raise ArtifactError(
            Path(path),
            "was removed while its directory was read",
            hint="repeat the command when no process writes there",
        ) from None


def _hash(path: Path | str) -> Artifact:
    with open_artifact(path) as (descriptor, status), as_artifact_errors(path):
        hashed = hash_descriptor(descriptor, status.st_size)
    return Artifact(hashed.digest, hashed.size, bool(status.st_mode & stat.S_IXUSR))


def leads_to_object(path: str) -> bool:
    """Whether a path is a symlink to an object's path in a store."""
    try:
        shard, name = os.readlink(path).split("/")[-2:]
    except (OSError, ValueError):
        return False
    return len(shard) == 2 and is_digest(shard + name)  # noqa: PLR2004 - as in `pivot_cache.layout.shard`


def _check_names(root: Path, found: Scan) -> None:
    try:
        "\0".join([path for path, _ in found.files]).encode()
        "\0".join(found.empty).encode()
    except UnicodeEncodeError:
        for path in (*(path for path, _ in found.files), *found.empty):
            try:
                path.encode()
            except UnicodeEncodeError:
                raise ArtifactError(
                    root, f"the name of {os.fsencode(path)!r} in it is not valid UTF-8", hint="rename it"
                ) from None


def _explain(entry: "os.DirEntry[str]", error: OSError) -> None:
    """Raise the error of an entry without a status, unless the entry, or the target of its link, has disappeared."""
    path = Path(entry.path)
    if entry.is_symlink():
        if leads_to_object(entry.path):
            return
        raise ArtifactError(
            path, "is a symbolic link that leads nowhere", hint="remove it, or create its target"
        ) from None
    if not isinstance(error, FileNotFoundError):
        raise ArtifactError(
            path, f"cannot be read: {error.strerror}", hint=cache_error("read", path, error).hint
        ) from None


def _refuse(entry: "os.DirEntry[str]", status: os.stat_result) -> None:
    path = Path(entry.path)
    if stat.S_ISDIR(status.st_mode):
        raise ArtifactError(
            path,
            "is a symbolic link to a directory, inside a directory that is an artifact",
            hint="replace it with the directory itself, or declare the link's target as a separate artifact",
        )
    check_regular(path, status)
