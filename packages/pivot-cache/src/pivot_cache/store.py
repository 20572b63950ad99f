"""Objects: bytes that are written once, read-only, and named by their digest.

An object is written under a temporary name while exactly its bytes are hashed, and published by a hard link,
which never replaces what another process published first. Nothing is flushed to the disk (see `pivot_cache.atomic`);
instead, the time of modification, which objects have no other use for, says how far the bytes can be relied on:

    FRESH_NS       as published: good until the machine starts again, then verified before it counts as present
    VERIFIED_NS    verified after such a start, so read from the disk itself: good
    anything else  written to in place, or copied here by hand: verified before it counts as present
"""

import contextlib
import enum
import errno
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from pivot_cache import _syscalls
from pivot_cache._boot import started_ns
from pivot_cache._placing import build, update
from pivot_cache.atomic import make_directory, staging, write_all
from pivot_cache.errors import (
    ArtifactError,
    CacheError,
    CorruptObjectError,
    MissingObjectError,
    TreeError,
    reporting,
)
from pivot_cache.hashing import Hashed, hash_descriptor, hash_file, opened
from pivot_cache.layout import sharded
from pivot_cache.scan import scan
from pivot_cache.tree import Tree
from pivot_core import digest as digests
from pivot_core.lock import Artifact

FRESH_NS = 0
VERIFIED_NS = 1_000_000_000
"""Times of modification of objects, in ns since the epoch."""

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_MARGIN_NS = 60_000_000_000
"""How far the clock may have been set since an object was published, without a wrong answer."""

_NOT_LINKABLE = {
    errno.EXDEV: "the cache lies on another file system",
    errno.EMLINK: "the object has as many links as its file system allows",
    errno.EPERM: "the system forbids it: a file system without links, or an object of another user",
    errno.EOPNOTSUPP: "the file system has no such links",
}


class CheckoutMode(enum.Enum):
    """How a file in the workspace is made from an object.

    A copy shares blocks with the object where the file system can, and can be edited without harm. A link
    takes no space and is read-only. As all links of a file have one mode, a file that is executable is copied
    in every mode; so is an empty one, which would only use up links.
    """

    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


class ObjectStore:
    """A directory of objects; any number of processes may use it at once.

    Attributes:
        directory: Where the objects lie, as ``ab/cdef...``; made when first needed.
        quarantine: Where damaged objects are moved; by default ``quarantine`` beside the directory.
    """

    def __init__(self, directory: Path, *, quarantine: Path | None = None, started_ns: int | None = None) -> None:
        """Describe a store; nothing is read or made.

        Args:
            directory: Where the objects lie.
            quarantine: Where damaged objects are moved.
            started_ns: When the machine started, in ns since the epoch; by default the system is asked.
        """
        self.directory = directory
        self.quarantine = directory.parent / "quarantine" if quarantine is None else quarantine
        self._started_ns = started_ns
        self._numbers = itertools.count()  # `next` of it is one step under the interpreter's lock

    def path_of(self, digest: str) -> Path:
        """Where the object lies, if it does.

        Raises:
            CacheError: It is not a digest.
        """
        return sharded(self.directory, digest)

    def has(self, digest: str) -> bool:
        """Whether the object is there, and good: verified if it may have changed or suffered from a power cut.

        Raises:
            CacheError: It is not a digest.
        """
        return self._intact(digest, self.path_of(digest))

    def holds(self, artifact: Artifact) -> bool:
        """Whether this content, all of it, is there and good: of a directory, the listing and every file."""
        if not artifact.tree:
            return self.has(artifact.digest)
        try:
            tree = self.tree(artifact)
        except (MissingObjectError, CorruptObjectError, TreeError):
            return False
        return all(map(self.has, tree.digests()))

    def temporary(self) -> AbstractContextManager[Path]:
        """A directory of one's own in the store, for what is not yet an object; gone at the end, or once its owner is.

        What is written there can be given to `adopt`.
        """
        return staging(self.directory)

    def put(self, source: Path, *, place: Path | None = None) -> Artifact:
        """Store the bytes of a file; symlinks are followed, and an object that is there already is kept.

        Args:
            source: The file.
            place: What `temporary` gave, by whoever stores many files.

        Returns:
            The artifact, which describes exactly the stored bytes, even if the file changes meanwhile.

        Raises:
            ArtifactError: There is no regular file that can be read.
            CacheError: The store cannot be written; nothing of the object is visible.
        """
        try:
            with (
                opened(source) as (descriptor, status),
                reporting(f"store {source} in", self.directory),
                contextlib.nullcontext(place) if place is not None else self.temporary() as where,
                _new_file(where / self._name(), 0o600) as copy,
            ):
                hashed = _copy(descriptor, copy[0], status.st_size)
                self._publish(copy[0], copy[1], hashed)
        except FileNotFoundError:
            raise ArtifactError(source, "there is no such file") from None
        return Artifact(hashed.digest, hashed.size, bool(status.st_mode & stat.S_IXUSR))

    def put_bytes(self, data: bytes) -> str:
        """Store these bytes.

        Returns:
            Their digest.

        Raises:
            CacheError: The store cannot be written.
        """
        digest = digests.of_bytes(data)
        if not self.has(digest):
            with (
                reporting("write to", self.directory),
                self.temporary() as where,
                _new_file(where / self._name(), 0o600) as (copy, path),
            ):
                write_all(copy, data)
                self._publish(copy, path, Hashed(digest, len(data)))
        return digest

    def adopt(self, temp: Path, digest: str) -> None:
        """Make a file that lies in a directory that `temporary` gave the object of this digest, if it has it.

        The file is gone afterwards.

        Raises:
            CorruptObjectError: It has other bytes; it stays where it is.
            CacheError: The store cannot be written, or it is not a digest.
        """
        self.path_of(digest)
        with opened(temp) as (descriptor, status), reporting("write to", self.directory):
            hashed = hash_descriptor(descriptor, status.st_size)
            if hashed.digest != digest:
                raise CorruptObjectError(digest)
            self._publish(descriptor, temp, hashed)
            with contextlib.suppress(FileNotFoundError):
                _syscalls.unlink(temp)

    def tree(self, artifact: Artifact | str) -> Tree:
        """The listing of a directory, verified and read without trust.

        Raises:
            MissingObjectError: It is not there.
            CorruptObjectError: Its bytes are wrong; they are moved to the quarantine.
            TreeError: These bytes are no listing, or not that of this artifact.
        """
        digest = artifact if isinstance(artifact, str) else artifact.digest
        try:
            with opened(self.path_of(digest)) as (descriptor, status), open(descriptor, "rb", closefd=False) as file:
                data = file.read()
        except FileNotFoundError:
            raise MissingObjectError(digest) from None
        if digests.of_bytes(data) != digest:
            raise CorruptObjectError(digest, quarantined=self._remove(digest, status))
        tree = Tree.loads(data, f"object {digest}")
        if isinstance(artifact, Artifact) and artifact.size != (size := tree.artifact().size):
            raise TreeError(f"object {digest}", f"all files together have {size} bytes, not {artifact.size}")
        return tree

    def restore(
        self,
        artifact: Artifact,
        target: Path,
        mode: CheckoutMode = CheckoutMode.COPY,
        *,
        known: Callable[[Path], Tree] | None = None,
    ) -> int:
        """Make ``target`` a file or a directory with this content: verified first, then swapped in.

        Missing parent directories are made. A file or a symlink at ``target`` is replaced; nothing is
        ever written through it. A directory that is there is changed file by file. The mode of a file that is
        copied is 0644 or 0755 under the usual umask.

        Args:
            artifact: What should lie there.
            target: Where.
            mode: How files are made from objects.
            known: What lies in a directory that is there; by default all files in it are hashed.

        Returns:
            How many files were written.

        Raises:
            MissingObjectError: An object is not there.
            CorruptObjectError: Its bytes are wrong; they are moved to the quarantine.
            CacheError: The target is a directory where a file should be, or cannot be written. In every case
                what lay there stays.
        """
        there = target.is_dir() and not target.is_symlink()
        if there and not artifact.tree:
            raise CacheError(
                f"cannot restore {target}: a directory lies there",
                hint="move the directory away and repeat the command",
            )
        tree = self.tree(artifact) if artifact.tree else None
        if tree is None and not self.path_of(artifact.digest).exists():
            raise MissingObjectError(artifact.digest)

        def fill(file: Artifact, path: Path) -> None:
            self._fill(file, path, mode)

        with reporting("restore", target), staging(target.parent) as place:
            if tree is None:
                fill(artifact, place / "new")
                _syscalls.rename(place / "new", target)
                return 1
            if there:
                return update(tree, _found(target, known), place, target, fill)
            return build(tree, place, target, fill)

    def digests(self) -> Iterator[str]:
        """All objects in the store, in no order; none of them has been verified."""
        for shard in _entries(self.directory):
            if len(shard.name) == 2 and shard.is_dir():  # noqa: PLR2004 - as in `sharded`
                for entry in _entries(shard.path):
                    if digests.is_digest(shard.name + entry.name):
                        yield shard.name + entry.name

    def _fill(self, artifact: Artifact, target: Path, mode: CheckoutMode) -> None:
        """Make the new file ``target``; the caller publishes it."""
        path = self.path_of(artifact.digest)
        if mode is CheckoutMode.COPY or artifact.executable or not artifact.size:
            try:
                with (
                    opened(path) as (source, status),
                    _new_file(target, 0o777 if artifact.executable else 0o666, keep=True) as (copy, _),
                ):
                    if _copy(source, copy, status.st_size).digest != artifact.digest:
                        raise CorruptObjectError(artifact.digest, quarantined=self._remove(artifact.digest, status))
            except FileNotFoundError:
                raise MissingObjectError(artifact.digest) from None
            return
        if not self._intact(artifact.digest, path, artifact.size):
            if not path.exists():
                raise MissingObjectError(artifact.digest)
            raise CorruptObjectError(artifact.digest, quarantined=self._remove(artifact.digest, path.lstat()))
        try:
            if mode is CheckoutMode.HARDLINK:
                _syscalls.link(path, target)
            else:
                _syscalls.symlink(path.absolute(), target)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno not in _NOT_LINKABLE:
                raise
            raise CacheError(
                f"cannot restore {target} as a {mode.value}: {_NOT_LINKABLE[error.errno]}",
                hint="use `--checkout-mode copy`, or set `cache.checkout_mode` to copy",
            ) from error

    def _name(self) -> str:
        return f"{next(self._numbers)}"

    def _publish(self, descriptor: int, temp: Path, hashed: Hashed) -> None:
        """Give a file that has these bytes its name; an object that is there and good is kept."""
        _syscalls.fchmod(descriptor, 0o444)
        _syscalls.utime(descriptor, FRESH_NS)
        path = self.path_of(hashed.digest)
        if not _link(temp, path) and not self._intact(hashed.digest, path, hashed.size):
            _syscalls.rename(temp, path)

    def _intact(self, digest: str, path: Path, size: int | None = None) -> bool:
        """Whether the object is there, has this size, and can be relied on."""
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or size not in (None, status.st_size):
                return False
            started = started_ns() if self._started_ns is None else self._started_ns
            recent = started + _MARGIN_NS <= status.st_ctime_ns <= time.time_ns()
            if status.st_mtime_ns == VERIFIED_NS or (recent and status.st_mtime_ns == FRESH_NS):
                return True
            if hash_file(path).digest != digest:
                return False
        except (OSError, ArtifactError):
            return False
        mark = VERIFIED_NS if status.st_ctime_ns < started - _MARGIN_NS else FRESH_NS
        with contextlib.suppress(OSError):  # an object that belongs to somebody else is verified each time
            _syscalls.utime(path, mark)
        return True

    def _remove(self, digest: str, seen: os.stat_result) -> Path | None:
        """Move the object that was ``seen`` to the quarantine, unless it has been replaced since."""
        path = self.path_of(digest)
        target = self.quarantine / digest
        try:
            if path.lstat().st_ino != seen.st_ino:
                return None
            make_directory(self.quarantine)
            _syscalls.rename(path, target)
        except OSError:
            return None
        return target


def _copy(source: int, target: int, size: int) -> Hashed:
    """Copy by sharing blocks where the file system can, and hash what arrived."""
    try:
        _syscalls.clone(source, target)
    except OSError:
        return hash_descriptor(source, size, copy_to=target)
    return hash_descriptor(target, size)


@contextlib.contextmanager
def _new_file(path: Path, mode: int, *, keep: bool = False) -> Iterator[tuple[int, Path]]:
    """A new file in a directory that only this process uses; removed at the end unless it is kept."""
    descriptor = _syscalls.create(path, mode)
    try:
        yield descriptor, path
    finally:
        os.close(descriptor)
        if not keep:
            with contextlib.suppress(OSError):
                _syscalls.unlink(path)


def _link(temp: Path, path: Path) -> bool:
    """Give the file its name; False if something has that name already."""
    make_directory(path.parent)
    try:
        _syscalls.link(temp, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            return False
        _syscalls.rename(temp, path)
    return True


def _found(target: Path, known: Callable[[Path], Tree] | None) -> Mapping[str, Artifact]:
    """What lies in a directory; nothing that could be kept, if there is something that cannot be an artifact."""
    try:
        return (_hashed if known is None else known)(target).files
    except ArtifactError:
        return {}


def _hashed(directory: Path) -> Tree:
    found = scan(directory)
    files = {}
    for path, status in found.files:
        hashed = hash_file(directory / path)
        files[path] = Artifact(hashed.digest, hashed.size, bool(status.st_mode & stat.S_IXUSR))
    return Tree(files, tuple(found.empty))


def _entries(directory: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
