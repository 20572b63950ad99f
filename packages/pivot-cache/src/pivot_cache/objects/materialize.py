"""Files and directories in the workspace, created from objects: each file as a copy or as a link."""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from pivot_cache.errors import CacheError, CorruptObjectError, MissingObjectError
from pivot_cache.files import atomic, syscalls
from pivot_cache.files.hashing import open_artifact
from pivot_cache.files.link_modes import CheckoutMode
from pivot_cache.formats.tree import Tree
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


def materialize(
    objects: ObjectFiles, artifact: Artifact, target: Path | str, display_path: Path, mode: CheckoutMode
) -> None:
    """Create the new file ``target`` with this content, verified; the caller publishes it.

    Args:
        objects: The files of the store.
        artifact: The content.
        target: A name that does not exist.
        display_path: The name used in errors.
        mode: How the file is created.

    Raises:
        MissingObjectError: The object is missing.
        CorruptObjectError: Its bytes are wrong; they have been moved to the quarantine.
        CacheError: A link cannot be created.
        FileExistsError: The name exists.
    """
    if is_copied(artifact, mode):
        copy = syscalls.create(target, _mode(artifact))
        try:
            _copy(objects, artifact, copy)
        finally:
            os.close(copy)
    else:
        _link(objects, artifact, target, display_path, mode)


def is_copied(artifact: Artifact, mode: CheckoutMode) -> bool:
    """Whether a file with this content is a copy of its object, and no link to it."""
    return mode is CheckoutMode.COPY or artifact.executable or not artifact.size


type Check = Callable[[Path], object]
"""Called directly before something at a path is replaced or removed; raises an error to prevent that."""


def write_copy(objects: ObjectFiles, artifact: Artifact, target: Path, check: Check) -> None:
    """Create or replace a file by a verified copy, without a directory for it alone.

    Raises:
        MissingObjectError: The object is missing.
        CorruptObjectError: Its bytes are wrong; they have been moved to the quarantine.
        OSError: The file cannot be written.
    """
    copy, temp = atomic.create_temporary(target.parent, _mode(artifact))
    try:
        _copy(objects, artifact, copy)
        check(target)
        syscalls.rename(temp, target)
    except BaseException:
        with contextlib.suppress(OSError):
            syscalls.unlink(temp)
        raise
    finally:
        os.close(copy)


def _mode(artifact: Artifact) -> int:
    return 0o777 if artifact.executable else 0o666


def _copy(objects: ObjectFiles, artifact: Artifact, copy: int) -> None:
    """Write the object to an empty open file."""
    digest = artifact.digest
    path = objects.path(digest)
    try:
        with open_artifact(path) as (source, status):
            if copy_bytes(source, copy, status.st_size).digest != digest:
                raise CorruptObjectError(digest, quarantined=objects.quarantine(digest, status))
    except FileNotFoundError:
        if not objects.restore_from_trash(digest):
            raise MissingObjectError(digest) from None
        _copy(objects, artifact, copy)


def _link(objects: ObjectFiles, artifact: Artifact, target: Path | str, display_path: Path, mode: CheckoutMode) -> None:
    digest = artifact.digest
    path = objects.path(digest)
    if not objects.intact(digest, artifact.size):
        try:
            status = os.lstat(path)
        except OSError:
            raise MissingObjectError(digest) from None
        raise CorruptObjectError(digest, quarantined=objects.quarantine(digest, status))
    try:
        if os.lstat(path).st_mode & 0o777 & ~MODE:  # somebody has changed the mode through a link
            objects.renew(digest)
        if mode is CheckoutMode.HARDLINK:
            syscalls.link(path, target)
        else:
            syscalls.symlink(os.path.abspath(path), target)
            os.stat(path)  # it may have been collected in the meantime
    except FileNotFoundError:
        if os.path.lexists(path) or not objects.restore_from_trash(digest):
            raise
        if mode is CheckoutMode.HARDLINK:
            syscalls.link(path, target)
    except OSError as error:
        if error.errno not in _NOT_LINKABLE:
            raise
        problem = f"cannot restore {display_path} as a {_NAMES[mode.value]}: {_NOT_LINKABLE[error.errno]}"
        raise CacheError(problem, hint=_WAYS_OUT) from error


type Fill = Callable[[Artifact, str, Path], None]
"""Creates a new file with this content; errors use the given path."""


def build(tree: Tree, place: Path, target: Path, fill: Fill, check: Check) -> int:
    """Create the directory ``target``, which does not exist, below ``place``, and move it into place.

    Returns:
        The number of files written.
    """
    new = place / "new"
    syscalls.mkdir(new)
    for directory in tree.directories():
        _mkdir(new / directory, target / directory)
    for path, file in tree.files.items():
        try:
            fill(file, f"{new}/{path}", target / path)
        except FileExistsError:
            raise _clash(target / path) from None
    check(target)
    if os.path.lexists(target):  # a file or a symlink: a directory cannot be renamed over it
        syscalls.rename(target, place / "old")
    try:
        syscalls.rename(new, target)
    except OSError:
        if os.path.lexists(place / "old"):
            syscalls.rename(place / "old", target)
        raise
    return len(tree.files)


def update(tree: Tree, found: Mapping[str, Artifact], place: Path, target: Path, fill: Fill, check: Check) -> int:
    """Make the directory ``target`` match ``tree``; matching files are not touched.

    Everything new is first created below ``place``, so that a missing or corrupt object changes nothing. Then
    superfluous entries are removed, and each new file is moved into place.

    Args:
        tree: The wanted contents.
        found: The existing contents; any other entry counts as different.
        place: An empty directory on the same file system.
        target: The directory.
        fill: Creates a file.
        check: Called with each file before it is replaced or removed.

    Returns:
        The number of files written.
    """
    new: dict[str, str] = {}
    for path, file in tree.files.items():
        if found.get(path) != file:
            new[path] = f"{place}/{len(new)}"
            fill(file, new[path], target / path)
    directories = tree.directories()
    _remove_foreign(target, tree, frozenset(directories), check)
    files, present = map(set, _listing(target))
    for directory in directories:
        if directory not in present:
            _mkdir(target / directory, target / directory)
    for path, made in new.items():
        if path not in files and os.path.lexists(target / path):
            raise _clash(target / path)
        check(target / path)
        _swap_in(made, target / path)
    return len(new)


def _swap_in(made: str, target: Path) -> None:
    """Move a directory into place; if the target is a mount point, as in a container, copy its contents."""
    try:
        syscalls.rename(made, target)
    except OSError as error:
        status = os.lstat(made)
        if error.errno != errno.EXDEV or not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise
        with open(made, "rb") as source, atomic.temporary(target.parent) as (descriptor, temp):
            with open(descriptor, "wb", closefd=False) as copy:
                shutil.copyfileobj(source, copy)
            syscalls.fchmod(descriptor, stat.S_IMODE(status.st_mode))
            syscalls.rename(temp, target)


def _remove_foreign(target: Path, tree: Tree, directories: frozenset[str], check: Check) -> None:
    files, found = _listing(target)
    for path in files:
        if path not in tree.files:
            check(target / path)
            syscalls.unlink(target / path)
    for path in reversed(found):  # the contents of a directory before it
        if path not in directories:
            syscalls.rmdir(target / path)


def _listing(root: Path) -> tuple[list[str], list[str]]:
    """The contents of a directory: everything that is not a directory, and the directories, parents first."""
    files: list[str] = []
    directories: list[str] = []
    todo = [""]
    while todo:
        below = todo.pop()
        prefix = f"{below}/" if below else ""
        with os.scandir(root / below) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(prefix + entry.name)
                    directories.append(prefix + entry.name)
                else:
                    files.append(prefix + entry.name)
    return files, directories


def _mkdir(path: Path, display_path: Path) -> None:
    try:
        syscalls.mkdir(path)
    except FileExistsError:
        raise _clash(display_path) from None


def _clash(path: Path) -> CacheError:
    return CacheError(
        f"cannot restore {path}: here it has the same name as another file of that directory",
        hint="this file system treats upper and lower case, or two forms of an accented letter, as equal: "
        "use another one, or rename one of the files where the directory is created",
    )
