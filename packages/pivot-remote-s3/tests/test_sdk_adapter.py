"""Private and undocumented parts of the SDK: each test states one that the adapter uses, and fails when it changes."""

import asyncio
import contextlib
import gc
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aioboto3
import aiohttp
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import UNSIGNED
from botocore.exceptions import HTTPClientError, IncompleteReadError

from pivot_remote_s3 import S3Location, S3Settings, sdk_adapter
from pivot_remote_s3.client.connections import LimitedConnections
from pivot_remote_s3.client.sdk_client import open_client
from pivot_remote_s3.sdk_adapter import SdkRequest, SessionConfig, UnredirectedSession, UploadPayload

KEY, SECRET = "testing", "hunter2"  # as the variables in conftest.py have them
OK = b'HTTP/1.1 200 OK\r\nConnection: close\r\nETag: "x"\r\nContent-Length: 5\r\n\r\nhello'


class Server:
    """Keeps the requests that it gets, and gives the same response to each."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[bytes] = []

    def body(self) -> bytes:
        return self.requests[-1].partition(b"\r\n\r\n")[2]


@contextlib.asynccontextmanager
async def serving(response: bytes = OK) -> AsyncIterator[Server]:
    server = Server()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        server.requests.append(head + await reader.readexactly(int(fields.get(b"content-length", b"0"))))
        writer.write(response)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/bucket/key"
        yield server


def get(url: str) -> SdkRequest:
    return SdkRequest("GET", url, {}, None)


def test_private_attributes_of_others_are_used_in_the_adapter_only() -> None:
    """Those that ruff allows by a comment, and those that are named in a string."""
    private = re.compile(r"SLF001|[gs]etattr\([^\n]*\"_")
    modules = Path(sdk_adapter.__file__).parent.glob("*.py")

    assert [path.stem for path in modules if private.search(path.read_text())] == ["sdk_adapter"]


def test_a_client_has_its_http_session_at_endpoint(settings: S3Settings) -> None:
    """`BaseClient._endpoint.http_session` is an instance of the class that the default configuration names."""

    async def work() -> object:
        async with open_client(S3Location("bucket"), settings, 1) as client:
            return sdk_adapter.http_session(client)

    assert isinstance(asyncio.run(work()), LimitedConnections)
    assert sdk_adapter.http_session(object()) is None


def test_a_client_has_its_credentials_at_request_signer(settings: S3Settings) -> None:
    """`BaseClient._request_signer._credentials` can be refreshed and read at once; an anonymous client has none."""

    async def work(**config: Any) -> Any:
        session = aioboto3.Session(region_name="us-east-1")
        async with session.client("s3", endpoint_url=settings.endpoint, config=AioConfig(**config)) as client:
            return await sdk_adapter.credentials(client)

    found = asyncio.run(work())
    assert (found.access_key, found.secret_key, found.token) == (KEY, SECRET, None)
    assert asyncio.run(work(signature_version=UNSIGNED)) is None
    assert asyncio.run(sdk_adapter.credentials(object())) is None


def test_a_session_sends_a_request_that_has_five_fields() -> None:
    """`AIOHTTPSession.send` reads no more of a request, and returns a response as `SdkResponse` describes it."""

    async def work() -> None:
        async with serving() as server, UnredirectedSession() as session:
            body = UploadPayload(3, lambda: (b"abc",))
            response = await session.send(SdkRequest("PUT", server.url, {"X-Mine": "1", "Content-Length": "3"}, body))
            assert response.status_code == 200
            assert response.headers["etag"] == '"x"', "the names of headers are in lower case"
            assert isinstance(response.raw, aiohttp.ClientResponse)
            assert await response.content == b"hello"
            assert server.requests[0].startswith(b"PUT /bucket/key HTTP/1.1\r\n")
            assert b"\r\nX-Mine: 1\r\n" in server.requests[0]
            assert server.body() == b"abc"

    asyncio.run(work())


def test_a_session_gets_its_aiohttp_session_from_get_session() -> None:
    """`AIOHTTPSession._get_session` returns it before each request, and only its `request` is used."""

    async def work() -> None:
        redirection = b"HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
        async with serving(redirection) as server, UnredirectedSession() as session:
            assert (await session.send(get(server.url))).status_code == 307
            assert len(server.requests) == 1, "the SDK has followed the redirection"

    asyncio.run(work())


def test_a_configuration_forgets_its_session_class_when_it_is_merged() -> None:
    """`AioConfig.merge` makes the configuration of each client, and forgets the class: else drop `SessionConfig`."""
    other = AioConfig(max_pool_connections=7)
    assert AioConfig(http_session_cls=LimitedConnections).merge(other).http_session_cls is not LimitedConnections

    merged = SessionConfig(http_session_cls=LimitedConnections, read_timeout=3).merge(other)
    assert merged.http_session_cls is LimitedConnections
    assert (merged.max_pool_connections, merged.read_timeout) == (7, 3)


def test_a_response_keeps_its_content_in_one_attribute() -> None:
    """`AioAWSResponse._content` is what `content` returns, without a read."""

    async def work() -> None:
        async with serving() as server, UnredirectedSession() as session:
            response = await session.send(get(server.url))
            sdk_adapter.set_content(response, b"another")
            assert await response.content == b"another"
            response.raw.close()

    asyncio.run(work())


@pytest.mark.parametrize("length", [5, 6])
def test_the_body_of_an_object_is_made_of_the_raw_response(length: int) -> None:
    """`StreamingBody` takes the raw response and the length in its header, and refuses another length."""

    async def work() -> bytes:
        async with serving(OK) as server, UnredirectedSession() as session:
            response = await session.send(get(server.url))
            response.headers["content-length"] = f"{length}"
            found = b""
            body = sdk_adapter.object_body(response)
            async with body:
                while data := await body.read(2):
                    assert len(data) <= 2
                    found += data
            return found

    if length == 5:
        assert asyncio.run(work()) == b"hello"
    else:
        with pytest.raises(IncompleteReadError):
            asyncio.run(work())


def test_requests_are_seen_signed_before_they_are_sent(settings: S3Settings) -> None:
    """The event ``before-send.s3`` passes a request with its URL and its signature."""
    seen: list[tuple[str, Mapping[str, str | bytes]]] = []

    async def work() -> None:
        async with open_client(S3Location("bucket"), settings, 1) as client:
            sdk_adapter.on_request(client, lambda url, headers: seen.append((url, headers)))
            with contextlib.suppress(client.exceptions.ClientError):  # type: ignore[attr-defined]
                await client.head_object(Bucket="bucket", Key="a b")

    asyncio.run(work())
    ((url, headers),) = seen
    assert url == f"{settings.endpoint}/bucket/a%20b"
    authorization = headers["Authorization"]
    text = authorization.decode() if isinstance(authorization, bytes) else authorization
    assert text.startswith(f"AWS4-HMAC-SHA256 Credential={KEY}/")


def test_the_program_for_credentials_is_started_by_one_attribute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`AioProcessProvider._popen` starts it as `create_subprocess_exec` would, and `communicate` reads its output."""
    found = {"Version": 1, "AccessKeyId": "theirs", "SecretAccessKey": "hunter2"}
    (tmp_path / "found").write_text(json.dumps(found))
    (tmp_path / "config").write_text(f"[default]\ncredential_process = cat {tmp_path / 'found'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    started: list[tuple[str, ...]] = []

    async def start(*command: str, **options: Any) -> asyncio.subprocess.Process:
        started.append(command)
        return await asyncio.create_subprocess_exec(*command, **options)

    async def work() -> str:
        session = get_session()
        sdk_adapter.run_credential_program_with(session, start)
        key: str = (await (await session.get_credentials()).get_frozen_credentials()).access_key
        return key

    assert asyncio.run(work()) == "theirs"
    assert started == [("cat", str(tmp_path / "found"))]


def test_a_program_is_killed_with_its_pipes_by_its_transport() -> None:
    """`Process._transport.close` closes pipes that a child of the program holds open, which `Process.kill` does not."""
    script = "import os, sys\nif os.fork(): sys.stdin.read()\nwhile True: os.write(1, b'x')"  # ends without a reader

    async def work() -> int | None:
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, stdin=pipe, stdout=pipe, stderr=null
        )
        assert program.stdout is not None
        assert await program.stdout.readexactly(1) == b"x"
        async with asyncio.timeout(60):  # pipes that stay open are waited for without end
            await sdk_adapter.kill(program)
            await sdk_adapter.kill(program)
        return program.returncode

    assert asyncio.run(work()) == -9
    gc.collect()  # no transport is left that warns


def test_an_error_of_the_http_client_is_kept_in_that_of_the_sdk() -> None:
    """`HTTPClientError.kwargs["error"]` is what aiohttp raised where it got something other than HTTP."""

    async def work() -> None:
        async with serving(b"SSH-2.0-OpenSSH_9.6\r\n") as server, UnredirectedSession() as session:
            await session.send(get(server.url))

    with pytest.raises(HTTPClientError) as caught:
        asyncio.run(work())
    assert sdk_adapter.is_no_http(sdk_adapter.wrapped_error(caught.value))


def test_an_error_that_is_none_of_the_http_client() -> None:
    assert sdk_adapter.wrapped_error(ValueError()) is None
    assert not sdk_adapter.is_no_http(ValueError())
    assert not sdk_adapter.failed_to_parse(ValueError())


def test_responses_are_parsed_in_a_module_of_botocore() -> None:
    """The traceback of an error in `botocore.parsers`, or aiobotocore's, tells a malformed response from a bug."""

    async def work() -> None:
        malformed = b"HTTP/1.1 200 OK\r\nLast-Modified: never\r\nContent-Length: 0\r\n\r\n"
        async with serving(malformed) as server:
            settings = S3Settings(endpoint=server.url.removesuffix("/bucket/key"), region="us-east-1")
            async with open_client(S3Location("bucket"), settings, 1) as client:
                await client.head_object(Bucket="bucket", Key="key")

    with pytest.raises(Exception, match="never") as caught:
        asyncio.run(work())
    assert sdk_adapter.failed_to_parse(caught.value)


def test_a_payload_is_sent_in_pieces_and_as_often_as_wanted() -> None:
    """aiohttp asks a `Payload` for its size and calls `write`, and closes none whose `autoclose` is true."""
    data = os.urandom(200_000)
    payload = UploadPayload(len(data), lambda: (data[:150_000], data[150_000:]))
    sent: list[int] = []
    payload.on_sent = sent.append

    async def work() -> None:
        async with serving() as server, aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.put(server.url, data=payload) as response:
                    assert response.status == 200
                assert b"\r\nContent-Length: 200000\r\n" in server.requests[-1]
                assert server.body() == data

    asyncio.run(work())
    assert sent[: len(sent) // 2] == [65_536, 131_072, 150_000, 200_000]
    assert (payload.autoclose, UploadPayload(1, lambda: (b"x",)).decode()) == (True, "x")
