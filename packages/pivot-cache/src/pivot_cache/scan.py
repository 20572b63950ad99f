"""What lies in a directory: every file with its status, every empty directory, and one digest over all of it."""

import os
import stat
from pathlib import Path

import attrs
import xxhash

from pivot_cache.errors import ArtifactError, cannot
from pivot_cache.hashing import check_regular

_SECOND_NS = 1_000_000_000
_FINE_STEP_NS = 20_000_000
_COARSE_STEP_NS = 2 * _SECOND_NS


@attrs.frozen
class Scan:
    """What a walk through a directory found.

    Attributes:
        files: Relative path and status of every file, in the order of the walk; symlinks are followed.
        empty: The directories that hold nothing.
    """

    files: list[tuple[str, os.stat_result]]
    empty: list[str]

    def signature(self) -> str:
        """One text that changes when any file, name, mode or empty directory does."""
        lines = [
            f"{path}\0{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
            f" {status.st_mode & stat.S_IXUSR}"
            for path, status in self.files
        ]
        return xxhash.xxh3_128_hexdigest("\0".join((*lines, "", *self.empty)).encode())

    def settles_at(self) -> int:
        """From when on any later change must give the directory another signature."""
        return max(map(settles_at, (status for _, status in self.files)), default=0)


def scan(root: Path) -> Scan:
    """Walk through a directory.

    Every name in it counts, whatever it is called. A symlink that leads to a file counts as that file.

    Raises:
        ArtifactError: There is something that cannot be part of an artifact: it names it.
        FileNotFoundError: The directory is not there.
    """
    files: list[tuple[str, os.stat_result]] = []
    empty: list[str] = []
    top = os.fspath(root)
    todo = [""]
    while todo:
        below = todo.pop()
        before = len(files) + len(todo)
        prefix = f"{below}/" if below else ""
        try:
            with os.scandir(f"{top}/{below}") as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(prefix + entry.name)
                        continue
                    try:
                        status = entry.stat()
                    except OSError as error:
                        _explain(entry, error)
                        continue
                    if not stat.S_ISREG(status.st_mode):
                        _refuse(entry, status)
                    files.append((prefix + entry.name, status))
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not below:
                raise
            path = root / below
            raise ArtifactError(
                path, f"cannot be read: {error.strerror}", hint=cannot("read", path, error).hint
            ) from error
        if below and len(files) + len(todo) == before:
            empty.append(below)
    found = Scan(files, empty)
    _check_names(root, found)
    return found


def signature(status: os.stat_result) -> str:
    """A text that changes when the file does."""
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def settles_at(status: os.stat_result) -> int:
    """From when on any later change must give the file another signature."""
    coarse = status.st_ctime_ns % _SECOND_NS == 0  # the only sign of a file system that keeps whole seconds
    return status.st_ctime_ns + (_COARSE_STEP_NS if coarse else _FINE_STEP_NS)


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
    """Refuse what has no status, unless it has gone meanwhile."""
    path = Path(entry.path)
    if entry.is_symlink():
        raise ArtifactError(
            path, "is a symbolic link that leads nowhere", hint="remove it, or put there what it should lead to"
        ) from None
    if not isinstance(error, FileNotFoundError):
        raise ArtifactError(path, f"cannot be read: {error.strerror}", hint=cannot("read", path, error).hint) from None


def _refuse(entry: "os.DirEntry[str]", status: os.stat_result) -> None:
    path = Path(entry.path)
    if stat.S_ISDIR(status.st_mode):
        raise ArtifactError(
            path,
            "is a symbolic link to a directory, inside a directory that is an artifact",
            hint="put the directory itself there, or declare what the link leads to as an artifact of its own",
        )
    check_regular(path, status)
