"""The objects of artifacts: files, and trees with the files in them."""

import re
from collections.abc import Collection, Iterable, Mapping

import attrs

from pivot_cache.errors import CorruptObjectError, MissingObjectError, TreeError
from pivot_cache.objects.store import ObjectStore
from pivot_core.lock import Artifact
from pivot_core.values import Value

_LISTED = re.compile(rb'":\["([0-9a-f]{32})"')  # a quote in a name follows a backslash


@attrs.frozen(eq=False, repr=False)
class ObjectSet(Value):
    """The objects of some artifacts.

    Attributes:
        sizes: The size of every object by digest; None if only the object itself can show it.
        listings: The objects that are listings, with the digests of the files in each; None if the listing cannot be
            read.
        broken: The listings that exist but are invalid, with the reason.
    """

    sizes: Mapping[str, int | None]
    listings: Mapping[str, frozenset[str] | None]
    broken: Mapping[str, TreeError] = attrs.field(factory=dict)

    @property
    def files(self) -> set[str]:
        """The objects that are not listings."""
        return self.sizes.keys() - self.listings.keys()

    def lengths(self, digests: Iterable[str], store: ObjectStore) -> dict[str, int | None]:
        """The required size of each of some objects; None if unknown, as for missing listings."""
        return {digest: self._length(digest, store) for digest in digests}

    def _length(self, digest: str, store: ObjectStore) -> int | None:
        if self.sizes[digest] is not None or not self.listings.get(digest):
            return self.sizes[digest]
        try:
            return store.path_of(digest).stat().st_size  # it has been read, so it is good
        except OSError:
            return None


def listed(digest: str, store: ObjectStore) -> frozenset[str]:
    """The digests in a listing of the store, for counting; nothing is verified, which would take long."""
    try:
        text = store.path_of(digest).read_bytes()
    except OSError:
        return frozenset()
    return frozenset(found.decode() for found in _LISTED.findall(text))


def objects_of(artifacts: Iterable[Artifact], store: ObjectStore, *, closed: Collection[str] = ()) -> ObjectSet:
    """The objects of artifacts, as far as their listings are in the store.

    Args:
        artifacts: Files and directories.
        store: The store of the listings.
        closed: Listings that are treated as empty, and not read.
    """
    sizes: dict[str, int | None] = {}
    listings: dict[str, frozenset[str] | None] = {}
    broken: dict[str, TreeError] = {}
    for artifact in artifacts:
        digest = artifact.digest
        if not artifact.tree:
            sizes.setdefault(digest, artifact.size)
            continue
        if listings.get(digest) is not None or digest in broken:
            continue
        sizes[digest] = None
        listings[digest] = frozenset() if digest in closed else None
        if digest not in closed:
            try:
                files = store.tree(artifact).files.values()
            except (MissingObjectError, CorruptObjectError):
                continue
            except TreeError as error:
                broken[digest] = error
                continue
            listings[digest] = frozenset(file.digest for file in files)
            for file in files:
                sizes.setdefault(file.digest, file.size)
    return ObjectSet(sizes, listings, broken)
