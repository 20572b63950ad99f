"""Reads one object, for imported data: the reader of ``gs://bucket/key`` and ``az://container/key`` URLs."""

import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from pivot_cache.formats.data_source import UrlState
from pivot_cache.remotes.protocol import RemoteNotFoundError, RemoteUnreachableError
from pivot_remote_obstore.clients import BucketSettings, client_errors, open_bucket
from pivot_remote_obstore.errors import status_of
from pivot_remote_obstore.limits import Deadlines, RequestClock
from pivot_remote_obstore.location import BucketLocation, RemoteUrlError

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult, ObjectMeta
    from obstore.store import ObjectStore

    from pivot_cache.remotes.url_reader import PartialDownload

_CHUNK: Final = 1 << 17
_CHANGED: Final = frozenset({412, 416})


class BucketObjectReader:
    """A `pivot_cache.remotes.url_reader.UrlReader` of one object.

    Attributes:
        name: The URL.
    """

    def __init__(self, url: str, timeout: float | None = None, settings: BucketSettings | None = None) -> None:
        """Describe the requests, without importing obstore or connecting.

        Raises:
            RemoteUrlError: The URL does not name an object.
        """
        self._location = BucketLocation.parse(url)
        if not self._location.prefix or url.endswith("/"):
            raise RemoteUrlError(
                f"{url} names no object", hint=f"write {self._location.scheme}://bucket/key, with the key of one object"
            )
        self.name = str(self._location)
        self._settings = settings or BucketSettings()
        self._limits = Deadlines.of(timeout)
        self._errors = client_errors(self._location)

    async def state(self) -> UrlState:
        """The description of the object."""
        async with self._client() as (store, clock):
            with self._errors.as_remote_errors():
                async with clock.request():
                    try:
                        return _state(await store.head_async(self._location.prefix))
                    except FileNotFoundError:
                        raise self._absent() from None

    async def download(self, target: "PartialDownload") -> None:
        """Write the object, or the rest of it."""
        async with self._client() as (store, clock):
            with self._errors.as_remote_errors():
                async with clock.request():
                    answer = await self._read(store, target)
                state = _state(answer.meta)
                target.begin(state, answer.range[0])
                pieces = aiter(answer.stream(min_chunk_size=_CHUNK))
                while True:
                    async with clock.request(_CHUNK):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    target.write(bytes(piece))
        if target.size != state.size:
            raise RemoteUnreachableError(self.name, f"the answer ended after {target.size} of {state.size} bytes")

    async def _read(self, store: "ObjectStore", target: "PartialDownload") -> "GetResult":
        """The answer for the rest, or for all if the object has changed or has become shorter."""
        try:
            if target.size and target.state is not None and target.state.etag is not None:
                rest: GetOptions = {"range": {"offset": target.size}, "if_match": target.state.etag}
                try:
                    return await store.get_async(self._location.prefix, options=rest)
                except Exception as error:
                    if status_of(error) not in _CHANGED:
                        raise
                target.begin(UrlState(), 0)
            return await store.get_async(self._location.prefix)
        except FileNotFoundError:
            raise self._absent() from None

    def _absent(self) -> RemoteNotFoundError:
        return RemoteNotFoundError(self.name, "there is no such object", hint="check the bucket and the key")

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[tuple["ObjectStore", RequestClock]]:
        with self._errors.as_opening_errors():
            store = open_bucket(self._location, self._settings, self._limits)
        clock = RequestClock(self._limits, self.name)
        try:
            yield store, clock
        finally:
            clock.close()


def open_object(url: str, timeout: float | None = None) -> BucketObjectReader:
    """The reader of a URL: the entry points ``gs`` and ``az`` of ``pivot.url_readers``.

    Raises:
        RemoteUrlError: The URL does not name an object.
    """
    return BucketObjectReader(url, timeout)


def _state(meta: "ObjectMeta") -> UrlState:
    return UrlState(meta["e_tag"], meta["last_modified"].astimezone(dt.UTC).isoformat(), meta["size"])
