"""Servers that are silent or slow, redirect, or send no length: each request ends soon, with an error and a hint."""

import asyncio
import contextlib
import gc
import itertools
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes import stalls
from pivot_cache.remotes.options import Retry, TransferSettings
from pivot_cache.remotes.protocol import (
    RemoteCorruptError,
    RemoteDeniedError,
    RemoteError,
    RemoteTimeoutError,
    RemoteUnreachableError,
)
from pivot_cache.remotes.transfer import fetch
from pivot_core.lock import Artifact
from pivot_remote_s3 import S3Location, S3Remote, S3Settings, existence
from pivot_remote_s3.client.limits import RequestLimits

DIGEST = "0" * 32
OK = b"HTTP/1.1 200 OK\r\n"


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


@contextlib.contextmanager
def answering(
    *pieces: bytes | Callable[[], bytes], drip: bytes = b"", close: bool = False, grace: float = 60
) -> Iterator[S3Remote]:
    """Yield a remote whose server gives this response to all, then repeats ``drip``, and closes only with ``close``."""
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(1 << 16)
            for piece in pieces:
                connection.sendall(piece if isinstance(piece, bytes) else piece())
            if close:
                return
            for _ in itertools.count():
                if ended.wait(0.01):
                    return
                connection.sendall(drip)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = listening.accept()[0]
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        settings = S3Settings(endpoint=f"http://127.0.0.1:{listening.getsockname()[1]}", region="us-east-1")
        yield S3Remote(S3Location("bucket"), settings, limits=RequestLimits(timeout=grace, longest=1 << 16))
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)


def failure(remote: S3Remote, tmp_path: Path) -> RemoteError:
    store = ObjectStore(tmp_path / "cache" / "files")
    stopped = fetch([Artifact(DIGEST, 1000)], store, remote, TransferSettings()).stopped
    assert isinstance(stopped, RemoteError)
    assert stopped.exit_code == 3
    assert stopped.hint
    return stopped


@pytest.mark.parametrize(
    ("pieces", "drip"),
    [
        ((), b""),
        ((OK, b"X-Drip: "), b"x"),
        ((OK, b"Content-Length: 1000\r\n\r\n"), b""),
        ((OK, b"Content-Length: 1000\r\n\r\n"), b"x"),
        ((b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n",), b"1\r\nx\r\n"),
    ],
    ids=["silent", "dripping headers", "silent body", "dripping body", "dripping error"],
)
def test_a_request_has_a_deadline(pieces: tuple[bytes, ...], drip: bytes, tmp_path: Path) -> None:
    with answering(*pieces, drip=drip, grace=0.1) as remote:
        assert isinstance(failure(remote, tmp_path), RemoteTimeoutError)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "how long"),
        (OK + b"\r\nx", "how long"),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n", "compressed"),
        (
            b"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.2:1/\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "another address",
        ),
        (
            b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.2:1/\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "another address",
        ),
    ],
)
def test_an_unexpected_response_is_refused(answer: bytes, said: str, tmp_path: Path) -> None:
    with answering(answer) as remote:
        error = failure(remote, tmp_path)
    assert isinstance(error, RemoteDeniedError)
    assert said in str(error)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (OK + b"Connection: close\r\nLast-Modified: never\r\nContent-Length: 3\r\n\r\nxyz", "does not speak S3"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 400 Bad\r\nContent-Length: 3\r\n\r\nwhy", "the request was refused (400)"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 99999\r\n\r\n" + b"<Error>" * 14000, "access denied (403)"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 25\r\n\r\n<!DOCTYPE html><p>Sign in", "access denied (403)"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 99\r\nConnection: close\r\n\r\n<Error>", "the connection failed"),
    ],
)
def test_responses_of_other_servers_have_an_error_and_a_hint(answer: bytes, said: str, tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "cache" / "files")
    with answering(answer, close=True) as remote:
        stopped = fetch([Artifact(DIGEST, 1000)], store, remote, TransferSettings(retry=Retry(sleep=at_once))).stopped
    assert stopped is not None
    assert said in str(stopped)
    assert stopped.hint
    assert stopped.exit_code == 3


@pytest.mark.parametrize("page", [b"<!DOCTYPE html>", b"<ListBucketResult>" * 9999])
def test_an_invalid_listing(page: bytes) -> None:
    head = OK + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(page)
    with answering(head + page, close=True) as remote, pytest.raises(RemoteDeniedError, match=r"of S3|speak S3"):
        listed(remote)


def test_a_program_for_credentials_has_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile names the program; the wait is reported, and the program is killed."""
    number = tmp_path / "number"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $$ > {number}.new; mv {number}.new {number}; exec sleep 600\n")
    program.chmod(0o755)
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    reported: list[str] = []
    remote = S3Remote(
        S3Location("bucket"), S3Settings(endpoint="http://127.0.0.1:1"), limits=RequestLimits(timeout=0.1)
    )
    store = ObjectStore(tmp_path / "cache" / "files")

    with (
        stalls.listen(lambda address, _: reported.append(address)),
        pytest.raises(RemoteDeniedError, match="no credentials"),
    ):
        fetch([Artifact(DIGEST, 1000)], store, remote, TransferSettings())

    assert reported == ["the credentials of AWS"]
    gc.collect()  # a transport that is left open would warn
    if number.exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int(number.read_text()), 0)


def test_a_server_for_credentials_has_the_same_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("token")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with answering(grace=0.1) as remote:
        monkeypatch.setenv("AWS_ENDPOINT_URL", str(remote._settings.endpoint))
        assert isinstance(failure(remote, tmp_path), RemoteTimeoutError)


def listing(contents: str, token: str) -> bytes:
    body = (
        "<ListBucketResult><Name>bucket</Name><IsTruncated>true</IsTruncated>"
        f"{contents}<NextContinuationToken>{token}</NextContinuationToken></ListBucketResult>"
    ).encode()
    return OK + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


OBJECT = f"<Contents><Key>files/00/{DIGEST[2:]}</Key><Size>7</Size></Contents>"


def listed(remote: S3Remote) -> list[str]:
    async def main() -> list[str]:
        async with remote:
            return [digest async for digest in remote.digests()]

    return asyncio.run(main())


@pytest.mark.parametrize("contents", ["", OBJECT])
def test_a_listing_that_repeats_a_page_ends(contents: str) -> None:
    with (
        answering(listing(contents, "again")) as remote,
        pytest.raises(RemoteDeniedError, match="does not end") as caught,
    ):
        listed(remote)
    assert caught.value.hint


def test_a_listing_without_an_object_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(existence, "_MOST_EMPTY_PAGES", 5)
    numbers = itertools.count()
    with (
        answering(lambda: listing("", f"{next(numbers)}")) as remote,
        pytest.raises(RemoteDeniedError, match="not end"),
    ):
        listed(remote)
    assert next(numbers) == 5


def test_a_shard_whose_listing_repeats_a_page_ends() -> None:
    numbers = itertools.count()

    async def main(remote: S3Remote) -> None:
        async with remote:
            await remote.exists([f"00{number:030x}" for number in range(50)])

    def say() -> bytes:
        next(numbers)
        return listing("", "again")

    with answering(say) as remote, pytest.raises(RemoteDeniedError, match="does not end"):
        asyncio.run(main(remote))
    assert next(numbers) == 3, "all, and two pages of the shard"


@pytest.mark.parametrize("total", ["\u00b2", "9" * 5000, "-1", "*"])
def test_an_invalid_total_is_ignored(total: str, tmp_path: Path) -> None:
    head = f"Connection: close\r\nContent-Range: bytes 0-1/{total}\r\nContent-Length: 3\r\n\r\nxyz"
    store = ObjectStore(tmp_path / "cache" / "files")
    with answering(OK + head.encode()) as remote:
        (error,) = fetch([Artifact(DIGEST, 1000)], store, remote, TransferSettings()).failed.values()
    assert isinstance(error, RemoteCorruptError)


def test_a_tree_with_too_many_bytes_is_refused_before_it_arrives(tmp_path: Path) -> None:
    """The size of a directory does not give that of its listing."""
    store = ObjectStore(tmp_path / "cache" / "files")
    with answering(OK + b"Content-Length: 99999999999\r\n\r\n", drip=b"x" * 1000) as remote:
        outcome = fetch([Artifact(DIGEST, 1000, tree=True)], store, remote, TransferSettings())
    assert isinstance(outcome.failed[DIGEST], RemoteCorruptError)


def test_one_byte_per_connection_is_not_progress(tmp_path: Path) -> None:
    asked = itertools.count()
    options = TransferSettings(retry=Retry(attempts=4, sleep=at_once))

    def say() -> bytes:
        next(asked)
        return OK + b"Connection: close\r\nContent-Length: 1000\r\n\r\nx"

    store = ObjectStore(tmp_path / "cache" / "files")
    with answering(say, close=True) as remote:
        assert isinstance(fetch([Artifact(DIGEST, 1000)], store, remote, options).stopped, RemoteUnreachableError)
    assert next(asked) == 4
