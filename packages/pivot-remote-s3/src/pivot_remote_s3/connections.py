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
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp.abc import AbstractStreamWriter
from botocore.exceptions import ClientError, ReadTimeoutError, ResponseStreamingError

from pivot_core.values import Value
from pivot_remote_s3.error_mapping import ForeignError
from pivot_remote_s3.file_part import Span
from pivot_remote_s3.limits import Limits
from pivot_remote_s3.silence import Watch

_PIECE: Final = 1 << 16
_ERRORS: Final = 300
_DECLARED: Final = b"<!DOCTYPE"
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


class LimitedConfig(AioConfig):  # type: ignore[misc]  # it has no types
    """A configuration that stays limited where the SDK adds to it."""

    def merge(self, other_config: Any) -> Any:
        """As the SDK's, with the same connections."""
        merged = super().merge(other_config)
        merged.http_session_cls = self.http_session_cls
        return merged


class Connections(AIOHTTPSession):  # type: ignore[misc]  # it has no types
    """The SDK's connections with limits."""

    def __init__(self, limits: Limits, watch: Watch, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._limits = limits
        self._watch = watch

    async def _get_session(self, proxy_url: str | None) -> Any:
        return _Straight(await super()._get_session(proxy_url))

    async def send(self, request: Any) -> Any:
        """As the SDK's: the answer, or its beginning where an object is to be read.

        Raises:
            ReadTimeoutError: It takes too long.
            ForeignError: It is none of S3.
        """
        body = Payload(request.body) if type(request.body) is bytes and len(request.body) > _PIECE else request.body
        sent = _Request(request.method, request.url, request.headers, body)
        assembling = request.method == "POST" and "uploadId=" in request.url
        begun = asyncio.get_running_loop().time()
        self._watch.begin(request.url)
        try:
            async with asyncio.timeout(self._limits.assembling if assembling else self._limits.grace) as deadline:
                if isinstance(body, Payload):
                    body.watch = functools.partial(self._sent, deadline, begun)
                answer = await super().send(sent)
                self._watch.moved()
                if not request.stream_output or answer.status_code >= _ERRORS:
                    await self._read(answer)
                    if answer.status_code in _REDIRECTS:
                        await _check(answer, request.method)
                return answer
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from None
        finally:
            self._watch.end()

    def _sent(self, deadline: asyncio.Timeout, begun: float, moved: int) -> None:
        deadline.reschedule(begun + self._limits.seconds(moved))
        self._watch.moved()

    async def _read(self, answer: Any) -> None:
        """Read an answer, which then knows its content; of an error that does not end, its beginning."""
        pieces, size = [], 0
        failed = answer.status_code >= _ERRORS
        longest = self._limits.error if failed else self._limits.longest
        try:
            async for data in answer.raw.content.iter_any():
                self._watch.moved()
                size += len(data)
                if size > longest and not failed:
                    raise ForeignError("an answer has more bytes than any of S3")
                pieces.append(data)
                if size > longest:
                    break
        except aiohttp.ClientError as error:
            raise ResponseStreamingError(error=error) from None
        finally:
            if not answer.raw.content.at_eof():
                answer.raw.close()
        content = b"".join(pieces)
        if _DECLARED in content:  # S3 declares nothing, and what is declared may be repeated for ever
            if not failed:
                raise ForeignError("what answers there does not speak S3")
            content = b""
        answer._content = content  # noqa: SLF001 - where the SDK keeps it


async def _check(answer: Any, method: str) -> None:
    """Refuse a redirection that is not one of S3: the SDK would ask about the bucket for ever."""
    if "x-amz-bucket-region" not in answer.headers and b"</Code>" not in await answer.content:
        status = answer.status_code
        said = {"HTTPStatusCode": status, "HTTPHeaders": {}}
        raise ClientError({"Error": {"Code": str(status)}, "ResponseMetadata": said}, method)
