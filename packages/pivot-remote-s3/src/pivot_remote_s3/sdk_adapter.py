"""Every use of private or undocumented parts of aioboto3's libraries and of asyncio.

They are aiobotocore, botocore and aiohttp. `tests/test_sdk_adapter.py` tests each part alone, so that a version that
changes one of them is found before it is allowed in `pyproject.toml`.
"""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

import aiohttp
import attrs
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.response import StreamingBody
from aiohttp.abc import AbstractStreamWriter
from botocore.exceptions import HTTPClientError, UnknownCredentialError

from pivot_core.values import Value

CREDENTIAL_PROGRAM: Final = "custom-process"
"""The SDK's name for the program that a profile names as `credential_process`."""

_PIECE: Final = 1 << 16
_PARSERS: Final = "botocore.parsers"
_NO_HTTP: Final = (aiohttp.ClientResponseError, aiohttp.http_exceptions.HttpProcessingError)


@attrs.frozen(eq=False, repr=False)
class SdkRequest(Value):
    """A request in the form in which the SDK's HTTP session takes it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: "bytes | UploadPayload | None"
    stream_output: bool = True


class SdkResponse(Protocol):
    """A response of the SDK's HTTP session."""

    status_code: int
    headers: Mapping[str, str]
    raw: aiohttp.ClientResponse

    @property
    def content(self) -> Awaitable[bytes]:
        """The whole body, which is read once."""


class SdkSession(Protocol):
    """The HTTP session of an SDK client."""

    async def send(self, request: SdkRequest) -> SdkResponse:
        """Send a request, and return its response."""


class FrozenCredentials(Protocol):
    """Credentials that belong together."""

    access_key: str
    secret_key: str
    token: str | None


class UploadPayload(aiohttp.Payload):
    """A request body that can be sent repeatedly, and reports its progress.

    Attributes:
        on_sent: Called with the number of bytes sent so far.
    """

    def __init__(self, size: int, pieces: Callable[[], Iterable[bytes]]) -> None:
        """Describe the body.

        Args:
            size: Its number of bytes.
            pieces: Returns its bytes from the beginning.
        """
        super().__init__(None)
        self._bytes = size
        self._pieces = pieces
        self.on_sent: Callable[[int], object] = lambda _: None

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self._bytes

    @property
    def autoclose(self) -> bool:
        """Whoever opened the file closes it."""
        return True

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the bytes in pieces."""
        sent = 0
        for piece in self._small_pieces():
            await writer.write(piece)
            sent += len(piece)
            self.on_sent(sent)

    def _small_pieces(self) -> Iterator[memoryview]:
        for piece in self._pieces():
            view = memoryview(piece)
            for start in range(0, len(view), _PIECE):
                yield view[start : start + _PIECE]

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the bytes as text."""
        return b"".join(self._pieces()).decode(encoding, errors)


class UnredirectedSession(AIOHTTPSession):  # type: ignore[misc]  # untyped
    """The SDK's HTTP session, which returns redirections instead of following them."""

    async def _get_session(self, proxy_url: str | None) -> Any:
        return _WithoutRedirects(await super()._get_session(proxy_url))


class _WithoutRedirects:
    """The part of an aiohttp session that the SDK uses."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.request = functools.partial(session.request, allow_redirects=False)


class SessionConfig(AioConfig):  # type: ignore[misc]  # untyped
    """An SDK configuration that keeps its HTTP session class when the SDK merges it with another."""

    def merge(self, other_config: Any) -> Any:
        """Merge as the SDK does, which would return to its own HTTP session class."""
        merged = super().merge(other_config)
        merged.http_session_cls = self.http_session_cls
        return merged


def http_session(client: Any) -> SdkSession | None:
    """Return the HTTP session of an open client."""
    session: SdkSession | None = getattr(getattr(client, "_endpoint", None), "http_session", None)
    return session


async def credentials(client: Any) -> FrozenCredentials | None:
    """Return the credentials of a client, refreshed if they are about to expire; None for an anonymous client."""
    refreshable = getattr(getattr(client, "_request_signer", None), "_credentials", None)
    if refreshable is None:
        return None
    frozen: FrozenCredentials = await refreshable.get_frozen_credentials()
    return frozen


def on_request(client: Any, handler: Callable[[str, Mapping[str, str | bytes]], None]) -> None:
    """Call ``handler`` with the URL and the headers of each signed request before the SDK sends it."""

    def call(request: Any, **_: Any) -> None:
        handler(request.url, request.headers)

    client.meta.events.register("before-send.s3", call)


def set_content(response: SdkResponse, content: bytes) -> None:
    """Give a response the content that the SDK will parse."""
    response._content = content  # type: ignore[attr-defined]  # noqa: SLF001 - the SDK's own cache of it


def object_body(response: SdkResponse) -> StreamingBody:
    """Return the body of a response in the form in which the SDK returns that of an object."""
    return StreamingBody(response.raw, response.headers.get("content-length"))


def run_credential_program_with(session: Any, start: Callable[..., Awaitable[asyncio.subprocess.Process]]) -> None:
    """Let ``start`` start the program that a profile names for its credentials.

    Args:
        session: Of aiobotocore.
        start: Takes what `asyncio.create_subprocess_exec` takes.
    """
    with contextlib.suppress(UnknownCredentialError):
        provider = session.get_component("credential_provider").get_provider(CREDENTIAL_PROGRAM)
        provider._popen = start  # noqa: SLF001 - the SDK never ends this program


async def kill(program: asyncio.subprocess.Process) -> None:
    """Kill a program, and close its pipes, which a child of it may hold open."""
    if program.returncode is None:
        program._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - public methods leave pipes open
        await program.wait()


def wrapped_error(error: Exception) -> Exception | None:
    """Return the error of the HTTP client that an `HTTPClientError` of the SDK stands for."""
    return error.kwargs.get("error") if isinstance(error, HTTPClientError) else None


def is_no_http(error: Exception | None) -> bool:
    """Return whether the HTTP client failed to parse a response as HTTP."""
    return isinstance(error, _NO_HTTP)


def failed_to_parse(error: BaseException) -> bool:
    """Return whether the SDK raised an error while it parsed a response, which it expects to be well-formed."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").endswith(_PARSERS):
            return True
        trace = trace.tb_next
    return False
