"""Which of many objects are there, in few requests: asked for one by one, or listed, whichever is less."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final

import attrs

from pivot_core.values import Value
from pivot_remote_s3.client import Answer, S3Client
from pivot_remote_s3.error_mapping import NO_OBJECT, Place, code
from pivot_remote_s3.location import S3Location

type Lengths = dict[str, int | None]
"""By digest; None where the server does not say."""

_FEW: Final = 8
"""So many objects are asked for one by one, whatever else is there."""

_FEW_OF_A_SHARD: Final = 2
_MOST_BARREN: Final = 1000
"""So many pages in a row without an object are no listing that goes on for long, but one that never ends."""

_REFUSED: Final = frozenset({"400", "403"})
"""The codes of refusals that do not say why."""

_SHARD: Final = 2
"""So many hex digits name the directory of an object."""


@attrs.frozen(eq=False, repr=False)
class Presence(Value):
    """Asks one remote.

    Attributes:
        client: The open client.
        location: Where the objects are.
        slots: Bounds the requests at once.
        place: What errors speak of.
    """

    client: S3Client
    location: S3Location
    slots: asyncio.Semaphore
    place: Place
    _lacking: set[str] = attrs.field(init=False, factory=set)

    async def among(self, digests: Collection[str]) -> Lengths:
        """Those of the objects that are there, with their lengths.

        Raises:
            RemoteError: The server does not say.
            CacheError: One is not a digest.
        """
        keys = {digest: self.location.key(digest) for digest in digests}
        if not keys:
            return {}
        found = await self._among(keys.keys())
        self._lacking.update(key for digest, key in keys.items() if digest not in found)
        return found

    async def _among(self, wanted: AbstractSet[str]) -> Lengths:
        if len(wanted) <= _FEW:
            found = await self._each(wanted)
            if not found:
                await self._page("", 1)  # says so if there is no such bucket, which asking for an object does not
            return found
        first, more = await self._page("")
        found = _some(first, wanted)
        if more is None:
            return found
        shards = defaultdict(set)
        for digest in wanted - found.keys():
            shards[digest[:_SHARD]].add(digest)
        await _all(found.update, [partial(self._shard, shard, digests) for shard, digests in shards.items()])
        return found

    async def all(self) -> AsyncIterator[str]:
        """All objects that are there.

        Raises:
            RemoteError: The server does not say, or its listing does not end.
        """
        more: str | None = ""
        seen, barren = {more}, 0
        while more is not None:
            digests, more = await self._page("", more=more)
            for digest in digests:
                yield digest
            barren = 0 if digests else barren + 1
            if more in seen or barren >= _MOST_BARREN:
                raise self.place.foreign("the server's listing does not end")
            seen.add(more or "")

    async def has(self, digest: str) -> bool:
        """Whether an object is there."""
        return await self.stands(self.location.key(digest))

    async def taken(self, key: str) -> bool:
        """Whether something has this key; of what `among` did not find, that is not asked the first time."""
        if key in self._lacking:
            self._lacking.discard(key)
            return False
        return await self.stands(key)

    async def stands(self, key: str) -> bool:
        """Whether something has this key."""
        return (await self._head(key))[0]

    async def _head(self, key: str) -> tuple[bool, int | None]:
        """Whether something has this key, and its length."""
        with self.place.reporting():
            async with self.slots:
                try:
                    answer = await self.client.head_object(Bucket=self.location.bucket, Key=key)
                except Exception as error:
                    if code(error) in NO_OBJECT:
                        return False, None
                    if code(error) in _REFUSED:
                        await self._list(key, 1)  # its answer has a body, which says why
                    raise
                self.place.recognise(answer, "ETag")
                return True, answer.get("ContentLength")

    async def _each(self, digests: Collection[str]) -> Lengths:
        found: Lengths = {}

        async def ask(digest: str) -> Lengths:
            there, length = await self._head(self.location.key(digest))
            return {digest: length} if there else {}

        await _all(found.update, [partial(ask, digest) for digest in digests])
        return found

    async def _shard(self, shard: str, wanted: set[str]) -> Lengths:
        """Those that are there of the objects that begin with the same digits."""
        found: Lengths = {}
        more: str | None = ""
        if len(wanted) > _FEW_OF_A_SHARD:
            for _ in range(len(wanted)):  # with more requests, one by one would have been less
                before = more
                digests, more = await self._page(shard, more=more or "")
                found |= _some(digests, wanted)
                if more is None or found.keys() == wanted:
                    return found
                if more == before:
                    raise self.place.foreign("the server's listing does not end")
        return found | await self._each(wanted - found.keys())

    async def _page(self, shard: str, most: int = 1000, more: str = "") -> tuple[Lengths, str | None]:
        """Some of the objects, and what to ask for the next ones with."""
        prefix = f"{self.location.root}{shard}/" if shard else self.location.root
        with self.place.reporting():
            async with self.slots:
                answer = await self._list(prefix, most, **({"ContinuationToken": more} if more else {}))
        if not answer.get("IsTruncated"):
            return self._digests(answer), None
        if "NextContinuationToken" not in answer:
            raise self.place.foreign("the server's listing breaks off")
        return self._digests(answer), answer["NextContinuationToken"]

    async def _list(self, prefix: str, most: int, **arguments: str) -> Answer:
        bucket = self.location.bucket
        answer = await self.client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=most, **arguments)
        self.place.recognise(answer, "Name", "IsTruncated", "Contents")
        return answer

    def _digests(self, answer: Answer) -> Lengths:
        entries = answer.get("Contents", ())
        found = ((self.location.digest(entry.get("Key", "")), entry.get("Size")) for entry in entries)
        return {digest: length for digest, length in found if digest}


def _some(found: Lengths, wanted: AbstractSet[str]) -> Lengths:
    return {digest: found[digest] for digest in found.keys() & wanted}


async def _all[T](add: Callable[[T], object], work: Collection[Callable[[], Awaitable[T]]]) -> None:
    """Do all, and none any longer once one of them has failed."""

    async def one(task: Callable[[], Awaitable[T]]) -> None:
        add(await task())

    try:
        async with asyncio.TaskGroup() as tasks:
            for task in work:
                tasks.create_task(one(task))
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
