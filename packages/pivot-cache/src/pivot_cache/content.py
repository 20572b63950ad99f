"""Which objects artifacts consist of: files, and listings with the files in them."""

from collections.abc import Collection, Iterable, Mapping

import attrs

from pivot_cache.errors import CorruptObjectError, MissingObjectError, TreeError
from pivot_cache.store import ObjectStore
from pivot_core.lock import Artifact
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class Content(Value):
    """What artifacts consist of.

    Attributes:
        sizes: Every object by digest, with its size; None where only the object itself can tell.
        listings: The objects that are listings, with the digests of the files in each; None where it cannot be read.
        broken: The listings that are here and are none, and why.
    """

    sizes: Mapping[str, int | None]
    listings: Mapping[str, frozenset[str] | None]
    broken: Mapping[str, TreeError] = attrs.field(factory=dict)

    @property
    def files(self) -> set[str]:
        """The objects that are no listings."""
        return self.sizes.keys() - self.listings.keys()


def content(artifacts: Iterable[Artifact], store: ObjectStore, *, closed: Collection[str] = ()) -> Content:
    """What artifacts consist of, as far as the listings are in the store.

    Args:
        artifacts: Files and directories.
        store: Where the listings are.
        closed: Listings that are not looked into, as if they listed nothing.
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
    return Content(sizes, listings, broken)
