"""ObjectSearch of many objects in few requests: asked for one by one or listed, whichever takes fewer."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final

import attrs

from pivot_cache.remotes import event_loop
from pivot_cache.remotes.protocol import ListedObject
from pivot_core.values import Value
from pivot_remote_obstore.errors import ClientErrors
from pivot_remote_obstore.limits import RequestClock
from pivot_remote_obstore.location import OBJECTS, BucketLocation, digest_of, object_key

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_FEW: Final = 8
"""Up to this number of objects are asked for one by one, whatever else the remote has."""

_FEW_OF_A_SHARD: Final = 2
_PAGE: Final = 1000
_ENTRY: Final = 1000
"""The number of bytes in an answer that describe one object."""

_SHARD: Final = 2
"""The number of hex digits that name the directory of an object."""


@attrs.frozen(eq=False, repr=False)
class ObjectSearch(Value):
    """Finds out which objects one remote has.

    Attributes:
        store: The client.
        location: Where the objects are.
        slots: Limits the concurrent requests.
        clock: Limits each request.
        errors: Maps those of obstore.
    """

    store: "ObjectStore"
    location: BucketLocation
    slots: asyncio.Semaphore
    clock: RequestClock
    errors: ClientErrors

    async def sizes(self, digests: Collection[str]) -> dict[str, int | None]:
        """The sizes of those objects that exist.

        Raises:
            RemoteError: The server does not answer.
            CacheError: One is not a digest.
        """
        keys = {digest: object_key(digest) for digest in digests}
        wanted = keys.keys()
        if len(wanted) <= _FEW:
            found = await self._each(wanted)
            if wanted and not found:
                async with contextlib.aclosing(self.entries(OBJECTS.as_posix(), 1)) as pages:
                    await anext(pages, None)  # fails if the bucket does not exist, unlike a request for an object
            return found
        shards = defaultdict(set)
        async with contextlib.aclosing(self.entries(OBJECTS.as_posix())) as pages:
            first = await anext(pages, list[Mapping[str, Any]]())
        found = self._some(first, wanted)
        if len(first) < _PAGE:
            return found
        for digest in wanted - found.keys():
            shards[digest[:_SHARD]].add(digest)
        async with event_loop.task_group() as tasks:
            of_shards = [tasks.create_task(self._shard(shard, some)) for shard, some in shards.items()]
        for each in of_shards:
            found |= each.result()
        return found

    async def has(self, key: str) -> bool:
        """Whether a key exists."""
        return (await self._head(key))[0]

    async def listed(self) -> AsyncIterator[ListedObject]:
        """All objects with their sizes and ages."""
        async for page in self.entries(OBJECTS.as_posix()):
            for entry in page:
                digest = digest_of(self.location.path(entry["path"]))
                if digest is not None:
                    yield ListedObject(digest, entry["size"], entry["last_modified"].timestamp())

    async def entries(self, path: str, page: int | None = None) -> AsyncGenerator[list[Mapping[str, Any]]]:
        """The pages of everything below a path of the location."""
        page = page or _PAGE
        pages = self.store.list(f"{self.location.key(path)}/", chunk_size=page)
        seen = set[str]()
        while True:
            with self.errors.as_remote_errors():
                async with self.slots, self.clock.request(page * _ENTRY):
                    found = await anext(pages, None)
            if found is None:
                return
            first = found[0]["path"]
            if first in seen:
                raise self.errors.not_ours("the server's listing does not end")
            seen.add(first)
            yield list(found)

    async def _head(self, key: str) -> tuple[bool, int | None]:
        with self.errors.as_remote_errors():
            async with self.slots, self.clock.request():
                try:
                    meta = await self.store.head_async(self.location.key(key))
                except FileNotFoundError:
                    return False, None
        return True, meta["size"]

    async def _each(self, digests: Collection[str]) -> dict[str, int | None]:
        found: dict[str, int | None] = {}

        async def ask(digest: str) -> None:
            there, size = await self._head(object_key(digest))
            if there:
                found[digest] = size

        async with event_loop.task_group() as tasks:
            for digest in digests:
                tasks.create_task(ask(digest))
        return found

    async def _shard(self, shard: str, wanted: set[str]) -> dict[str, int | None]:
        """The sizes of those objects that exist; all begin with the same digits."""
        found: dict[str, int | None] = {}
        if len(wanted) > _FEW_OF_A_SHARD:
            left = len(wanted)  # more pages would be more requests than one by one
            async with contextlib.aclosing(self.entries(f"{OBJECTS}/{shard}")) as pages:
                async for page in pages:
                    found |= self._some(page, wanted)
                    left -= 1
                    if not left or found.keys() == wanted:
                        break
                else:
                    return found
        return found | await self._each(wanted - found.keys())

    def _some(self, page: Collection[Mapping[str, Any]], wanted: AbstractSet[str]) -> dict[str, int | None]:
        sizes = {digest_of(self.location.path(entry["path"])): entry["size"] for entry in page}
        return {digest: sizes[digest] for digest in sizes.keys() & wanted if digest is not None}
