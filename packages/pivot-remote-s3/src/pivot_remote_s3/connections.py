"""The connections of the SDK, with an end: a deadline for each request, and a bound for each answer.

Its own give up only after a time in which no byte comes at all, follow a server to any other, and read what it says to
the end. Here a redirection is an answer like others: the SDK knows what those of S3 mean.
"""

import asyncio
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import aiohttp
import attrs
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp.abc import AbstractStreamWriter
from botocore.exceptions import ClientError, ReadTimeoutError, ResponseStreamingError

from pivot_core.values import Value
from pivot_remote_s3.deadlines import Limits
from pivot_remote_s3.spans import Span

_PIECE: Final = 1 << 16
_ERRORS: Final = 300
_REDIRECTS: Final = range(300, 400)


class Payload(aiohttp.Payload):
    """Bytes to be sent, also again where the HTTP client sees fit; somebody may watch them leave."""

    _autoclose = True

    def __init__(self, data: bytes | Span) -> None:
        super().__init__(data)
        self._size = len(data) if isinstance(data, bytes) else data.length
        self.watch: Callable[[int], object] = lambda _: None

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send them, and tell the watcher how many are sent."""
        sent = 0
        for piece in self._pieces():
            await writer.write(piece)
            sent += len(piece)
            self.watch(sent)

    def _pieces(self) -> Iterator[bytes | memoryview]:
        for piece in self._value.pieces() if isinstance(self._value, Span) else (self._value,):
            view = memoryview(piece)
            for start in range(0, len(view), _PIECE):
                yield view[start : start + _PIECE]

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """As text."""
        data = self._value.read() if isinstance(self._value, Span) else self._value
        text: str = data.decode(encoding, errors)
        return text


@attrs.frozen(eq=False, repr=False)
class _Request(Value):
    """What is sent, whose answer is left to be read here."""

    method: str
    url: str
    headers: Mapping[str, Any]
    body: Any
    stream_output: bool = True


class _Straight:
    """An HTTP client that goes to the server that it is sent to, and to no other."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.request = functools.partial(session.request, allow_redirects=False)


class Connections(AIOHTTPSession):  # type: ignore[misc]  # it has no types
    """The SDK's connections with limits."""

    def __init__(self, limits: Limits, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._limits = limits

    async def _get_session(self, proxy_url: str | None) -> Any:
        return _Straight(await super()._get_session(proxy_url))

    async def send(self, request: Any) -> Any:
        """As the SDK's: the answer, or its beginning where an object is to be read.

        Raises:
            ReadTimeoutError: It takes too long.
        """
        body = Payload(request.body) if type(request.body) is bytes and len(request.body) > _PIECE else request.body
        sent = _Request(request.method, request.url, request.headers, body)
        assembling = request.method == "POST" and "uploadId=" in request.url
        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._limits.assembling if assembling else self._limits.grace) as deadline:
                if isinstance(body, Payload):
                    body.watch = lambda moved: deadline.reschedule(begun + self._limits.seconds(moved))
                answer = await super().send(sent)
                if not request.stream_output or answer.status_code >= _ERRORS:
                    await self._read(answer)
                    if answer.status_code in _REDIRECTS:
                        await _check(answer, request.method)
                return answer
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from None

    async def _read(self, answer: Any) -> None:
        """Read an answer, which then knows its content."""
        pieces, size = [], 0
        try:
            async for data in answer.raw.content.iter_any():
                size += len(data)
                if size > self._limits.longest:
                    raise ResponseStreamingError(error="it does not end")
                pieces.append(data)
        except aiohttp.ClientError as error:
            raise ResponseStreamingError(error=error) from None
        finally:
            if not answer.raw.content.at_eof():
                answer.raw.close()
        answer._content = b"".join(pieces)  # noqa: SLF001 - where the SDK keeps it


async def _check(answer: Any, method: str) -> None:
    """Refuse a redirection that is not one of S3: the SDK would ask about the bucket for ever."""
    if "x-amz-bucket-region" not in answer.headers and b"</Code>" not in await answer.content:
        status = answer.status_code
        raise ClientError({"Error": {"Code": str(status)}, "ResponseMetadata": {"HTTPStatusCode": status}}, method)
