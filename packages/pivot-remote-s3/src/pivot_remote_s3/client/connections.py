"""HTTP connections with limits: a deadline for each request, and a maximum size for each response.

Those of the SDK time out only if no byte arrives, follow a server to any other, and read a response to its end. Here, a
redirection is a response like others: the SDK knows those of S3.
"""

import asyncio
import functools
from typing import Any, Final

import aiohttp
from botocore.exceptions import ClientError, ReadTimeoutError, ResponseStreamingError

from pivot_cache.remotes.stalls import StallWatch
from pivot_remote_s3 import sdk_adapter
from pivot_remote_s3.client.limits import RequestLimits
from pivot_remote_s3.errors import NotS3Error
from pivot_remote_s3.sdk_adapter import SdkRequest, SdkResponse, UnredirectedSession, UploadPayload

_LARGE: Final = 1 << 16
_ERRORS: Final = 300
_DOCTYPE: Final = b"<!DOCTYPE"
_REDIRECTS: Final = range(300, 400)


class LimitedConnections(UnredirectedSession):
    """The SDK's HTTP session with limits."""

    def __init__(self, limits: RequestLimits, watch: StallWatch, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._limits = limits
        self._watch = watch

    async def send(self, request: Any) -> Any:
        """Return the response: its beginning if its body is an object, and all of it otherwise.

        Raises:
            ReadTimeoutError: It takes too long.
            NotS3Error: It does not come from S3.
        """
        body = request.body
        if type(body) is bytes and len(body) > _LARGE:
            body = _payload(body)
        sent = SdkRequest(request.method, request.url, request.headers, body)
        completes = request.method == "POST" and "uploadId=" in request.url
        begun = asyncio.get_running_loop().time()
        self._watch.begin(request.url)
        try:
            async with asyncio.timeout(self._limits.completion if completes else self._limits.timeout) as deadline:
                if isinstance(body, UploadPayload):
                    body.on_sent = functools.partial(self._extend, deadline, begun)
                response: SdkResponse = await super().send(sent)
                self._watch.moved()
                if not request.stream_output or response.status_code >= _ERRORS:
                    await self._read(response)
                    if response.status_code in _REDIRECTS:
                        await _check_redirect(response, request.method)
                return response
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from None
        finally:
            self._watch.end()

    def _extend(self, deadline: asyncio.Timeout, begun: float, moved: int) -> None:
        deadline.reschedule(begun + self._limits.seconds(moved))
        self._watch.moved()

    async def _read(self, response: SdkResponse) -> None:
        """Read the body, and give it to the SDK; of an error that does not end, only the beginning."""
        pieces, size = [], 0
        failed = response.status_code >= _ERRORS
        most = self._limits.error if failed else self._limits.longest
        try:
            async for data in response.raw.content.iter_any():
                self._watch.moved()
                size += len(data)
                if size > most and not failed:
                    raise NotS3Error("a response is larger than any of S3")
                pieces.append(data)
                if size > most:
                    break
        except aiohttp.ClientError as error:
            raise ResponseStreamingError(error=error) from None
        finally:
            if not response.raw.content.at_eof():
                response.raw.close()
        content = b"".join(pieces)
        if _DOCTYPE in content:  # S3 sends none, and entities may expand without end
            if not failed:
                raise NotS3Error("the server does not speak S3")
            content = b""
        sdk_adapter.set_content(response, content)


def _payload(body: bytes) -> UploadPayload:
    return UploadPayload(len(body), lambda: (body,))


async def _check_redirect(response: SdkResponse, method: str) -> None:
    """Refuse a redirection that is not from S3: the SDK would ask for the bucket's region endlessly."""
    if "x-amz-bucket-region" not in response.headers and b"</Code>" not in await response.content:
        status = response.status_code
        metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}}
        raise ClientError({"Error": {"Code": str(status)}, "ResponseMetadata": metadata}, method)
