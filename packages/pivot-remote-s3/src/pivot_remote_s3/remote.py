"""The remote of an ``s3://`` URL: objects under their digests in a bucket, none of which is ever replaced."""

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import attrs

from pivot_cache.errors import reporting
from pivot_cache.remote import Body, RemoteCorruptError, RemoteSettings
from pivot_core.digest import of_bytes, of_lines
from pivot_core.values import Value
from pivot_remote_s3.client import Answer, S3Client, S3Settings, opened
from pivot_remote_s3.error_mapping import Place, code, number
from pivot_remote_s3.limits import Limits
from pivot_remote_s3.location import S3Location

if TYPE_CHECKING:
    import asyncio

    from pivot_remote_s3.conditional_put import Conditions
    from pivot_remote_s3.existence import Presence
    from pivot_remote_s3.file_part import Span
    from pivot_remote_s3.multipart import Multipart
    from pivot_remote_s3.silence import Watch

PART: Final = 8 << 20
"""The least size of a part, in bytes; what is not larger is sent in one request."""

RECORD: Final = (1 << 20) + 1
"""So many bytes of a run record are read; no good one has as many."""

_SMALL: Final = 1 << 17
"""What is not larger is read at once."""

_CHUNK: Final = 1 << 18
_NOT_SATISFIABLE: Final = frozenset({"InvalidRange", "416"})


@attrs.frozen(eq=False, repr=False)
class _Open(Value):
    """What exists while the remote is open."""

    client: S3Client
    slots: "asyncio.Semaphore"
    presence: "Presence"
    conditions: "Conditions"
    multipart: "Multipart"
    watch: "Watch"
    closing: contextlib.AsyncExitStack


class S3Remote:
    """A `pivot_cache.remote.Remote` on S3, or on any server that speaks it.

    Attributes:
        location: Where the objects are.
        name: The URL.
        identity: The URL, and a digest of the endpoint and the profile, which lead elsewhere.
    """

    def __init__(
        self,
        location: S3Location,
        settings: S3Settings | None = None,
        *,
        jobs: int = 20,
        state: Path | None = None,
        part: int = PART,
        limits: Limits | None = None,
    ) -> None:
        """Describe a remote; nothing is imported, read or connected to.

        Args:
            location: Where the objects are.
            settings: What overrules the usual variables and files of AWS.
            jobs: The most requests at once.
            state: A directory that lets uploads of large objects go on after the end of the process.
            part: The least size of a part; S3 allows no less than 5 MiB.
            limits: What a request may take; by default `Limits()`.
        """
        self.location = location
        self.name = str(location)
        self._settings = settings or S3Settings()
        self.identity = f"{location} {of_lines([self._settings.place()])}"
        self._jobs = jobs
        self._state = state
        self._part = part
        self._limits = limits or Limits()
        self._place = Place(self.name, location.bucket)
        self._swept = False
        self._opened: _Open | None = None

    async def __aenter__(self) -> Self:
        import asyncio  # noqa: PLC0415 - naming a remote needs no event loop

        from pivot_remote_s3.conditional_put import Conditions  # noqa: PLC0415
        from pivot_remote_s3.direct_client import LeanClient  # noqa: PLC0415
        from pivot_remote_s3.existence import Presence  # noqa: PLC0415
        from pivot_remote_s3.multipart import Multipart  # noqa: PLC0415
        from pivot_remote_s3.silence import Watch  # noqa: PLC0415

        async with contextlib.AsyncExitStack() as stack:
            watch = Watch(self._limits.patience)
            stack.callback(watch.close)
            with self._place.opening():
                opening = opened(self.location, self._settings, self._jobs, self._limits, watch)
                client = LeanClient(await stack.enter_async_context(opening), self.location.root)
            slots = asyncio.Semaphore(self._jobs)
            presence = Presence(client, self.location, slots, self._place)
            conditions = Conditions(kept=client.aws)
            multipart = Multipart(
                client, self.location, presence, conditions, slots, self._place, self.identity, self._state, self._jobs
            )
            self._swept = False
            self._opened = _Open(client, slots, presence, conditions, multipart, watch, stack.pop_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        open_, self._opened = self._open, None
        await open_.closing.aclose()

    async def exists(self, digests: Collection[str]) -> Mapping[str, int | None]:
        """Those of the objects that are there, with their lengths."""
        return await self._open.presence.among(digests)

    async def digests(self) -> AsyncIterator[str]:
        """All objects."""
        async for digest in self._open.presence.all():
            yield digest

    async def upload(self, digest: str, source: Path, sent: Callable[[int], object]) -> bool:
        """Make the bytes of a file an object; a large one goes on where an earlier attempt stopped."""
        from pivot_remote_s3.file_part import Span  # noqa: PLC0415 - naming a remote needs no hashes

        key = self.location.key(digest)
        with reporting("read", source):
            size = source.stat().st_size  # noqa: ASYNC240 - takes no time
        if not self._swept:
            self._swept = True
            await self._open.multipart.give_up()
        if size > self._part:
            return await self._open.multipart.upload(digest, source, self._part, sent)
        with reporting("read", source), open(source, "rb", buffering=0) as file:  # noqa: ASYNC230 - as little
            data = file.read() if size <= _SMALL else Span(file.fileno(), 0, size)
            with self._place.reporting():
                new = await self._put(key, data)
        sent(size)
        return new

    async def _put(self, key: str, data: "bytes | Span") -> bool:
        async def put(**condition: str) -> None:
            async with self._open.slots:
                answer = await self._open.client.put_object(
                    Bucket=self.location.bucket, Key=key, Body=data, **condition
                )
            self._place.recognise(answer, "ETag")

        return await self._open.conditions.create(lambda: self._open.presence.taken(key), put)

    @contextlib.asynccontextmanager
    async def read(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[Body]:
        """Some of the bytes of an object."""
        key = self.location.key(digest)
        wanted = {} if not start and stop is None else {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        async with self._open.slots, contextlib.AsyncExitStack() as stack:
            with self._place.reporting(digest):
                try:
                    answer = await self._open.client.get_object(Bucket=self.location.bucket, Key=key, **wanted)
                except Exception as error:
                    if code(error) not in _NOT_SATISFIABLE:
                        raise
                    if start:  # it ends before what is asked for
                        raise RemoteCorruptError(self.name, digest) from None
                    # An empty object has no first byte to begin with.
                    answer = await self._open.client.get_object(Bucket=self.location.bucket, Key=key)
                await stack.enter_async_context(answer["Body"])
                self._place.readable(answer)
            yield self._body(answer, digest, start, stop)

    def _body(self, answer: Answer, digest: str | None, start: int, stop: int | None) -> "_Body":
        return _Body(answer, (start, stop), self._place, digest, self._limits, self._open.watch)

    async def keep_run(self, key: str, data: bytes) -> bool:
        """Keep a run record."""
        with self._place.reporting():
            return await self._put(f"{self.location.runs(key)}{of_bytes(data)}", data)

    async def runs(self, key: str, most: int) -> list[bytes]:
        """The run records of an inputs key."""
        bucket, found = self.location.bucket, []
        with self._place.reporting():
            async with self._open.slots:
                listed = await self._open.client.list_objects_v2(Bucket=bucket, Prefix=self.location.runs(key))
            told = [entry for entry in listed.get("Contents", ()) if {"Key", "LastModified"} <= entry.keys()]
            newest = sorted(told, key=lambda entry: entry["LastModified"], reverse=True)
            for entry in newest[:most]:
                async with self._open.slots:
                    answer = await self._open.client.get_object(Bucket=bucket, Key=entry["Key"])
                    async with answer["Body"]:
                        self._place.readable(answer)
                        body = self._body(answer, None, 0, RECORD)
                        found.append(b"".join([data async for data in body]))
        return found

    async def delete(self, digest: str) -> None:
        """Remove an object."""
        key = self.location.key(digest)
        with self._place.reporting():
            async with self._open.slots:
                await self._open.client.delete_object(Bucket=self.location.bucket, Key=key)

    @property
    def _open(self) -> _Open:
        if self._opened is None:
            raise RuntimeError("the remote is used inside `async with`")
        return self._opened


class _Body:
    """The bytes of one answer.

    Attributes:
        size: The number of bytes of the whole object.
    """

    def __init__(
        self,
        answer: Answer,
        part: tuple[int, int | None],
        place: Place,
        digest: str | None,
        limits: Limits,
        watch: "Watch",
    ) -> None:
        self._body = answer["Body"]
        self._place = place
        self._digest = digest
        self._limits = limits
        self._watch = watch
        start, stop = part
        total = number(str(answer.get("ContentRange", "")).rpartition("/")[2])
        if total is not None:
            self.size = total
            self._skip, self._most = 0, self.size
        else:  # the whole object, also where the server knows no ranges
            self.size = int(answer["ContentLength"])
            self._skip, self._most = start, (self.size if stop is None else min(stop, self.size)) - start

    async def __aiter__(self) -> AsyncIterator[bytes]:
        import asyncio  # noqa: PLC0415 - it is loaded by now

        skip, most, clock = self._skip, self._most, asyncio.get_running_loop().time
        waited, moved = 0.0, 0  # what the caller does meanwhile is not the server's time
        while most > 0:
            before = clock()
            with self._place.reporting(self._digest):
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
    """The remote of a URL: the entry point ``s3`` of ``pivot.remotes``.

    Raises:
        LocationError: The URL is none.
        S3Error: An option is wrong.
    """
    location = S3Location.parse(url)
    limits = Limits.of(settings.timeout)
    return S3Remote(
        location, S3Settings.from_options(settings.options), jobs=settings.jobs, state=settings.state, limits=limits
    )
