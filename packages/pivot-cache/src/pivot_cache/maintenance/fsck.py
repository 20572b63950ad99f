"""Checks of a store: damaged objects, and objects that are missing."""

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import attrs
import xxhash

from pivot_cache.errors import ArtifactError, CorruptObjectError, MissingObjectError, TreeError, as_cache_errors
from pivot_cache.files import shards, syscalls
from pivot_cache.files.atomic import sweep
from pivot_cache.files.hashing import hash_file
from pivot_cache.files.signatures import is_mtime_of_boot
from pivot_cache.files.threads import map_parallel
from pivot_cache.formats.tree import Tree
from pivot_cache.objects.store import VERIFIED_NS, ObjectStore
from pivot_core.lock import Artifact
from pivot_core.progress import no_progress
from pivot_core.values import Value

type Progress = Callable[[int, int, int], object]
"""Called from several threads with the total number of objects, 1 for one more checked object, and its size."""

_EMPTY = xxhash.xxh3_128_hexdigest(b"")
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@attrs.frozen(eq=False, repr=False)
class DamagedObject(Value):
    """An object that does not match its name.

    Attributes:
        digest: The digest in its name.
        problem: The problem.
        quarantined: Its new path; None if it could not be moved.
    """

    digest: str
    problem: str
    quarantined: Path | None


@attrs.frozen(eq=False, repr=False)
class FsckReport(Value):
    """The result of a check.

    Attributes:
        objects: The number of checked objects.
        size: Their size.
        bad: The damaged objects.
        suspect: Objects that may be damaged, which only reading them can show: the reason by digest.
        unreadable: Objects that could not be read: the reason by digest.
        missing: Digests of objects that wanted artifacts need and that are missing or damaged.
        foreign: Names in the store's directories, relative to the store, that are not object names.
    """

    objects: int
    size: int
    bad: tuple[DamagedObject, ...]
    suspect: Mapping[str, str]
    unreadable: Mapping[str, str]
    missing: frozenset[str]
    foreign: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether all wanted objects exist and are intact, as far as could be checked."""
        return not (self.bad or self.missing or self.suspect)

    @property
    def certain(self) -> bool:
        """Whether everything could be checked."""
        return not self.unreadable


def check(
    store: ObjectStore,
    wanted: Iterable[Artifact] = (),
    *,
    full: bool = True,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> FsckReport:
    """Check every object, and whether the store has all objects of ``wanted``.

    With ``full``, all bytes are read, whatever is known of an object; an object whose bytes do not match its name is
    moved to the quarantine, and one that is only writable becomes read-only again. Otherwise, only the object's status
    is checked: its kind, its write permission, its mtime, and its size if a wanted artifact states it; nothing is
    moved.

    Args:
        store: The store to check.
        wanted: The artifacts that the store should have.
        full: Whether to read all bytes.
        jobs: The number of objects read at the same time; by default the number of processors.
        progress: Called for every object.

    Raises:
        CacheError: A directory of the store cannot be read.
    """
    sweep(store.directory)
    with as_cache_errors("read", store.directory):
        sizes = dict(sorted(_lengths(store.directory)))
        foreign = _foreign(store.directory)
    wanted = tuple(wanted)
    names = list(sizes)
    looks = _Checker(store, {} if full else _wanted_sizes(store, wanted), len(names), progress)
    found = map_parallel(looks.read, names, sizes.__getitem__, jobs) if full else [looks.glance(name) for name in names]
    bad = {one.bad.digest: one.bad for one in found if one.bad is not None}
    suspect = {digest: one.doubt for digest, one in zip(names, found, strict=True) if one.doubt}
    unreadable = {digest: one.unread for digest, one in zip(names, found, strict=True) if one.unread}
    there = {digest for digest in names if digest not in bad}
    missing = set()
    for artifact in wanted:
        missing |= _missing_objects(store, artifact, there, {*suspect, *unreadable})
    return FsckReport(
        len(names),
        sum(one.size for one in found),
        tuple(bad.values()),
        suspect,
        unreadable,
        frozenset(missing),
        tuple(foreign),
    )


class _Found(NamedTuple):
    """The result of one check."""

    size: int
    bad: DamagedObject | None = None
    doubt: str = ""
    unread: str = ""


class _Checker:
    """Checks single objects; used by several threads."""

    def __init__(self, store: ObjectStore, sizes: Mapping[str, int], count: int, progress: Progress) -> None:
        self._store = store
        self._sizes = sizes
        self._count = count
        self._progress = progress
        self._lock = threading.Lock()

    def read(self, digest: str) -> _Found:
        return self._count_one(self._read(digest))

    def glance(self, digest: str) -> _Found:
        return self._count_one(self._glance(digest))

    def _count_one(self, found: _Found) -> _Found:
        with self._lock:
            self._progress(self._count, 1, found.size)
        return found

    def _read(self, digest: str) -> _Found:
        path = self._store.path_of(digest)
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                return self._quarantine(digest, status, "is not a regular file")
            hashed = hash_file(path)
            if hashed.digest != digest:
                return self._quarantine(digest, status, "has other bytes than its name says")
            if status.st_mode & _WRITABLE:
                syscalls.chmod(path, stat.S_IMODE(status.st_mode) & ~_WRITABLE)
        except FileNotFoundError:
            return _Found(0)
        except ArtifactError as error:
            return _Found(0, unread=error.problem)
        except OSError as error:
            return _Found(status.st_size, unread=error.strerror or str(error))
        return _Found(hashed.size)

    def _glance(self, digest: str) -> _Found:
        try:
            status = self._store.path_of(digest).lstat()
        except FileNotFoundError:
            return _Found(0)
        except OSError as error:
            return _Found(0, unread=error.strerror or str(error))
        doubt = ""
        if not stat.S_ISREG(status.st_mode):
            doubt = "is not a regular file"
        elif (wanted := self._sizes.get(digest, status.st_size)) != status.st_size:
            doubt = f"has {status.st_size} bytes instead of {wanted}"
        elif (not status.st_size) != (digest == _EMPTY):
            doubt = "is empty"
        elif status.st_mode & _WRITABLE:
            doubt = "may be written to"
        elif status.st_mtime_ns != VERIFIED_NS and not is_mtime_of_boot(status.st_mtime_ns):
            doubt = "was written to, or touched, in place"
        return _Found(status.st_size, doubt=doubt)

    def _quarantine(self, digest: str, seen: os.stat_result, problem: str) -> _Found:
        return _Found(seen.st_size, bad=DamagedObject(digest, problem, self._store.quarantine(digest, seen)))


def _missing_objects(store: ObjectStore, artifact: Artifact, there: set[str], uncertain: set[str]) -> set[str]:
    """The missing objects of an artifact; if the listing of a directory is missing, only the listing."""

    def here(digest: str) -> bool:
        return digest in there or store.verified(digest)  # the store looks for a missing object in the trash

    if not here(artifact.digest):
        return {artifact.digest}
    if not artifact.tree or artifact.digest in uncertain:
        return set()
    tree = _tree(store, artifact.digest)
    return {artifact.digest} if tree is None else {digest for digest in tree.digests() if not here(digest)}


def _wanted_sizes(store: ObjectStore, wanted: Iterable[Artifact]) -> dict[str, int]:
    """The sizes of objects, as far as wanted artifacts state them."""
    sizes = {}
    for artifact in wanted:
        if not artifact.tree:
            sizes[artifact.digest] = artifact.size
        elif (tree := _tree(store, artifact.digest)) is not None:
            sizes.update({file.digest: file.size for file in tree.files.values()})
    return sizes


def _tree(store: ObjectStore, digest: str) -> Tree | None:
    try:
        return store.tree(digest)
    except (MissingObjectError, CorruptObjectError, TreeError):
        return None


def _foreign(directory: Path) -> list[str]:
    """Names in the store's directories that are neither objects nor temporary files."""
    known = {f"{digest[:2]}/{digest[2:]}" for digest, _ in shards.entries(directory)}
    found = []
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    for name in names:
        if name.startswith("."):
            continue
        inner = directory / name
        if inner.is_dir():
            found += [entry for each in os.listdir(inner) if (entry := f"{name}/{each}") not in known]
        else:
            found.append(name)
    return sorted(found)


def _lengths(directory: Path) -> Iterator[tuple[str, int]]:
    for digest, entry in shards.entries(directory):
        with contextlib.suppress(FileNotFoundError):
            yield digest, entry.stat(follow_symlinks=False).st_size
