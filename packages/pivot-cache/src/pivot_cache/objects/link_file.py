"""A file in the workspace from an object: a copy, or a link of either kind."""

import enum
import errno
import os
from pathlib import Path

from pivot_cache.errors import CacheError, CorruptObjectError, MissingObjectError
from pivot_cache.files import syscalls
from pivot_cache.files.hashing import opened
from pivot_cache.objects.object_files import MODE, ObjectFiles, copy_bytes
from pivot_core.lock import Artifact

_NOT_LINKABLE = {
    errno.EXDEV: "the cache is on another file system",
    errno.EMLINK: "the object has as many links as its file system allows",
    errno.EPERM: "the system forbids it: a file system without links, or an object of another user",
    errno.EOPNOTSUPP: "the file system has no such links",
}
_WAYS_OUT = "use `--checkout-mode copy`, or set `cache.checkout_mode` to copy"
_NAMES = {"hardlink": "hard link", "symlink": "symbolic link"}


class CheckoutMode(enum.Enum):
    """How a file in the workspace is made from an object.

    A copy shares blocks with the object where the file system can, and can be edited without harm. A link
    takes no space and is read-only. As all links of a file have one mode, a file that is executable is copied
    in every mode; so is an empty one, which would only use up links.
    """

    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


def materialize(objects: ObjectFiles, artifact: Artifact, target: Path | str, shown: Path, mode: CheckoutMode) -> None:
    """Make the new file ``target`` with this content, verified; the caller publishes it.

    Args:
        objects: Where the object is.
        artifact: The content.
        target: A free name.
        shown: The name in errors.
        mode: How.

    Raises:
        MissingObjectError: The object is not there.
        CorruptObjectError: Its bytes are wrong; they are moved to the quarantine.
        CacheError: A link cannot be made.
        FileExistsError: The name is not free.
    """
    if mode is CheckoutMode.COPY or artifact.executable or not artifact.size:
        _copy(objects, artifact, target)
    else:
        _link(objects, artifact, target, shown, mode)


def _copy(objects: ObjectFiles, artifact: Artifact, target: Path | str) -> None:
    digest = artifact.digest
    path = objects.path(digest)
    try:
        with opened(path) as (source, status):
            copy = syscalls.create(target, 0o777 if artifact.executable else 0o666)
            try:
                hashed = copy_bytes(source, copy, status.st_size)
            finally:
                os.close(copy)
            if hashed.digest != digest:
                raise CorruptObjectError(digest, quarantined=objects.condemn(digest, status))
    except FileNotFoundError as error:
        if error.filename is not None:  # the system's own: of the target, not of the object
            raise
        if not objects.brought_back(digest):
            raise MissingObjectError(digest) from None
        _copy(objects, artifact, target)


def _link(objects: ObjectFiles, artifact: Artifact, target: Path | str, shown: Path, mode: CheckoutMode) -> None:
    digest = artifact.digest
    path = objects.path(digest)
    if not objects.intact(digest, artifact.size):
        try:
            status = os.lstat(path)
        except OSError:
            raise MissingObjectError(digest) from None
        raise CorruptObjectError(digest, quarantined=objects.condemn(digest, status))
    try:
        if os.lstat(path).st_mode & 0o777 & ~MODE:  # somebody has changed the mode of a link
            objects.renew(digest)
        if mode is CheckoutMode.HARDLINK:
            syscalls.link(path, target)
        else:
            syscalls.symlink(os.path.abspath(path), target)
            os.stat(path)  # it may have been collected meanwhile
    except FileNotFoundError:
        if os.path.lexists(path) or not objects.brought_back(digest):
            raise
        if mode is CheckoutMode.HARDLINK:
            syscalls.link(path, target)
    except OSError as error:
        if error.errno not in _NOT_LINKABLE:
            raise
        problem = f"cannot restore {shown} as a {_NAMES[mode.value]}: {_NOT_LINKABLE[error.errno]}"
        raise CacheError(problem, hint=_WAYS_OUT) from error
