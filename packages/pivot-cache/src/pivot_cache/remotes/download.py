"""Downloads one object into the store: in one stream, by the system, or in parts that survive an interruption.

Downloaded bytes are verified before they become an object; wrong bytes are not requested again.
"""

import asyncio
import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs
import xxhash

from pivot_cache.errors import CorruptObjectError, ForgedObjectError, as_cache_errors
from pivot_cache.files.atomic import write_all
from pivot_cache.files.hashing import Hashed, RunningHash
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes import event_loop, partial_file
from pivot_cache.remotes.options import Retry
from pivot_cache.remotes.protocol import (
    Body,
    PartCopier,
    Remote,
    RemoteCorruptError,
    RemoteForgedError,
    RemoteUnreachableError,
)
from pivot_core.values import Value

PART: Final = 8 << 20
"""The size of a part in bytes; smaller objects arrive in one stream."""

_LARGEST: Final = 1 << 43
"""No object is larger; a size above this limit is false, and no space is allocated for it."""

LISTING: Final = 1 << 30
"""The maximum size of a listing in bytes, since only the remote knows its actual size."""

_SMALL: Final = 1 << 20
"""Smaller objects are verified without a thread, whose start would take longer."""

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@attrs.frozen(eq=False, repr=False)
class Downloader(Value):
    """Downloads objects from one remote into one store.

    Attributes:
        remote: The remote, already open.
        store: The store for the objects.
        place: A private directory in the store.
        partials: A directory on the store's file system for partly downloaded large objects.
        jobs: The maximum number of simultaneous requests.
        retry: The retry policy.
        part: The size of a part.
        sha256: The required SHA-256 of objects, by digest.
    """

    remote: Remote
    store: ObjectStore
    place: Path
    partials: Path
    jobs: int
    retry: Retry
    part: int = PART
    sha256: Mapping[str, str] = attrs.field(factory=dict)
    _requests: asyncio.Semaphore = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_requests", asyncio.Semaphore(self.jobs))

    async def receive(self, digest: str, size: int | None, moved: Callable[[int], object]) -> None:
        """Download one object.

        Args:
            digest: Its digest.
            size: The number of its bytes, if known.
            moved: Called with the number of additional bytes downloaded.

        Raises:
            RemoteError: The download failed after all attempts, or the object is corrupt; the store is unchanged.
            CacheError: The store cannot be written.
        """
        if size is not None and self.part < size <= _LARGEST:
            with (
                as_cache_errors("write", self.partials),
                partial_file.open_partial(self.partials, digest, size, self.part) as found,
            ):
                if found is not None:
                    await self._whole(found, moved)
                    return
        if isinstance(self.remote, PartCopier):
            await self._copy(self.remote, digest, size, moved)
        else:
            await self._stream(digest, size, moved)

    def keep(self, digest: str, data: bytes) -> bool:
        """Store the bytes of a small object; False if they are not those of this digest.

        Raises:
            CacheError: The store cannot be written.
        """
        try:
            self.store.adopt_bytes(data, digest, sha256=self.sha256.get(digest, ""), place=self.place)
        except CorruptObjectError:
            return False
        return True

    async def _copy(self, copier: PartCopier, digest: str, size: int | None, moved: Callable[[int], object]) -> None:
        with as_cache_errors("write", self.place), self._temporary(digest) as (descriptor, temp):

            async def copy() -> tuple[int, RunningHash]:
                state = self._hash(digest)
                async with self._requests:
                    end = LISTING if size is None else size
                    return await copier.copy_part(digest, descriptor, 0, end, state.update), state

            found, state = await self.retry(copy)
            total = self._checked_size(digest, found, size)
            moved(total)
            await self._adopt(temp, digest, total, state.hashed())

    async def _stream(self, digest: str, size: int | None, moved: Callable[[int], object]) -> None:
        state = xxhash.xxh3_128()
        arrived, total = 0, size
        with as_cache_errors("write", self.place), self._temporary(digest) as (descriptor, temp):

            async def rest() -> None:
                nonlocal arrived, total
                if arrived and arrived == total:
                    return
                async with self._requests, self.remote.read(digest, arrived) as body:
                    total = self._checked(digest, body, total)
                    async for data in body:
                        arrived += len(data)
                        if arrived > total:
                            raise RemoteCorruptError(self.remote.name, digest)
                        write_all(descriptor, data)
                        state.update(data)
                        moved(len(data))
                if arrived < total:
                    raise self._broken()

            await self.retry(rest, lambda: arrived)
            if state.hexdigest() != digest:
                raise RemoteCorruptError(self.remote.name, digest)
            await self._adopt(temp, digest, arrived)

    async def _whole(self, found: partial_file.Partial, moved: Callable[[int], object]) -> None:
        remote = self.remote
        parts = functools.partial(self._parts_in_order, remote) if isinstance(remote, PartCopier) else self._parts
        resumed = found.arrived()
        moved(resumed)
        try:
            await parts(found, moved)
        except RemoteCorruptError:
            if not resumed:
                found.restart()
                raise
            # Leftovers of an earlier process may have suffered from a power cut, so only a new download proves
            # corruption.
            moved(-found.arrived())
            found.restart()
            await parts(found, moved)

    async def _parts(self, found: partial_file.Partial, moved: Callable[[int], object]) -> None:
        waiting = found.missing_parts()
        numbers = iter(waiting)

        async def work() -> None:
            for number in numbers:
                await self._part(found, number, moved)

        async with event_loop.task_group() as tasks:
            for _ in waiting[: self.jobs]:
                tasks.create_task(work())
        await self._adopt(found.path, found.digest, found.size)

    async def _parts_in_order(
        self, copier: PartCopier, found: partial_file.Partial, moved: Callable[[int], object]
    ) -> None:
        """Copy and hash one part after the other, so that nothing is read twice."""
        state = self._hash(found.digest)
        for number in range(found.parts):
            if number in found.done:
                await asyncio.to_thread(found.read_part, number, state.update)
                continue
            state = await self.retry(functools.partial(self._copied_part, copier, found, number, state))
            start, stop = found.span(number)
            moved(stop - start)
            found.arrive(number)
        await self._adopt(found.path, found.digest, found.size, state.hashed())

    async def _copied_part(
        self, copier: PartCopier, found: partial_file.Partial, number: int, before: RunningHash
    ) -> RunningHash:
        start, stop = found.span(number)
        state = before.copy()  # an attempt that fails may have seen some of the bytes
        async with self._requests:
            total = await copier.copy_part(found.digest, found.data, start, stop, state.update)
        self._checked_size(found.digest, total, found.size)
        return state

    async def _part(self, found: partial_file.Partial, number: int, moved: Callable[[int], object]) -> None:
        start, stop = found.span(number)
        at = start

        async def rest() -> None:
            nonlocal at
            if at == stop:
                return
            async with self._requests, self.remote.read(found.digest, at, stop) as body:
                self._checked(found.digest, body, found.size)
                async for data in body:
                    if at + len(data) > stop:
                        raise RemoteCorruptError(self.remote.name, found.digest)
                    os.pwrite(found.data, data, at)
                    at += len(data)
                    moved(len(data))
            if at < stop:
                raise self._broken()

        try:
            await self.retry(rest, lambda: at)
        except BaseException:
            moved(start - at)
            raise
        found.arrive(number)

    @contextlib.contextmanager
    def _temporary(self, digest: str) -> Iterator[tuple[int, Path]]:
        temp = self.place / digest
        descriptor = os.open(temp, _FLAGS, 0o600)
        try:
            yield descriptor, temp
        finally:
            os.close(descriptor)
            temp.unlink(missing_ok=True)

    def _checked(self, digest: str, body: Body, size: int | None) -> int:
        return self._checked_size(digest, body.size, size)

    def _checked_size(self, digest: str, found: int, size: int | None) -> int:
        if found > LISTING if size is None else found != size:
            raise RemoteCorruptError(self.remote.name, digest)
        return found

    def _hash(self, digest: str) -> RunningHash:
        return RunningHash(with_sha256=digest in self.sha256)

    async def _adopt(self, temp: Path, digest: str, size: int, hashed: Hashed | None = None) -> None:
        sha256 = self.sha256.get(digest, "")
        try:
            if hashed is not None or size <= _SMALL:
                self.store.adopt(temp, digest, sha256=sha256, hashed=hashed)
            else:
                await asyncio.to_thread(self.store.adopt, temp, digest, sha256=sha256)
        except ForgedObjectError:
            raise RemoteForgedError(self.remote.name, digest) from None
        except CorruptObjectError:
            raise RemoteCorruptError(self.remote.name, digest) from None

    def _broken(self) -> RemoteUnreachableError:
        return RemoteUnreachableError(self.remote.name, "the connection ended in the middle of an object")
