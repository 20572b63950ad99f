"""Existence of many objects in few requests: asked for one by one or listed, whichever takes fewer."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

import attrs

from pivot_cache.remotes import event_loop
from pivot_cache.remotes.protocol import ListedObject
from pivot_core.values import Value
from pivot_remote_s3.client.sdk_client import S3Client, S3Response
from pivot_remote_s3.errors import NO_OBJECT, ErrorMapper, code
from pivot_remote_s3.location import S3Location

type Lengths = dict[str, int | None]
"""Lengths of objects by digest; None if the server does not report one."""

_FEW: Final = 8
"""Up to this number of objects are asked for one by one, whatever else the remote has."""

_FEW_OF_A_SHARD: Final = 2
_MOST_EMPTY_PAGES: Final = 1000
"""A listing with more pages in a row without an object is taken for one that never ends."""

_REFUSED: Final = frozenset({"400", "403"})
"""Codes of refusals that give no reason."""

_SHARD: Final = 2
"""The number of hex digits that name the directory of an object."""


@attrs.frozen(eq=False, repr=False)
class Existence(Value):
    """Finds out which objects one remote has.

    Attributes:
        client: The open client.
        location: Where the objects are.
        slots: Limits the concurrent requests.
        errors: Maps those of the SDK.
    """

    client: S3Client
    location: S3Location
    slots: asyncio.Semaphore
    errors: ErrorMapper
    _known_missing: set[str] = attrs.field(init=False, factory=set)

    async def lengths(self, digests: Collection[str]) -> Lengths:
        """Return the lengths of those objects that exist.

        Raises:
            RemoteError: The server does not answer.
            CacheError: One is not a digest.
        """
        keys = {digest: self.location.key(digest) for digest in digests}
        if not keys:
            return {}
        found = await self._lengths(keys.keys())
        self._known_missing.update(key for digest, key in keys.items() if digest not in found)
        return found

    async def _lengths(self, wanted: AbstractSet[str]) -> Lengths:
        if len(wanted) <= _FEW:
            found = await self._each(wanted)
            if not found:
                await self._page("", 1)  # fails if the bucket does not exist; a request for an object does not
            return found
        first, more = await self._page("")
        found = _some(first, wanted)
        if more is None:
            return found
        shards = defaultdict(set)
        for digest in wanted - found.keys():
            shards[digest[:_SHARD]].add(digest)
        async with event_loop.task_group() as tasks:
            of_shards = [tasks.create_task(self._shard(shard, digests)) for shard, digests in shards.items()]
        for each in of_shards:
            found |= each.result()
        return found

    async def all(self) -> AsyncIterator[str]:
        """List all objects.

        Raises:
            RemoteError: The server does not answer, or its listing does not end.
        """
        more: str | None = ""
        seen, empty = {more}, 0
        while more is not None:
            digests, more = await self._page("", more=more)
            for digest in digests:
                yield digest
            empty = 0 if digests else empty + 1
            if more in seen or empty >= _MOST_EMPTY_PAGES:
                raise self.errors.not_s3("the server's listing does not end")
            seen.add(more or "")

    async def listed(self) -> AsyncIterator[ListedObject]:
        """List all objects with their sizes and ages.

        Raises:
            RemoteError: The server does not answer, or its listing does not end.
        """
        more: str | None = ""
        seen, empty = {more}, 0
        while more is not None:
            entries, more = await self._entries("", more=more)
            found = [(digest, entry) for entry in entries if (digest := self.location.digest(entry.get("Key", "")))]
            for digest, entry in found:
                modified = entry.get("LastModified")
                yield ListedObject(digest, entry.get("Size"), None if modified is None else modified.timestamp())
            empty = 0 if found else empty + 1
            if more in seen or empty >= _MOST_EMPTY_PAGES:
                raise self.errors.not_s3("the server's listing does not end")
            seen.add(more or "")

    async def has(self, digest: str) -> bool:
        """Return whether an object exists."""
        return await self._has_key(self.location.key(digest))

    async def is_taken(self, key: str) -> bool:
        """Return whether a key exists; the first time, the server is not asked about one that `lengths` missed."""
        if key in self._known_missing:
            self._known_missing.discard(key)
            return False
        return await self._has_key(key)

    async def _has_key(self, key: str) -> bool:
        return (await self._head(key))[0]

    async def _head(self, key: str) -> tuple[bool, int | None]:
        """Return whether a key exists, and the length of its object."""
        with self.errors.as_remote_errors():
            async with self.slots:
                try:
                    response = await self.client.head_object(Bucket=self.location.bucket, Key=key)
                except Exception as error:
                    if code(error) in NO_OBJECT:
                        return False, None
                    if code(error) in _REFUSED:
                        await self._list(key, 1)  # unlike this response, that one has a body with the reason
                    raise
                self.errors.require_any(response, "ETag")
                return True, response.get("ContentLength")

    async def _each(self, digests: Collection[str]) -> Lengths:
        found: Lengths = {}

        async def ask(digest: str) -> None:
            there, length = await self._head(self.location.key(digest))
            if there:
                found[digest] = length

        async with event_loop.task_group() as tasks:
            for digest in digests:
                tasks.create_task(ask(digest))
        return found

    async def _shard(self, shard: str, wanted: set[str]) -> Lengths:
        """Return the lengths of those objects that exist; all begin with the same digits."""
        found: Lengths = {}
        more: str | None = ""
        if len(wanted) > _FEW_OF_A_SHARD:
            for _ in range(len(wanted)):  # more pages would be more requests than one by one
                before = more
                digests, more = await self._page(shard, more=more or "")
                found |= _some(digests, wanted)
                if more is None or found.keys() == wanted:
                    return found
                if more == before:
                    raise self.errors.not_s3("the server's listing does not end")
        return found | await self._each(wanted - found.keys())

    async def _page(self, shard: str, most: int = 1000, more: str = "") -> tuple[Lengths, str | None]:
        """Return one page of the listing, and the token of the next one."""
        entries, token = await self._entries(shard, most, more)
        found = ((self.location.digest(entry.get("Key", "")), entry.get("Size")) for entry in entries)
        return {digest: length for digest, length in found if digest}, token

    async def _entries(
        self, shard: str, most: int = 1000, more: str = ""
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """Return the entries of one page, and the token of the next one."""
        prefix = f"{self.location.root}{shard}/" if shard else self.location.root
        with self.errors.as_remote_errors():
            async with self.slots:
                response = await self._list(prefix, most, **({"ContinuationToken": more} if more else {}))
        if not response.get("IsTruncated"):
            return response.get("Contents", ()), None
        if "NextContinuationToken" not in response:
            raise self.errors.not_s3("the server's listing breaks off")
        return response.get("Contents", ()), response["NextContinuationToken"]

    async def _list(self, prefix: str, most: int, **arguments: str) -> S3Response:
        bucket = self.location.bucket
        response = await self.client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=most, **arguments)
        self.errors.require_any(response, "Name", "IsTruncated", "Contents")
        return response


def _some(found: Lengths, wanted: AbstractSet[str]) -> Lengths:
    return {digest: found[digest] for digest in found.keys() & wanted}
