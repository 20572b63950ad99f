"""Reads one object, for imported data: the reader of ``s3://bucket/key`` URLs."""

import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from pivot_cache.formats.data_source import UrlState
from pivot_cache.remotes.protocol import RemoteNotFoundError, RemoteUnreachableError
from pivot_cache.remotes.stalls import StallWatch
from pivot_remote_s3.client.limits import RequestLimits
from pivot_remote_s3.client.sdk_client import S3Client, S3Response, S3Settings, open_client
from pivot_remote_s3.errors import EXISTS, NO_OBJECT, ErrorMapper, LocationError, code, parse_number
from pivot_remote_s3.location import S3Location

if TYPE_CHECKING:
    from pivot_cache.remotes.url_reader import PartialDownload

_CHUNK: Final = 1 << 18
_NOT_SATISFIABLE: Final = frozenset({"InvalidRange", "416"})


class ObjectReader:
    """A `pivot_cache.remotes.url_reader.UrlReader` of one object.

    Attributes:
        name: The URL.
    """

    def __init__(self, url: str, timeout: float | None = None, settings: S3Settings | None = None) -> None:
        """Describe the requests, without importing the SDK or connecting.

        Raises:
            LocationError: The URL does not name an object.
        """
        self._location = S3Location.parse(url)
        if not self._location.prefix or url.endswith("/"):
            raise LocationError(f"{url} names no object", hint="write s3://bucket/key, with the key of one object")
        self.name = str(self._location)
        self._settings = settings or S3Settings()
        self._limits = RequestLimits.of(timeout)
        self._errors = ErrorMapper(self.name, self._location.bucket)

    async def state(self) -> UrlState:
        """Return the description of the object."""
        async with self._client() as client:
            with self._errors.as_remote_errors():
                return _state(await self._asked(client.head_object))

    async def download(self, target: "PartialDownload") -> None:
        """Write the object, or the rest of it."""
        import asyncio  # lazy

        watch = StallWatch(self._limits.stall_seconds)
        wanted = _range(target)
        try:
            async with self._client(watch) as client:
                with self._errors.as_remote_errors():
                    response = await self._read(client, target, wanted)
                    self._errors.require_plain(response)
                    start = target.size if wanted and response.get("ContentRange") else 0
                    state = _state(response)
                    target.begin(state, start)
                    clock, moved, waited = asyncio.get_running_loop().time, 0, 0.0
                    body = response["Body"]
                    async with body:
                        while True:
                            before = clock()
                            watch.begin()
                            try:
                                async with asyncio.timeout(self._limits.seconds(moved) - waited):
                                    data = await body.read(_CHUNK)
                                watch.moved()
                            finally:
                                watch.end()
                            waited += clock() - before
                            if not data:
                                break
                            moved += len(data)
                            target.write(data)
        finally:
            watch.close()
        if state.size is not None and target.size != state.size:
            raise RemoteUnreachableError(self.name, f"the answer ended after {target.size} of {state.size} bytes")

    async def _read(self, client: Any, target: "PartialDownload", wanted: Mapping[str, str]) -> S3Response:
        """Return the answer for the rest, or for all if the object has changed or has become shorter."""
        try:
            return await self._asked(client.get_object, **wanted)
        except Exception as error:
            if not wanted or code(error) not in EXISTS | _NOT_SATISFIABLE:
                raise
        target.begin(UrlState(), 0)
        return await self._asked(client.get_object)

    async def _asked(self, call: Any, **arguments: str) -> S3Response:
        try:
            response: S3Response = await call(Bucket=self._location.bucket, Key=self._location.prefix, **arguments)
        except Exception as error:
            if code(error) not in NO_OBJECT:
                raise
            raise RemoteNotFoundError(
                self.name, "there is no such object", hint="check the key; `aws s3 ls` lists those of a bucket"
            ) from None
        self._errors.require_any(response, "ETag")
        return response

    @contextlib.asynccontextmanager
    async def _client(self, watch: StallWatch | None = None) -> AsyncIterator[S3Client]:
        async with contextlib.AsyncExitStack() as stack:
            with self._errors.as_opening_errors():
                opening = open_client(self._location, self._settings, 1, self._limits, watch)
                client = await stack.enter_async_context(opening)
            yield client


def open_object(url: str, timeout: float | None = None) -> ObjectReader:
    """Return the reader of a URL.

    Raises:
        LocationError: The URL does not name an object.
    """
    return ObjectReader(url, timeout)


def _range(target: "PartialDownload") -> Mapping[str, str]:
    state = target.state
    if state is None or state.etag is None or not target.size:
        return {}
    return {"Range": f"bytes={target.size}-", "IfMatch": state.etag}


def _state(response: S3Response) -> UrlState:
    total = parse_number(str(response.get("ContentRange") or "").rpartition("/")[2])
    size = total if total is not None else parse_number(str(response.get("ContentLength")))
    modified = response.get("LastModified")
    text = modified.astimezone(dt.UTC).isoformat() if isinstance(modified, dt.datetime) else None
    return UrlState(response.get("ETag"), text, size)
