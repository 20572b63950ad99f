"""The object store: bytes that are written once, read-only, named by their digest, and verified when read."""

import contextlib
import functools
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from pivot_cache.errors import (
    ArtifactError,
    CacheError,
    CorruptObjectError,
    ForgedObjectError,
    MissingObjectError,
    TreeError,
    as_cache_errors,
    cache_error,
)
from pivot_cache.files import syscalls
from pivot_cache.files.atomic import staging
from pivot_cache.files.hashing import Hashed, hash_bytes, hash_descriptor, open_artifact
from pivot_cache.files.link_modes import CheckoutMode
from pivot_cache.files.replace_check import unchecked
from pivot_cache.files.shards import entries
from pivot_cache.formats.tree import Tree
from pivot_cache.objects.materialize import Check, build, is_copied, materialize, update, write_copy
from pivot_cache.objects.object_files import VERIFIED_NS, Digests, ObjectFiles
from pivot_cache.state.scan import hash_tree
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact, RunRecord
from pivot_core.values import Value

if TYPE_CHECKING:
    from pivot_cache.objects.trash import Trash
    from pivot_cache.state.run_cache import RunCache

__all__ = ["VERIFIED_NS", "CheckoutMode", "ObjectStore"]


_MOST_KEPT: Final = 200_000
"""The maximum number of files in the listings that a store keeps in memory; a larger listing is kept alone."""


class ObjectStore:
    """A directory of objects; several processes may use it at the same time.

    Attributes:
        directory: The directory with the objects as ``ab/cdef...``; created on demand.
        quarantine_dir: The directory for damaged objects; by default ``quarantine`` beside ``directory``.
        with_sha256: Whether stored objects also get a SHA-256.
    """

    def __init__(
        self,
        directory: Path,
        *,
        quarantine: Path | None = None,
        boot_id: str | None = None,
        boot_time_ns: int | None = None,
        with_sha256: bool = False,
        files: Digests | None = None,
    ) -> None:
        """Create the object; nothing is read or written.

        Args:
            directory: The directory with the objects.
            quarantine: The directory for damaged objects.
            boot_id: A unique identifier of this boot; by default, the system provides it.
            boot_time_ns: The time of this boot in ns since the epoch; by default, the system provides it.
            with_sha256: Whether stored objects also get a SHA-256.
            files: A record of verified objects of other users, whose mtime cannot be set.
        """
        self.with_sha256 = with_sha256
        self.directory = directory
        self.quarantine_dir = directory.parent / "quarantine" if quarantine is None else quarantine
        self._trash = directory.parent / "trash"
        self._trees: dict[str, Tree] = {}
        self._objects = ObjectFiles(
            directory, self.quarantine_dir, self._rescue, boot_id=boot_id, boot_time_ns=boot_time_ns, files=files
        )

    def before_losing(self, call: Callable[[str], object]) -> None:
        """Register a function that is called with the path of a damaged object before it is replaced or moved.

        It protects edits that a user made through a link to the object.
        """
        self._objects.losing = call

    @functools.cached_property
    def trash(self) -> "Trash":
        """The collected objects, in ``trash`` beside the directory; missing objects are restored from it."""
        from pivot_cache.objects.trash import Trash  # lazy

        return Trash(self._trash, like=self.directory)

    def path_of(self, digest: str) -> Path:
        """The path of the object, if it exists.

        Raises:
            CacheError: The text is not a digest.
        """
        return Path(self._objects.path(digest))

    def verified(self, digest: str, size: int | None = None) -> bool:
        """Whether the object exists, has this size (if given), and is intact.

        It is verified if it may have changed or suffered from a power cut; it is not read if its mtime marks it as
        intact.

        Raises:
            CacheError: The text is not a digest.
        """
        return self._objects.intact(digest, size)

    def exists(self, digest: str) -> bool:
        """Whether something is at the object's path, intact or not; a collected object is first restored.

        Raises:
            CacheError: The text is not a digest.
        """
        return os.path.lexists(self._objects.path(digest)) or self._objects.restore_from_trash(digest)

    def has_all(self, artifact: Artifact, look: Callable[[str], object] = lambda _: None) -> bool:
        """Whether all objects of this content exist and are intact: for a directory, the listing and every file.

        Args:
            artifact: The content.
            look: Called with the path of each object before it is checked.
        """
        look(self._objects.path(artifact.digest))
        if not artifact.tree:
            return self.verified(artifact.digest, artifact.size)
        try:
            tree = self.tree(artifact)
        except (MissingObjectError, CorruptObjectError, TreeError):
            return False
        for file in tree.files.values():
            look(self._objects.path(file.digest))
            if not self.verified(file.digest, file.size):
                return False
        return True

    @contextlib.contextmanager
    def temporary(self) -> Iterator[Path]:
        """A private directory in the store for files that are not yet objects; removed at the end or a later sweep.

        Files in it can be passed to `adopt`.

        Raises:
            CacheError: The store cannot be written.
        """
        with contextlib.ExitStack() as stack:
            with as_cache_errors("write to", self.directory):
                place = stack.enter_context(staging(self.directory))
            yield place

    def put(self, source: Path | str, *, place: Path | None = None, later: bool = False) -> Artifact:
        """Store the bytes of a file; symlinks are followed, and an existing object is kept.

        Args:
            source: The file.
            place: The directory from `temporary`, for callers that store many files.
            later: Whether the bytes of a small file may stay in memory until `write_pending` is called, or this object
                is used.

        Returns:
            The artifact, which describes exactly the stored bytes, even if the file changes meanwhile.

        Raises:
            ArtifactError: The path is not a readable regular file.
            CacheError: The store cannot be written; no part of the object is visible.
        """
        try:
            with open_artifact(source) as (descriptor, status):
                try:
                    hashed = self._objects.insert(
                        descriptor, status.st_size, place, with_sha256=self.with_sha256, later=later
                    )
                except OSError as error:
                    raise cache_error(f"store {source} in", self.directory, error) from error
        except FileNotFoundError:
            raise ArtifactError(Path(source), "there is no such file") from None
        executable = bool(status.st_mode & stat.S_IXUSR)
        return Artifact(hashed.digest, hashed.size, executable, sha256=hashed.sha256)

    def write_pending(self) -> None:
        """Write the bytes that `put` was to store later.

        Raises:
            CacheError: The store cannot be written.
        """
        self._objects.write_pending()

    def put_bytes(self, data: bytes) -> str:
        """Store these bytes.

        Returns:
            Their digest.

        Raises:
            CacheError: The store cannot be written.
        """
        digest = digest_bytes(data)
        if not self.verified(digest, len(data)):
            with as_cache_errors("write to", self.directory):
                self._objects.insert_bytes(data, Hashed(digest, len(data)))
        return digest

    def adopt(self, temp: Path, digest: str, *, sha256: str = "", hashed: Hashed | None = None) -> None:
        """Turn a file in a directory from `temporary` into the object of this digest, if the digest matches.

        The file no longer exists afterwards.

        Args:
            temp: The file.
            digest: The required digest.
            sha256: The required SHA-256; empty if unknown.
            hashed: The digests of its bytes, if the caller has just computed them; otherwise, it is read.

        Raises:
            ForgedObjectError: The digest matches, but not the SHA-256; the file stays.
            CorruptObjectError: The digest does not match; the file stays.
            CacheError: The store cannot be written, or the text is not a digest.
        """
        self.path_of(digest)
        with open_artifact(temp) as (descriptor, status), as_cache_errors("write to", self.directory):
            if hashed is None:
                hashed = hash_descriptor(descriptor, status.st_size, with_sha256=bool(sha256))
            _check(hashed, digest, sha256)
            self._objects.publish(descriptor, os.fspath(temp), hashed)
            if os.path.lexists(temp):
                syscalls.unlink(temp)

    def adopt_bytes(self, data: bytes, digest: str, *, sha256: str = "", place: Path | None = None) -> None:
        """Store bytes as the object of this digest, if the digest matches.

        Args:
            data: The bytes.
            digest: The required digest.
            sha256: The required SHA-256; empty if unknown.
            place: The directory from `temporary`, for callers that store many objects.

        Raises:
            ForgedObjectError: The digest matches, but not the SHA-256.
            CorruptObjectError: The digest does not match.
            CacheError: The store cannot be written.
        """
        hashed = hash_bytes(data, with_sha256=bool(sha256))
        _check(hashed, digest, sha256)
        with as_cache_errors("write to", self.directory):
            self._objects.insert_bytes(data, hashed, place)

    def persist(self, *artifacts: Artifact) -> None:
        """Flush all objects of artifacts to the disk, with their names, before their only other copy is replaced.

        Raises:
            MissingObjectError: An object is missing.
            CorruptObjectError: The listing of a directory is damaged; it has been moved to the quarantine.
            TreeError: The object is not a listing.
            CacheError: The flush failed.
        """
        wanted = {artifact.digest for artifact in artifacts}
        for artifact in artifacts:
            wanted |= self.tree(artifact).digests() if artifact.tree else set()
        self._objects.persist(wanted)

    def tree(self, artifact: Artifact | str) -> Tree:
        """The listing of a directory, verified and parsed as untrusted input.

        Raises:
            MissingObjectError: The listing is missing.
            CorruptObjectError: Its bytes are wrong; they have been moved to the quarantine.
            TreeError: The bytes are not a listing, or not that of this artifact.
        """
        digest = artifact if isinstance(artifact, str) else artifact.digest
        known = self._trees.get(digest)
        tree = known if known is not None and self.verified(digest) else self._keep(self._read_tree(digest))
        if isinstance(artifact, Artifact) and artifact.size != (size := tree.artifact().size):
            raise TreeError(f"object {digest}", f"all files together have {size} bytes, not {artifact.size}")
        return tree

    def put_tree(self, tree: Tree) -> Artifact:
        """Store the listing of a directory, whose files are stored.

        Raises:
            CacheError: The store cannot be written.
        """
        self.put_bytes(tree.dumps())
        return self._keep(tree).artifact()

    def _keep(self, tree: Tree) -> Tree:
        """Keep a listing in memory for the same command, instead of older ones if they are large together."""
        self._trees[tree.artifact().digest] = tree
        kept = list(self._trees.items())  # at once, since other threads keep listings, too
        files = sum(len(each.files) for _, each in kept)
        for digest, each in kept[:-1]:
            if files <= _MOST_KEPT:
                break
            files -= len(each.files)
            self._trees.pop(digest, None)
        return tree

    def _read_tree(self, digest: str) -> Tree:
        path = self.path_of(digest)
        if not (path.exists() or self._objects.restore_from_trash(digest)):
            raise MissingObjectError(digest)
        try:
            with open_artifact(path) as (descriptor, status), open(descriptor, "rb", closefd=False) as file:
                data = file.read()
        except FileNotFoundError:
            return self._read_tree(digest)  # it was just collected: try again, from the trash
        except ArtifactError:
            raise CorruptObjectError(digest, quarantined=self.quarantine(digest, path.lstat())) from None
        if digest_bytes(data) != digest:
            raise CorruptObjectError(digest, quarantined=self.quarantine(digest, status))
        return Tree.loads(data, f"object {digest}")

    def restore(
        self,
        artifact: Artifact,
        target: Path,
        mode: CheckoutMode = CheckoutMode.COPY,
        *,
        known: Callable[[Path], Tree] | None = None,
        over_directory: bool = False,
        check: Check = unchecked,
    ) -> int:
        """Restore this content to ``target``: verified first, then moved into place.

        Missing parent directories are created. A file or a symlink at ``target`` is replaced; nothing is ever written
        through it. An existing directory is changed file by file. A copied file has the mode 0644 or 0755 under the
        usual umask.

        Args:
            artifact: The content.
            target: The path of the file or directory.
            mode: How files are created from objects.
            known: The known contents of an existing directory; by default, all its files are hashed.
            over_directory: Whether a directory at ``target`` may be replaced by a file; its contents must be stored
                elsewhere.
            check: Called directly before something at a path is replaced or removed; its errors prevent that.

        Returns:
            The number of files written.

        Raises:
            MissingObjectError: An object is missing.
            CorruptObjectError: Its bytes are wrong; they have been moved to the quarantine.
            CacheError: The target is a directory in the place of a file, or cannot be written. In every case, the old
                content stays.
        """
        there = target.is_dir() and not target.is_symlink()
        if there and not artifact.tree and not over_directory:
            raise CacheError(
                f"cannot restore {target}: a directory is there",
                hint="move the directory away and repeat the command",
            )
        tree = self.tree(artifact) if artifact.tree else None
        if tree is None and not self.exists(artifact.digest):
            raise MissingObjectError(artifact.digest)

        if tree is None and not there and is_copied(artifact, mode):
            with as_cache_errors("restore", target):
                write_copy(self._objects, artifact, target, check)
            return 1
        with as_cache_errors("restore", target), staging(target.parent) as place:
            if tree is None:
                materialize(self._objects, artifact, place / "new", target, mode)
                check(target)
                if there:
                    syscalls.rename(target, place / "old")
                try:
                    syscalls.rename(place / "new", target)
                except OSError:
                    if there:
                        syscalls.rename(place / "old", target)
                    raise
                return 1
            make = functools.partial(materialize, self._objects, mode=mode)
            if there:
                return update(tree, _found(target, known), place, target, make, check)
            return build(tree, place, target, make, check)

    def quarantine(self, digest: str, seen: os.stat_result) -> Path | None:
        """Move an object that was found damaged to the quarantine, unless it no longer has the status ``seen``.

        Returns:
            Its new path; None if it could not be moved.
        """
        return self._objects.quarantine(digest, seen)

    def digests(self) -> Iterator[str]:
        """The digests of all objects in the store, in no order and without verification."""
        self.write_pending()
        return (digest for digest, _ in entries(self.directory))

    def _rescue(self, digest: str, target: Path) -> bool:
        return os.path.isdir(self._trash) and self.trash.rescue(digest, target)


def _check(hashed: Hashed, digest: str, sha256: str) -> None:
    if hashed.digest != digest:
        raise CorruptObjectError(digest)
    if hashed.sha256 != sha256:
        raise ForgedObjectError(digest)


def _found(target: Path, known: Callable[[Path], Tree] | None) -> Mapping[str, Artifact]:
    """The contents of a directory; empty if it contains something that cannot be an artifact."""
    try:
        return (hash_tree if known is None else known)(target).files
    except ArtifactError:
        return {}


@attrs.frozen(eq=False, repr=False)
class CacheMemory(Value):
    """A `pivot_core.decide.Memory` based on an object store and a run cache."""

    store: ObjectStore
    runs: Callable[[], "RunCache"]
    """Opens the run cache when a decision first needs it."""
    holds: Callable[[RunRecord], bool] = lambda record: not record.observed
    """Returns whether all code that a run observed is unchanged; by default, only if it observed none."""

    def recorded(self, key: str) -> Iterator[RunRecord]:
        """The valid runs with this inputs key, the newest first."""
        return filter(self.holds, self.runs().get(key))

    def has(self, artifact: Artifact) -> bool:
        """Whether the object store has this content completely."""
        return self.store.has_all(artifact)
