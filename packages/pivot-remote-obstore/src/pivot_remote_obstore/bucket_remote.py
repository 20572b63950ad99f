"""Remotes of ``gs://`` and ``az://`` URLs: objects under their digests in a bucket, none of which is ever replaced."""

import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Generator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Final, Self

import attrs

from pivot_cache.errors import as_cache_errors
from pivot_cache.files.safe_read import read_regular
from pivot_cache.remotes.protocol import (
    Body,
    ListedObject,
    RemoteCorruptError,
    RemoteError,
    RemoteNotFoundError,
    RemoteSettings,
)
from pivot_core.files.digest import digest_bytes, digest_lines
from pivot_core.values import Value
from pivot_remote_obstore.clients import BucketSettings, client_errors, open_bucket, wanted_range
from pivot_remote_obstore.errors import ignores_ranges, status_of
from pivot_remote_obstore.limits import Deadlines, RequestClock
from pivot_remote_obstore.location import BucketLocation, object_key, run_prefix

if TYPE_CHECKING:
    import asyncio

    from obstore import GetResult
    from obstore.store import ObjectStore

    from pivot_remote_obstore.existence import ObjectSearch

PART: Final = 8 << 20
"""The size of a part in bytes; one request sends an object that is not larger."""

RECORD: Final = (1 << 20) + 1
"""The most bytes that are read of a run record; a valid one has fewer."""

_PARTS_AT_ONCE: Final = 4
_LARGE: Final = 1 << 20
_LARGE_AT_ONCE: Final = 6
"""The most concurrent uploads of large objects, each of which gets a sixth of a slow line."""

_NOT_SATISFIABLE: Final = 416

_SMALL: Final = 1 << 17
"""The size in bytes up to which objects move in batches: an answer that is not larger is read in one piece."""

_LONGEST_S: Final = 0.2
"""After this time, no further object of a batch is requested, so that the progress of slow ones is seen."""


@attrs.frozen(eq=False, repr=False)
class _OpenRemote(Value):
    """The parts of a remote that exist while it is open."""

    store: "ObjectStore"
    slots: "asyncio.Semaphore"
    large: "asyncio.Semaphore"
    clock: RequestClock
    existence: "ObjectSearch"


class BucketRemote:
    """A `pivot_cache.remotes.protocol.Remote` in a bucket of Google Cloud Storage, or a container of Azure.

    Attributes:
        location: The bucket and the prefix.
        name: The URL.
        identity: The URL with a digest of the endpoint and the account, which may lead to other objects.
    """

    def __init__(
        self,
        location: BucketLocation,
        settings: BucketSettings | None = None,
        *,
        jobs: int = 20,
        part: int = PART,
        limits: Deadlines | None = None,
    ) -> None:
        """Describe a remote, without importing obstore, reading files or connecting.

        Args:
            location: The bucket and the prefix.
            settings: How to reach the service, where that differs from its usual variables and files.
            jobs: The most concurrent requests.
            part: The size of a part of a large object.
            limits: The limits of each request; by default `Deadlines()`.
        """
        self.location = location
        self.name = str(location)
        self._settings = settings or BucketSettings()
        self.identity = f"{location} {digest_lines([self._settings.identity(location.scheme)])}"
        self._jobs = jobs
        self._part = part
        self._limits = limits or Deadlines()
        self._errors = client_errors(location)
        self._opened: _OpenRemote | None = None
        self._gives_ranges = True
        self._batches = 0
        self._slow = False
        self._unreported: RemoteError | None = None
        self._failed: set[str] = set()

    async def __aenter__(self) -> Self:
        import asyncio  # lazy

        from pivot_remote_obstore.existence import ObjectSearch  # lazy

        with self._errors.as_opening_errors():
            store = open_bucket(self.location, self._settings, self._limits)
        slots, clock = asyncio.Semaphore(self._jobs), RequestClock(self._limits, self.name)
        existence = ObjectSearch(store, self.location, slots, clock, self._errors)
        self._unreported, self._failed = None, set()
        self._opened = _OpenRemote(store, slots, asyncio.Semaphore(_LARGE_AT_ONCE), clock, existence)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.clock.close()
        self._opened = None

    async def exists(self, digests: Collection[str]) -> Mapping[str, int | None]:
        """Find out which of these objects exist."""
        return await self._open.existence.sizes(digests)

    async def digests(self) -> AsyncIterator[str]:
        """List all objects."""
        async for each in self._open.existence.listed():
            yield each.digest

    async def listed(self) -> AsyncIterator[ListedObject]:
        """List all objects with their sizes and ages."""
        async for each in self._open.existence.listed():
            yield each

    async def upload(self, digest: str, source: Path, sent: Callable[[int], object]) -> bool:
        """Upload a file unless its object exists; one that is larger than a part begins again after a failure."""
        key = object_key(digest)
        with as_cache_errors("read", source), open(source, "rb", buffering=0) as file:  # noqa: ASYNC230 - takes no time
            size = os.fstat(file.fileno()).st_size
            data = None if size > self._part else file.readall()
        new = await (self._put_large(key, source) if data is None else self._put(key, data))
        sent(size)
        return new

    async def _put(self, key: str, data: bytes) -> bool:
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # lazy

        with self._errors.as_remote_errors():
            slots = self._open.large if len(data) > _LARGE else contextlib.nullcontext()
            async with slots, self._open.slots, self._open.clock.request(len(data)):
                try:
                    await self._open.store.put_async(self.location.key(key), data, mode="create", use_multipart=False)
                except (AlreadyExistsError, PreconditionError):
                    return False
        return True

    async def _put_large(self, key: str, source: Path) -> bool:
        """Upload in parts, which no condition protects: whoever does so at the same time has the same bytes."""
        if await self._open.existence.has(key):
            return False
        with (
            as_cache_errors("read", source),
            open(source, "rb", buffering=0) as file,  # noqa: ASYNC230 - takes no time
            self._errors.as_remote_errors(),
        ):
            async with self._open.large, self._open.slots, self._open.clock.request(self._part) as continues:
                await self._open.store.put_async(
                    self.location.key(key),
                    _Pieces(file, self._part, continues),
                    mode="overwrite",
                    use_multipart=True,
                    chunk_size=self._part,
                    max_concurrency=_PARTS_AT_ONCE,
                )
        return True

    async def upload_batch(self, sources: Mapping[str, str]) -> Mapping[str, bool | None]:
        """Upload many small files unless their objects exist."""

        async def send(digest: str, key: str) -> bool | None:
            try:
                data = read_regular(sources[digest])
            except OSError:
                return None
            return await self._put(key, data) if len(data) <= _SMALL and digest_bytes(data) == digest else None

        return await self._batch(sources, send)

    async def read_batch(self, sizes: Mapping[str, int]) -> Mapping[str, bytes | None]:
        """Read many small objects."""

        async def receive(digest: str, key: str) -> bytes | None:
            size = sizes[digest]
            if size > _SMALL:
                return None
            with self._errors.as_remote_errors(digest):
                async with self._open.slots, self._open.clock.request(size):
                    data = await self._get_small(self.location.key(key), size)
            return data if data is not None and len(data) == size else None

        return await self._batch(sizes, receive)

    async def _get_small(self, key: str, size: int) -> bytes | None:
        """The bytes of an object, but no more than these; None if it turns out to have another size.

        As a range, since such an answer comes in one step, unlike one that has the size of the object, too.
        """
        if size and self._gives_ranges:
            try:
                return bytes(await self._open.store.get_range_async(key, start=0, length=size))
            except Exception as error:
                if status_of(error) == _NOT_SATISFIABLE:
                    return None  # the object is empty
                if not ignores_ranges(error):
                    raise
                self._gives_ranges = False
        answer = await self._open.store.get_async(key)
        return bytes(await answer.bytes_async()) if answer.meta["size"] == size else None

    async def _batch[T](
        self, digests: Collection[str], move: Callable[[str, str], Awaitable[T | None]]
    ) -> dict[str, T | None]:
        """The outcome of as many objects as a short time allows, at least one.

        If some requests fail while others do not, the next call fails, so that the caller pauses; an object whose
        request fails twice is left to be moved alone.
        """
        from pivot_cache.remotes import event_loop  # lazy

        keys = {digest: object_key(digest) for digest in digests}
        if self._unreported is not None:
            error, self._unreported = self._unreported, None
            raise error
        outcome: dict[str, T | None] = {}
        failed: dict[str, RemoteError] = {}
        rest = iter(keys.items())
        ends = time.monotonic() + _LONGEST_S

        async def work() -> None:
            for digest, key in rest:
                try:
                    outcome[digest] = await move(digest, key)
                except RemoteError as error:
                    if isinstance(error, RemoteNotFoundError) and error.digest is not None:
                        outcome[digest] = None
                    else:
                        failed[digest] = error
                if failed or time.monotonic() > ends:
                    return

        self._batches += 1
        try:
            async with event_loop.task_group() as tasks:
                for _ in range(min(self._jobs if self._slow else -(-self._jobs // self._batches), len(keys))):
                    tasks.create_task(work())
        finally:
            self._batches -= 1
        self._slow = time.monotonic() > ends
        if failed:
            error = next(iter(failed.values()))
            if not outcome:
                raise error
            self._unreported = error
            outcome.update(dict.fromkeys(failed.keys() & self._failed))
            self._failed |= failed.keys()
        return outcome

    def read(self, digest: str, start: int = 0, stop: int | None = None) -> AbstractAsyncContextManager[Body]:
        """Read some of the bytes of an object."""
        from pivot_remote_obstore.body import answer_to  # lazy

        request = partial(self._get, object_key(digest), digest, start, stop)
        return answer_to(request, (start, stop), self._errors, digest, self._open.slots, self._open.clock)

    async def _get(self, key: str, digest: str, start: int, stop: int | None) -> "GetResult":
        store, key = self._open.store, self.location.key(key)
        if not start and stop is None:
            return await store.get_async(key)
        try:
            return await store.get_async(key, options=wanted_range(start, stop))
        except Exception as error:
            if status_of(error) != _NOT_SATISFIABLE:
                raise
            if start:  # the object ends before the range
                raise RemoteCorruptError(self.name, digest) from None
        return await store.get_async(key)  # an empty object has no range that begins at its first byte

    async def keep_run(self, key: str, data: bytes) -> bool:
        """Store a run record."""
        return await self._put(f"{run_prefix(key)}/{digest_bytes(data)}", data)

    async def runs(self, key: str, most: int) -> list[bytes]:
        """The newest run records of an inputs key."""
        from pivot_remote_obstore.body import answer_to  # lazy

        entries = [entry async for page in self._open.existence.entries(run_prefix(key)) for entry in page]
        found = []
        for entry in sorted(entries, key=lambda entry: entry["last_modified"], reverse=True)[:most]:
            request = partial(self._open.store.get_async, entry["path"])
            async with answer_to(request, (0, RECORD), self._errors, None, self._open.slots, self._open.clock) as body:
                found.append(b"".join([data async for data in body]))
        return found

    async def delete(self, digest: str) -> None:
        """Delete an object."""
        key = self.location.key(object_key(digest))
        with self._errors.as_remote_errors():
            async with self._open.slots, self._open.clock.request():
                with contextlib.suppress(FileNotFoundError):
                    await self._open.store.delete_async(key)

    @property
    def _open(self) -> _OpenRemote:
        if self._opened is None:
            raise RuntimeError("the remote is used inside `async with`")
        return self._opened


def connect_bucket(url: str, settings: RemoteSettings) -> BucketRemote:
    """The remote of a URL: the entry points ``gs`` and ``az`` of ``pivot.remotes``.

    Raises:
        RemoteUrlError: The URL is not a location in a bucket, or an option is wrong.
    """
    return BucketRemote(
        BucketLocation.parse(url),
        BucketSettings.from_options(settings.options),
        jobs=settings.jobs,
        limits=Deadlines.of(settings.timeout),
    )


class _Pieces:
    """The content of a file; each piece is taken when the one before is in memory or has been sent.

    It is no generator: when a request is cancelled, the client may drop a piece that it has asked for, unawaited.
    """

    def __init__(self, file: BinaryIO, size: int, taken: Callable[[], None]) -> None:
        self._file = file
        self._size = size
        self._taken = taken

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        return _NextPiece(self.read)

    def read(self) -> bytes:
        """The next piece."""
        piece = self._file.read(self._size)
        if not piece:
            raise StopAsyncIteration
        self._taken()
        return piece


@attrs.frozen(eq=False, repr=False)
class _NextPiece(Value):
    """A piece that is read when it is awaited."""

    read: Callable[[], bytes]

    def __await__(self) -> Generator[None, None, bytes]:
        yield from ()
        return self.read()
