"""SHA-256 in addition to the fast digest, for content from places where others can write.

For a file, it is computed over its bytes. For a directory, it is computed over one line for each entry, with the
SHA-256 of each file. Computed values are stored by the object's digest in a database that may be lost at any time.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from pivot_cache.errors import CorruptObjectError, MissingObjectError
from pivot_cache.files.hashing import hash_descriptor, open_artifact
from pivot_cache.formats.tree import Tree
from pivot_cache.objects.store import ObjectStore
from pivot_cache.state.derived_db import Rows
from pivot_core.files.digest import canonical_json
from pivot_core.lock import Artifact

_MARK = "sha256"


class Sha256Index:
    """The SHA-256 of the objects of a store, as far as computed on this machine; for one thread."""

    def __init__(self, file: Path) -> None:
        """Create the index; its file is created when there is something to store."""
        self._rows = Rows(file, readonly=False)

    def of_file(self, artifact: Artifact, store: ObjectStore) -> Artifact:
        """The artifact of a file with its SHA-256.

        Raises:
            MissingObjectError: The file is not in the store.
            CorruptObjectError: Its object is damaged.
        """
        try:
            return attrs.evolve(artifact, sha256=self._complete([artifact], store)[artifact.digest])
        finally:
            self._rows.close()

    def of_tree(self, tree: Tree, store: ObjectStore) -> Artifact:
        """The artifact of a directory with its SHA-256.

        Raises:
            MissingObjectError: An object of the directory is not in the store.
            CorruptObjectError: An object of the directory is damaged.
        """
        try:
            return attrs.evolve(tree.artifact(), sha256=_of(tree, self._complete(tree.files.values(), store)))
        finally:
            self._rows.close()

    def _complete(self, files: Iterable[Artifact], store: ObjectStore) -> dict[str, str]:
        known: dict[str, str] = {}
        new = {}
        for file in files:
            key = file.digest.encode()
            row = self._rows.get(key) if file.digest not in known else (_MARK, known[file.digest])
            if row is None or (file.sha256 and row[1] != file.sha256):
                row = new[key] = _MARK, file.sha256 or of_object(file.digest, store)
            known[file.digest] = row[1]
        if new:
            self._rows.write(new, ())
        return known


def of_object(digest: str, store: ObjectStore) -> str:
    """The SHA-256 of an object.

    Raises:
        MissingObjectError: The object is not in the store.
        CorruptObjectError: The object is damaged.
    """
    try:
        with open_artifact(store.path_of(digest)) as (descriptor, status):
            hashed = hash_descriptor(descriptor, status.st_size, with_sha256=True)
    except FileNotFoundError:
        raise MissingObjectError(digest) from None
    if hashed.digest != digest:
        raise CorruptObjectError(digest)
    return hashed.sha256


def is_genuine(tree: Tree, sha256: str, store: ObjectStore) -> bool:
    """Whether a directory in the store matches its recorded SHA-256; every file is read.

    Raises:
        MissingObjectError: An object of the directory is not in the store.
        CorruptObjectError: An object of the directory is damaged.
    """
    return _of(tree, {digest: of_object(digest, store) for digest in tree.digests()}) == sha256


def _of(tree: Tree, sha256_by_digest: Mapping[str, str]) -> str:
    state = hashlib.sha256()
    for path, file in tree.files.items():
        state.update(f"{canonical_json([path, file.size, file.executable, sha256_by_digest[file.digest]])}\n".encode())
    for path in tree.empty:
        state.update(f"{canonical_json([path])}\n".encode())
    return state.hexdigest()
