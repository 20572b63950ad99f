"""Garbage collection of a remote: finds the objects that nothing needs, and deletes them.

If a listing is on a remote, its files must be, too. So the files of a listing that stays because it is young also stay,
and listings are deleted before all other objects.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import attrs

from pivot_cache.errors import CacheError, TreeError
from pivot_cache.formats.tree import HEAD, Tree
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes import event_loop
from pivot_cache.remotes.options import Retry, TransferSettings
from pivot_cache.remotes.protocol import (
    ListedObject,
    ObjectLister,
    Remote,
    RemoteCorruptError,
    RemoteError,
    RemoteNotFoundError,
)
from pivot_core.files.digest import digest_bytes
from pivot_core.values import Value

_SHORTEST: Final = len(HEAD)


@attrs.frozen(eq=False, repr=False)
class RemotePlan(Value):
    """The objects to delete.

    Attributes:
        delete: Their sizes by digest; None if the remote does not report one.
        listings: Those that are listings of directories.
        needed: The number of objects that stay since something names them.
        young: The number of others that stay, since they are young or belong to a directory that is.
    """

    delete: Mapping[str, int | None]
    listings: AbstractSet[str]
    needed: int
    young: int

    @property
    def size(self) -> int:
        """The known number of bytes to delete."""
        return sum(size or 0 for size in self.delete.values())

    def only(self, digests: Iterable[str]) -> "RemotePlan":
        """The plan without objects other than these."""
        wanted = set(digests)
        return attrs.evolve(self, delete={digest: size for digest, size in self.delete.items() if digest in wanted})


@attrs.frozen(eq=False, repr=False)
class RemoteGcResult(Value):
    """The result of deleting objects.

    Attributes:
        deleted: Their digests.
        failed: The objects that could not be deleted, with the error.
    """

    deleted: AbstractSet[str]
    failed: Mapping[str, RemoteError]


def plan(
    needed: AbstractSet[str], remote: Remote, store: ObjectStore, settings: TransferSettings, *, before_s: float
) -> RemotePlan:
    """Find the objects on a remote that are not needed, and that were uploaded before a time.

    Args:
        needed: The digests that must stay.
        remote: The remote.
        store: A store that may have the same listings.
        settings: The settings of requests.
        before_s: The time in seconds since the epoch; objects of unknown age stay.

    Raises:
        RemoteError: The remote does not answer, or cannot list its objects with their ages.
    """
    return event_loop.run(_plan(needed, remote, store, settings, before_s))


async def _plan(
    needed: AbstractSet[str], remote: Remote, store: ObjectStore, settings: TransferSettings, before_s: float
) -> RemotePlan:
    retry = settings.retry or Retry()
    async with remote:
        if not isinstance(remote, ObjectLister):
            raise RemoteError(remote.name, "it cannot list its objects with their ages", hint="delete objects there")
        lister = remote

        async def listed() -> list[ListedObject]:
            return [each async for each in lister.listed()]

        found = {each.digest: each for each in await retry(listed)}
        others = [each for digest, each in found.items() if digest not in needed]
        old = {each.digest: each.size for each in others if each.modified is not None and each.modified < before_s}
        probe = _Probe(remote, store, retry, settings.jobs)
        young = [each for each in others if each.digest not in old]
        for tree in await probe.all(young, probe.listing):
            for digest in tree.digests() if tree is not None else ():
                old.pop(digest, None)
        kinds = await probe.all([found[digest] for digest in old], probe.is_listing)
        listings = {digest for digest, kind in zip(old, kinds, strict=True) if kind}
    return RemotePlan(old, listings, len(found) - len(others), len(others) - len(old))


class _Probe:
    """Finds out which objects of a remote are listings."""

    def __init__(self, remote: Remote, store: ObjectStore, retry: Retry, jobs: int) -> None:
        self._remote = remote
        self._store = store
        self._retry = retry
        self._slots = asyncio.Semaphore(jobs)

    async def all[T](self, objects: Iterable[ListedObject], ask: Callable[[ListedObject], Awaitable[T]]) -> list[T]:
        """The answers about some objects, in their order."""

        async def one(each: ListedObject) -> T:
            async with self._slots:
                return await self._retry(lambda: ask(each))

        return await asyncio.gather(*map(one, objects))

    async def is_listing(self, each: ListedObject) -> bool:
        """Whether an object begins as a listing does."""
        if each.size is not None and each.size < _SHORTEST:
            return False
        return await self._read(each.digest, _SHORTEST) == HEAD

    async def listing(self, each: ListedObject) -> Tree | None:
        """The listing that an object is; None if it is none."""
        if not await self.is_listing(each):
            return None
        data = await self._read(each.digest)
        if not data:
            return None
        if digest_bytes(data) != each.digest:
            raise RemoteCorruptError(self._remote.name, each.digest)
        try:
            return Tree.loads(data, f"object {each.digest}")
        except TreeError:
            return None

    async def _read(self, digest: str, most: int | None = None) -> bytes:
        """The first bytes of an object; empty if it no longer exists."""
        try:
            if self._store.verified(digest):
                return self._store.path_of(digest).read_bytes()[:most]
        except (OSError, CacheError):
            pass
        try:
            async with self._remote.read(digest, 0, most) as body:
                return b"".join([data async for data in body])[:most]
        except RemoteNotFoundError:
            return b""


def delete(planned: RemotePlan, remote: Remote, settings: TransferSettings) -> RemoteGcResult:
    """Delete the objects of a plan: listings first, and nothing else unless all of them are gone.

    Raises:
        RemoteError: The remote cannot be opened.
    """
    return event_loop.run(_delete(planned, remote, settings)) if planned.delete else RemoteGcResult(frozenset(), {})


async def _delete(planned: RemotePlan, remote: Remote, settings: TransferSettings) -> RemoteGcResult:
    retry, slots = settings.retry or Retry(), asyncio.Semaphore(settings.jobs)
    deleted: set[str] = set()
    failed: dict[str, RemoteError] = {}

    async def one(digest: str) -> None:
        async with slots:
            try:
                await retry(lambda: remote.delete(digest))
            except RemoteError as error:
                failed[digest] = error
            else:
                deleted.add(digest)

    if settings.known is not None:  # first: an object that is only believed to be there would never be pushed again
        settings.known.forget(remote.identity)
    async with remote:
        await asyncio.gather(*(one(digest) for digest in planned.delete if digest in planned.listings))
        if not failed:
            await asyncio.gather(*(one(digest) for digest in planned.delete if digest not in planned.listings))
    return RemoteGcResult(frozenset(deleted), failed)
