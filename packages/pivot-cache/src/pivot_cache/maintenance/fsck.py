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

from pivot_cache.errors import ArtifactError, CorruptObjectError, MissingObjectError, TreeError, reporting
from pivot_cache.files import shards, syscalls
from pivot_cache.files.atomic import sweep
from pivot_cache.files.boot import is_mtime_of_boot
from pivot_cache.files.hashing import hash_file
from pivot_cache.files.threads import map_parallel
from pivot_cache.formats.tree import Tree
from pivot_cache.objects.store import VERIFIED_NS, ObjectStore
from pivot_core.lock import Artifact
from pivot_core.progress import no_progress
from pivot_core.values import Value

type Progress = Callable[[int, int, int], object]
"""Called, from several threads, with how many objects there are, 1 for one more checked, and its size."""

_EMPTY = xxhash.xxh3_128_hexdigest(b"")
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@attrs.frozen(eq=False, repr=False)
class DamagedObject(Value):
    """An object that is not what its name says.

    Attributes:
        digest: Its name.
        problem: The problem.
        quarantined: Where it is now; None where it could not be moved.
    """

    digest: str
    problem: str
    quarantined: Path | None


@attrs.frozen(eq=False, repr=False)
class FsckReport(Value):
    """The findings.

    Attributes:
        objects: How many objects were looked at.
        size: Their size.
        bad: Those that are not what they should be.
        suspect: Objects that only reading them could tell about, by digest with the reason.
        unreadable: Objects that could not be read, by digest with the reason; nothing is known of them.
        missing: Digests of objects that something wanted consists of, and that are not here, or were bad.
        foreign: Names in the store's directories that are not those of objects, relative to the store.
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
        """Everything that should be here is here and good, as far as could be seen."""
        return not (self.bad or self.missing or self.suspect)

    @property
    def certain(self) -> bool:
        """Everything could be looked at."""
        return not self.unreadable


def check(
    store: ObjectStore,
    wanted: Iterable[Artifact] = (),
    *,
    full: bool = True,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> FsckReport:
    """Look at every object, and at whether the store has all of ``wanted``.

    With ``full``, all bytes are read, whatever was known of an object; one that has other bytes than its name
    says moves to the quarantine, and one that was merely writable is made read-only again. Without it, only
    what the file system says of an object is looked at: its kind, whether it may be written to, its mtime, and
    its size where something wanted says it; nothing is moved.

    Args:
        store: Which.
        wanted: The artifacts that should be there.
        full: Read all bytes.
        jobs: How many objects are read at once; by default as many as there are processors.
        progress: Told of every object.

    Raises:
        CacheError: A directory of the store cannot be read.
    """
    sweep(store.directory)
    with reporting("read", store.directory):
        sizes = dict(sorted(_lengths(store.directory)))
        foreign = _foreign(store.directory)
    wanted = tuple(wanted)
    names = list(sizes)
    looks = _Looks(store, {} if full else _wanted_sizes(store, wanted), len(names), progress)
    found = map_parallel(looks.read, names, sizes.__getitem__, jobs) if full else [looks.glance(name) for name in names]
    bad = {one.bad.digest: one.bad for one in found if one.bad is not None}
    suspect = {digest: one.doubt for digest, one in zip(names, found, strict=True) if one.doubt}
    unreadable = {digest: one.unread for digest, one in zip(names, found, strict=True) if one.unread}
    there = {digest for digest in names if digest not in bad}
    missing = set()
    for artifact in wanted:
        missing |= _absent(store, artifact, there, {*suspect, *unreadable})
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


class _Looks:
    """Looks at single objects, from several threads."""

    def __init__(self, store: ObjectStore, sizes: Mapping[str, int], count: int, progress: Progress) -> None:
        self._store = store
        self._sizes = sizes
        self._count = count
        self._progress = progress
        self._lock = threading.Lock()

    def read(self, digest: str) -> _Found:
        return self._told(self._read(digest))

    def glance(self, digest: str) -> _Found:
        return self._told(self._glance(digest))

    def _told(self, found: _Found) -> _Found:
        with self._lock:
            self._progress(self._count, 1, found.size)
        return found

    def _read(self, digest: str) -> _Found:
        path = self._store.path_of(digest)
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                return self._condemned(digest, status, "is not a regular file")
            hashed = hash_file(path)
            if hashed.digest != digest:
                return self._condemned(digest, status, "has other bytes than its name says")
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

    def _condemned(self, digest: str, seen: os.stat_result, problem: str) -> _Found:
        return _Found(seen.st_size, bad=DamagedObject(digest, problem, self._store.quarantine(digest, seen)))


def _absent(store: ObjectStore, artifact: Artifact, there: set[str], uncertain: set[str]) -> set[str]:
    """The missing parts of an artifact; of a directory whose listing is not, the listing stands for all."""

    def here(digest: str) -> bool:
        return digest in there or store.verified(digest)  # a store that misses something looks in the trash

    if not here(artifact.digest):
        return {artifact.digest}
    if not artifact.tree or artifact.digest in uncertain:
        return set()
    tree = _tree(store, artifact.digest)
    return {artifact.digest} if tree is None else {digest for digest in tree.digests() if not here(digest)}


def _wanted_sizes(store: ObjectStore, wanted: Iterable[Artifact]) -> dict[str, int]:
    """How large objects must be, as far as what is wanted says it."""
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
    """Names in the store's directories that are neither objects nor files being written."""
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
