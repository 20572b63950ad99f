"""The content that DVC knows by MD5: that of the workspace if it is right there, otherwise that of DVC's cache.

Remotes of DVC's that are directories come after its cache.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from pivot_cache.files import safe_read
from pivot_cache.files.threads import map_parallel
from pivot_cache.formats import tree
from pivot_cache.formats.tree import Tree
from pivot_cache.objects import md5 as md5_files
from pivot_cache.objects.md5 import Md5File
from pivot_cache.state.scan import Scan, scan
from pivot_cache.state.stat_cache import StatCache
from pivot_core.lock import Artifact
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.dvc_import.dvc_lock import DIRECTORY, Md5, listing_md5

_PLACES: Final = ("files/md5", "")
"""Where a cache or a remote of DVC has its objects, relative to its directory: since 3.0, and before."""


class Contents:
    """The content at paths of one project.

    Attributes:
        objects: The number of objects that were stored.
        size: Their bytes.
        ignored: By directory, a file in it that DVC ignores and Pivot does not.
    """

    def __init__(
        self,
        root: Path,
        places: Sequence[Path],
        is_ignored: Callable[[str], bool],
        files: StatCache,
        stores: Stores | None,
    ) -> None:
        """Read nothing yet.

        Args:
            root: The root of the project.
            places: The directories of DVC's cache, and of its remotes that are directories.
            is_ignored: Whether DVC ignores a path, relative to the root.
            files: Gets the digests of files of the workspace.
            stores: The stores to write; None to change nothing.
        """
        self._root = root
        self._places = places
        self._is_ignored = is_ignored
        self._files = files
        self._stores = stores
        self._known: dict[str, Md5File] = {}
        self._directories: dict[str, tuple[str, Artifact]] = {}
        self._kept: dict[str, Artifact] = {}
        self.ignored: dict[str, str] = {}
        self.objects = 0
        self.size = 0

    def is_there(self, path: str) -> bool:
        """Return whether something is at a path; a dangling link is nothing."""
        return os.path.exists(self._root / path)

    def is_known(self, md5: Md5) -> bool:
        """Return whether there is an object of this name, be it intact or not."""
        return all(any(True for _ in self._objects(each)) for each in (md5.files.values() or [md5]))

    def matches(self, path: str, md5: Md5) -> Artifact | None:
        """Return the content of the workspace, if it has this MD5.

        Raises:
            ArtifactError: Something in it cannot be read.
        """
        file = self._root / path
        try:
            if file.is_dir() != md5.directory:
                return None
            return self._directory(path, md5, keep=False) if md5.directory else self._file(path, md5, keep=False)
        except FileNotFoundError:
            return None

    def keep(self, path: str, md5: Md5, *, in_workspace: bool = False) -> Artifact | None:
        """Store the content of this MD5, from the path if it is there or else from DVC's cache; None if it is nowhere.

        With ``in_workspace``, DVC's cache does not count.

        Raises:
            ArtifactError: Something at the path cannot be read.
            CacheError: The store cannot be written.
        """
        if self.is_there(path):
            file = self._root / path
            if file.is_dir() == md5.directory:
                try:
                    found = self._directory(path, md5, keep=True) if md5.directory else self._file(path, md5, keep=True)
                except FileNotFoundError:
                    found = None
                if found is not None:
                    return found
        return None if in_workspace else self._from_cache(md5)

    # The workspace

    def _file(self, path: str, md5: Md5, *, keep: bool) -> Artifact | None:
        name = os.fspath(self._root / path)
        if keep and self._stores is not None:
            with self._stores.store.temporary() as place:
                found = self._read(name, place)
                if not self._is(name, found, md5):
                    return None
                self._adopt(found)
                return found.artifact
        found = self._read(name, None)
        return found.artifact if self._is(name, found, md5) else None

    def _is(self, name: str, found: Md5File, md5: Md5) -> bool:
        return found.md5 == md5.digest or (md5.text and md5_files.text_md5(name) == md5.digest)

    def _read(self, name: str, place: Path | None, number: int = 0) -> Md5File:
        """Read a file once; ``place`` gets a copy, unless the store has its bytes."""
        known = self._known.get(name)
        if known is not None and (place is None or self._is_stored(known.artifact)):
            return known
        before = self._files.known(name)
        copy = None if place is None or (before is not None and self._is_stored(before)) else place / str(number)
        found: list[Md5File] = []

        def read(path: str) -> Artifact:
            found.append(md5_files.read(path, copy))
            return found[-1].artifact

        self._files.storing(name, read)
        self._known[name] = attrs.evolve(found[-1], copy=None)
        return found[-1]

    def _is_stored(self, artifact: Artifact) -> bool:
        return self._stores is not None and self._stores.store.verified(artifact.digest, artifact.size)

    def _adopt(self, file: Md5File) -> None:
        if self._stores is not None and file.copy is not None:
            md5_files.adopt(self._stores.store, file)
            self.objects += 1
            self.size += file.artifact.size

    def _directory(self, path: str, md5: Md5, *, keep: bool) -> Artifact | None:
        known = self._directories.get(path)
        if known is not None and not keep and not md5.text:
            return known[1] if known[0] == md5.digest else None
        if not keep or self._stores is None:
            return self._tree(path, md5, None)
        with self._stores.store.temporary() as place:
            return self._tree(path, md5, place)

    def _tree(self, path: str, md5: Md5, place: Path | None) -> Artifact | None:
        top = self._root / path
        found = scan(top)
        self._files.settle(found.settles_at())
        began = self._files.now()
        numbered = list(enumerate(found.files))
        files = map_parallel(
            lambda each: self._read(f"{top}/{each[1][0]}", place, each[0]), numbered, lambda each: each[1][1].st_size
        )
        by_name = dict(zip((name for name, _ in found.files), files, strict=True))
        counted = {name: file for name, file in by_name.items() if not self._is_ignored(f"{path}/{name}")}
        for name in by_name.keys() - counted.keys():
            self.ignored[path] = min(name, self.ignored.get(path, name))
        digest = listing_md5({name: file.md5 for name, file in counted.items()})
        if digest != md5.digest and md5.text:
            digest = listing_md5({name: md5_files.text_md5(f"{top}/{name}") for name in counted})
        whole = Tree({name: file.artifact for name, file in by_name.items()}, tuple(found.empty))
        self._directories[path] = digest, whole.artifact()
        if digest != md5.digest:
            return None
        return self._stored_tree(whole, files, place, (top, found, began))

    def _stored_tree(
        self, whole: Tree, files: Sequence[Md5File], place: Path | None, learnt: tuple[Path, Scan, int] | None
    ) -> Artifact:
        if place is not None and self._stores is not None:
            for file in files:
                self._adopt(file)
            self._stores.store.put_bytes(whole.dumps())
        if learnt is not None:
            top, found, began = learnt
            self._files.learn(top, found, whole, began)
        return whole.artifact()

    # DVC's cache

    def _from_cache(self, md5: Md5) -> Artifact | None:
        key = f"{md5.digest}{'x' if md5.executable else ''}"
        if key not in self._kept:
            found = self._cached_tree(md5) if md5.directory else self._cached_file(md5)
            if found is None:
                return None
            self._kept[key] = found
        return self._kept[key]

    def _objects(self, md5: Md5) -> Iterator[Path]:
        for directory in self._places:
            for place in reversed(_PLACES) if md5.text else _PLACES:
                path = directory / place / md5.digest[:2] / md5.digest[2:]
                if path.is_file():
                    yield path

    def _cached_file(self, md5: Md5) -> Artifact | None:
        with self._copies() as place:
            found = self._verified(md5, place, 0)
            if found is None:
                return None
            self._adopt(found)
            return found.artifact

    def _copies(self) -> contextlib.AbstractContextManager[Path | None]:
        """A directory for copies; None if nothing is stored."""
        return contextlib.nullcontext() if self._stores is None else self._stores.store.temporary()

    def _verified(self, md5: Md5, place: Path | None, number: int) -> Md5File | None:
        """Read an object of DVC's; None if there is none that is intact."""
        for at, path in enumerate(self._objects(md5)):
            found = md5_files.read(path, None if place is None else place / f"{number}.{at}")
            if self._is(os.fspath(path), found, md5):
                return attrs.evolve(found, artifact=attrs.evolve(found.artifact, executable=md5.executable))
        return None

    def _cached_tree(self, md5: Md5) -> Artifact | None:
        listed = self._listing(md5)
        if listed is None or not all(self.is_known(each) for each in listed.values()):
            return None
        with self._copies() as place:
            numbered = list(enumerate(listed.values()))
            files = map_parallel(lambda each: self._verified(each[1], place, each[0]), numbered, self._size)
            found = [each for each in files if each is not None]
            if len(found) < len(listed):
                return None
            whole = Tree({name: file.artifact for name, file in zip(listed, found, strict=True)})
            return self._stored_tree(whole, found, place, None)

    def _size(self, numbered: tuple[int, Md5]) -> int:
        return next((path.stat().st_size for path in self._objects(numbered[1])), 0)

    def listing(self, md5: Md5) -> Mapping[str, Md5]:
        """Return the files of a directory by their relative paths, as far as DVC's cache knows them."""
        return self._listing(md5) or {}

    def _listing(self, md5: Md5) -> Mapping[str, Md5] | None:
        if md5.files:
            return md5.files
        for path in self._objects(md5):
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
                data = safe_read.read_regular(path)
                if hashlib.md5(data, usedforsecurity=False).hexdigest() == md5.digest.removesuffix(DIRECTORY):
                    return {
                        _checked(entry["relpath"]): Md5(
                            _digest(entry["md5"]), md5.text, executable=entry.get("isexec") is True
                        )
                        for entry in json.loads(data)
                    }
        return None


def _checked(name: Any) -> str:
    problem = tree.path_problem(name)
    if problem is not None:
        raise ValueError(problem)
    return str(name)


def _digest(text: Any) -> str:
    if not isinstance(text, str) or len(text) != 32 or not text.isalnum():  # noqa: PLR2004  # hexadecimal digits
        raise ValueError(text)
    return text
