"""Remote of an ``s3://`` URL: objects under their digests in a bucket, none of which is ever replaced."""

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import attrs

from pivot_cache.errors import as_cache_errors
from pivot_cache.remotes.protocol import Body, ListedObject, RemoteCorruptError, RemoteSettings
from pivot_cache.remotes.stalls import StallWatch
from pivot_core.files.digest import digest_bytes, digest_lines
from pivot_core.values import Value
from pivot_remote_s3.client.limits import RequestLimits
from pivot_remote_s3.client.sdk_client import S3Client, S3Response, S3Settings, open_client
from pivot_remote_s3.errors import ErrorMapper, code, parse_number
from pivot_remote_s3.location import S3Location

if TYPE_CHECKING:
    import asyncio

    from pivot_remote_s3.client.file_part import FilePart
    from pivot_remote_s3.existence import Existence
    from pivot_remote_s3.uploads.conditional_put import ConditionalPut
    from pivot_remote_s3.uploads.multipart import MultipartUploader

PART: Final = 8 << 20
"""The smallest size of a part, in bytes; one request sends an object that is not larger."""

RECORD: Final = (1 << 20) + 1
"""The most bytes that are read of a run record; a valid one has fewer."""

_SMALL: Final = 1 << 17
"""A file that is not larger is read into memory at once."""

_CHUNK: Final = 1 << 18
_NOT_SATISFIABLE: Final = frozenset({"InvalidRange", "416"})


@attrs.frozen(eq=False, repr=False)
class _OpenRemote(Value):
    """The parts of a remote that exist while it is open."""

    client: S3Client
    slots: "asyncio.Semaphore"
    existence: "Existence"
    creation: "ConditionalPut"
    multipart: "MultipartUploader"
    watch: StallWatch
    closing: contextlib.AsyncExitStack


class S3Remote:
    """A `pivot_cache.remotes.protocol.Remote` on S3, or on any server that speaks it.

    Attributes:
        location: The bucket and the prefix.
        name: The URL.
        identity: The URL with a digest of the endpoint and the profile, which may lead to other objects.
    """

    def __init__(
        self,
        location: S3Location,
        settings: S3Settings | None = None,
        *,
        jobs: int = 20,
        state: Path | None = None,
        part: int = PART,
        limits: RequestLimits | None = None,
    ) -> None:
        """Describe a remote, without importing the SDK, reading files or connecting.

        Args:
            location: The bucket and the prefix.
            settings: How to reach S3, where that differs from the usual variables and files of AWS.
            jobs: The most concurrent requests.
            state: A directory that lets a later process resume uploads of large objects.
            part: The smallest size of a part; S3 requires 5 MiB.
            limits: The limits of each request; by default `RequestLimits()`.
        """
        self.location = location
        self.name = str(location)
        self._settings = settings or S3Settings()
        self.identity = f"{location} {digest_lines([self._settings.identity()])}"
        self._jobs = jobs
        self._state = state
        self._part = part
        self._limits = limits or RequestLimits()
        self._errors = ErrorMapper(self.name, location.bucket)
        self._swept = False
        self._opened: _OpenRemote | None = None

    async def __aenter__(self) -> Self:
        import asyncio  # lazy

        from pivot_remote_s3.client.direct_client import DirectClient  # lazy
        from pivot_remote_s3.existence import Existence  # lazy
        from pivot_remote_s3.uploads.conditional_put import ConditionalPut  # lazy
        from pivot_remote_s3.uploads.multipart import MultipartUploader  # lazy

        async with contextlib.AsyncExitStack() as stack:
            watch = StallWatch(self._limits.stall_seconds)
            stack.callback(watch.close)
            with self._errors.as_opening_errors():
                opening = open_client(self.location, self._settings, self._jobs, self._limits, watch)
                client = DirectClient(await stack.enter_async_context(opening), self.location.root)
            slots = asyncio.Semaphore(self._jobs)
            existence = Existence(client, self.location, slots, self._errors)
            creation = ConditionalPut(enforced=client.aws)
            multipart = MultipartUploader(
                client, self.location, existence, creation, slots, self._errors, self.identity, self._state, self._jobs
            )
            self._swept = False
            self._opened = _OpenRemote(client, slots, existence, creation, multipart, watch, stack.pop_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        open_, self._opened = self._open, None
        await open_.closing.aclose()

    async def exists(self, digests: Collection[str]) -> Mapping[str, int | None]:
        """Return the lengths of those objects that exist."""
        return await self._open.existence.lengths(digests)

    async def digests(self) -> AsyncIterator[str]:
        """List all objects."""
        async for digest in self._open.existence.all():
            yield digest

    async def listed(self) -> AsyncIterator[ListedObject]:
        """List all objects with their sizes and ages."""
        async for each in self._open.existence.listed():
            yield each

    async def upload(self, digest: str, source: Path, sent: Callable[[int], object]) -> bool:
        """Upload a file unless its object exists; a large one resumes where an earlier attempt stopped."""
        from pivot_remote_s3.client.file_part import FilePart  # lazy

        key = self.location.key(digest)
        with as_cache_errors("read", source):
            size = source.stat().st_size  # noqa: ASYNC240 - takes no time
        if not self._swept:
            self._swept = True
            await self._open.multipart.abort_abandoned()
        if size > self._part:
            return await self._open.multipart.upload(digest, source, self._part, sent)
        with as_cache_errors("read", source), open(source, "rb", buffering=0) as file:  # noqa: ASYNC230 - takes no time
            data = file.read() if size <= _SMALL else FilePart(file.fileno(), 0, size)
            with self._errors.as_remote_errors():
                new = await self._put(key, data)
        sent(size)
        return new

    async def _put(self, key: str, data: "bytes | FilePart") -> bool:
        async def put(**condition: str) -> None:
            async with self._open.slots:
                response = await self._open.client.put_object(
                    Bucket=self.location.bucket, Key=key, Body=data, **condition
                )
            self._errors.require_any(response, "ETag")

        return await self._open.creation.create(lambda: self._open.existence.is_taken(key), put)

    @contextlib.asynccontextmanager
    async def read(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[Body]:
        """Read some of the bytes of an object."""
        key = self.location.key(digest)
        wanted = {} if not start and stop is None else {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        async with self._open.slots, contextlib.AsyncExitStack() as stack:
            with self._errors.as_remote_errors(digest):
                try:
                    response = await self._open.client.get_object(Bucket=self.location.bucket, Key=key, **wanted)
                except Exception as error:
                    if code(error) not in _NOT_SATISFIABLE:
                        raise
                    if start:  # the object ends before the range
                        raise RemoteCorruptError(self.name, digest) from None
                    # An empty object has no range that begins at its first byte.
                    response = await self._open.client.get_object(Bucket=self.location.bucket, Key=key)
                await stack.enter_async_context(response["Body"])
                self._errors.require_plain(response)
            yield self._body(response, digest, start, stop)

    def _body(self, response: S3Response, digest: str | None, start: int, stop: int | None) -> "_ObjectBody":
        return _ObjectBody(response, (start, stop), self._errors, digest, self._limits, self._open.watch)

    async def keep_run(self, key: str, data: bytes) -> bool:
        """Store a run record."""
        with self._errors.as_remote_errors():
            return await self._put(f"{self.location.runs(key)}{digest_bytes(data)}", data)

    async def runs(self, key: str, most: int) -> list[bytes]:
        """Return the newest run records of an inputs key."""
        bucket, found = self.location.bucket, []
        with self._errors.as_remote_errors():
            async with self._open.slots:
                listed = await self._open.client.list_objects_v2(Bucket=bucket, Prefix=self.location.runs(key))
            entries = [entry for entry in listed.get("Contents", ()) if {"Key", "LastModified"} <= entry.keys()]
            newest = sorted(entries, key=lambda entry: entry["LastModified"], reverse=True)
            for entry in newest[:most]:
                async with self._open.slots:
                    response = await self._open.client.get_object(Bucket=bucket, Key=entry["Key"])
                    async with response["Body"]:
                        self._errors.require_plain(response)
                        body = self._body(response, None, 0, RECORD)
                        found.append(b"".join([data async for data in body]))
        return found

    async def delete(self, digest: str) -> None:
        """Delete an object."""
        key = self.location.key(digest)
        with self._errors.as_remote_errors():
            async with self._open.slots:
                await self._open.client.delete_object(Bucket=self.location.bucket, Key=key)

    @property
    def _open(self) -> _OpenRemote:
        if self._opened is None:
            raise RuntimeError("the remote is used inside `async with`")
        return self._opened


class _ObjectBody:
    """The bytes of one response.

    Attributes:
        size: The number of bytes of the whole object.
    """

    def __init__(
        self,
        response: S3Response,
        part: tuple[int, int | None],
        errors: ErrorMapper,
        digest: str | None,
        limits: RequestLimits,
        watch: StallWatch,
    ) -> None:
        self._body = response["Body"]
        self._errors = errors
        self._digest = digest
        self._limits = limits
        self._watch = watch
        start, stop = part
        total = parse_number(str(response.get("ContentRange", "")).rpartition("/")[2])
        if total is not None:
            self.size = total
            self._skip, self._most = 0, self.size
        else:  # the whole object: the server may not support ranges
            self.size = int(response["ContentLength"])
            self._skip, self._most = start, (self.size if stop is None else min(stop, self.size)) - start

    async def __aiter__(self) -> AsyncIterator[bytes]:
        import asyncio  # lazy

        skip, most, clock = self._skip, self._most, asyncio.get_running_loop().time
        waited, moved = 0.0, 0  # the time of the server alone, not of the caller
        while most > 0:
            before = clock()
            with self._errors.as_remote_errors(self._digest):
                self._watch.begin()
                try:
                    async with asyncio.timeout(self._limits.seconds(moved) - waited):
                        data = await self._body.read(_CHUNK)
                    self._watch.moved()
                finally:
                    self._watch.end()
            waited += clock() - before
            moved += len(data)
            if not data:
                return
            kept = data[skip : skip + most]
            skip = max(0, skip - len(data))
            most -= len(kept)
            if kept:
                yield kept


def connect(url: str, settings: RemoteSettings) -> S3Remote:
    """Return the remote of a URL: the entry point ``s3`` of ``pivot.remotes``.

    Raises:
        LocationError: The URL is not an S3 location.
        S3Error: An option is wrong.
    """
    location = S3Location.parse(url)
    limits = RequestLimits.of(settings.timeout)
    return S3Remote(
        location, S3Settings.from_options(settings.options), jobs=settings.jobs, state=settings.state, limits=limits
    )
