"""The errors of the cache: damaged state, unreadable or unwritable files, missing objects."""

import errno
import os
import stat
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from pivot_core.errors import PivotError
from pivot_core.files.paths import STATE_DIR

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED = frozenset({errno.EACCES, errno.EPERM})
_OTHER_KIND = frozenset({errno.ENOTDIR, errno.EEXIST, errno.ENXIO, errno.EOPNOTSUPP})
_KINDS = {"socket": stat.S_ISSOCK, "pipe": stat.S_ISFIFO, "file": stat.S_ISREG, "symbolic link": stat.S_ISLNK}

SCARCE = frozenset({errno.EMFILE, errno.ENFILE})
"""The numbers of the errors that report too many open files."""

TOO_LONG = "has a longer path than a file can have"
"""The problem of a path that no file can have."""

SHORTEN = "shorten it, or declare another path"
"""The hint for this problem."""

RAISE = "raise the limit on open files, as with 'ulimit -n 1024'"
"""The hint for these errors."""


class CacheError(PivotError):
    """A problem with reading, writing or trusting data of the cache."""

    exit_code: ClassVar[int] = 3


class ArtifactError(CacheError):
    """A path contains something that cannot be an artifact, or cannot be read.

    Attributes:
        path: The path.
        problem: The problem.
    """

    def __init__(self, path: Path, problem: str, *, hint: str | None = None) -> None:
        super().__init__(problem, hint=hint)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class ChangedError(CacheError):
    """A file was edited after the command looked at it; it was left as it is.

    Attributes:
        path: The file.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} was changed meanwhile, and was left as it is", hint="repeat the command")
        self.path = path


class LockFileError(CacheError):
    """A lock file has invalid content.

    Attributes:
        file: The lock file's path, as the caller named it.
        field: The field, such as ``outs.clean.json.size``; None for the file as a whole.
        problem: The problem.
    """

    def __init__(self, file: str, problem: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(problem, hint=hint)
        self.file = file
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        place = self.file if self.field is None else f"{self.file}: {self.field}"
        return f"{self.problem} @ {place}"


class NewerFormatError(LockFileError):
    """Data in a format of a newer version of Pivot."""


class TreeError(CacheError):
    """The listing of a directory has invalid content.

    Attributes:
        name: The name of the data.
        field: The field, such as ``files.a/b``; None for the listing as a whole.
        problem: The problem.
    """

    def __init__(self, name: str, problem: str, *, field: str | None = None) -> None:
        super().__init__(problem, hint="it was not used: run the stage again, or ask who made this listing")
        self.name = name
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        place = self.name if self.field is None else f"{self.name}: {self.field}"
        return f"{self.problem} @ {place}"


class MissingObjectError(CacheError):
    """An object is not in the store.

    Attributes:
        digest: Its digest.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"object {digest} is not in the cache",
            hint="`pivot pull` fetches it, `pivot repro` computes it again",
        )
        self.digest = digest


class CorruptObjectError(CacheError):
    """An object's bytes do not match its digest; they were not used.

    Attributes:
        digest: The digest that the bytes should have.
        quarantined: The new path of the bad bytes; None if they could not be moved.
    """

    def __init__(self, digest: str, *, quarantined: Path | None = None) -> None:
        super().__init__(
            f"object {digest} is corrupt",
            hint="it was not used: `pivot pull` fetches it, `pivot repro` computes it again",
        )
        self.digest = digest
        self.quarantined = quarantined


class ForgedObjectError(CorruptObjectError):
    """An object's bytes match its digest but not its recorded SHA-256, which cannot happen by chance."""

    def __init__(self, digest: str) -> None:
        CacheError.__init__(
            self,
            f"object {digest} has its digest, but not the recorded SHA-256: somebody has forged it",
            hint="it was not used: find out who can write to its source, then `pivot repro` computes it again",
        )
        self.digest = digest
        self.quarantined = None


def cache_error(action: str, path: Path, error: OSError) -> CacheError:
    """The error for an `OSError` during ``action`` ("write", "read", ...) on ``path``."""
    if error.errno in _FULL:
        return CacheError(
            f"cannot {action} {path}: the disk is full",
            hint="nothing is lost: free some space and repeat the command",
        )
    if error.errno in SCARCE:
        return CacheError(
            f"cannot {action} {path}: too many open files", hint=f"nothing is lost: {RAISE}, and repeat the command"
        )
    if error.errno in _REFUSED:
        hint = owner_hint(path) or f"check the permissions of {path} and of the directory it is in"
    elif error.errno == errno.EROFS:
        hint = "its file system is mounted read-only"
    elif error.errno == errno.ENAMETOOLONG:
        hint = "shorten its name, or move the project to a shorter path"
    elif error.errno == errno.EIO:
        hint = "its disk may be failing: look at the system's log"
    else:
        hint = obstacle_hint(path, error) or "nothing is lost: remove the cause and repeat the command"
    return CacheError(f"cannot {action} {path}: {error.strerror or error}", hint=hint)


def obstacle_hint(path: Path, error: OSError) -> str | None:
    """A hint if something of another kind is in the place of a file or a directory, else None."""
    if error.errno not in _OTHER_KIND:
        return None
    for place in (path, *path.parents):
        try:
            mode = place.lstat().st_mode
        except OSError:
            continue
        kind = next((name for name, is_one in _KINDS.items() if is_one(mode)), None)
        if kind is None:
            return None
        wanted = "file or directory" if place == path and kind != "file" else "directory"
        return f"nothing is lost: {place} is a {kind} in the place of a {wanted}; move it away and repeat the command"
    return None


def owner_hint(path: Path) -> str | None:
    """A hint if something belongs to another user, as after a run as root, else None."""
    for place in (path, *path.parents):
        try:
            owner = place.lstat().st_uid
        except OSError:
            continue
        if owner == os.geteuid() or os.geteuid() == 0:
            return None
        if not os.access(place, os.W_OK):
            # The files around it were probably created in the same run.
            import shlex  # lazy

            top = next((each for each in (place, *place.parents) if each.name == STATE_DIR), place)
            quoted = shlex.quote(str(top))
            hint = f"{place} belongs to {_user(owner)}: sudo chown -R {_user(os.geteuid())} {quoted}"
            if any((each / STATE_DIR).is_dir() for each in (place, *place.parents)):
                return hint
            return (  # in no project: perhaps a cache that several users share
                f"{hint}; or to share it with a group: sudo chgrp -R GROUP {quoted}; sudo chmod -R g+r {quoted}; "
                f"sudo find {quoted} -type d -exec chmod g+ws {{}} +"
            )
    return None


def _user(number: int) -> str:
    import pwd  # lazy

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


class _CacheErrors:
    """The context of `as_cache_errors`: a class, since a run enters it several times for each stage."""

    __slots__ = ("_action", "_path")

    def __init__(self, action: str, path: Path | str) -> None:
        self._action, self._path = action, path

    def __enter__(self) -> None:
        return

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise cache_error(self._action, Path(self._path), error) from error


def as_cache_errors(action: str, path: Path | str) -> AbstractContextManager[None]:
    """Turn any `OSError` of the block into a `CacheError` that names ``path``."""
    return _CacheErrors(action, path)
