"""Servers that are silent, drip, send elsewhere or do not say how much is to come: each ends soon, and is named."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pivot_cache.moving import Options
from pivot_cache.remote import RemoteDeniedError, RemoteError, RemoteTimeoutError
from pivot_cache.store import ObjectStore
from pivot_cache.transfer import fetch
from pivot_core.lock import Artifact
from pivot_remote_s3 import S3Location, S3Remote, S3Settings
from pivot_remote_s3.deadlines import Limits

DIGEST = "0" * 32
OK = b"HTTP/1.1 200 OK\r\n"


@contextlib.contextmanager
def answering(*pieces: bytes, drip: bytes = b"", grace: float = 30) -> Iterator[S3Remote]:
    """A remote whose server says this to everybody, then ``drip`` again and again, and never closes."""
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(1 << 16)
            for piece in pieces:
                connection.sendall(piece)
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
        yield S3Remote(S3Location("bucket"), settings, limits=Limits(grace, longest=1 << 16))
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)


def failure(remote: S3Remote, tmp_path: Path) -> RemoteError:
    store = ObjectStore(tmp_path / "cache" / "files")
    stopped = fetch([Artifact(DIGEST, 1000)], store, remote, Options()).stopped
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
def test_what_nobody_asked_for_is_refused(answer: bytes, said: str, tmp_path: Path) -> None:
    with answering(answer) as remote:
        error = failure(remote, tmp_path)
    assert isinstance(error, RemoteDeniedError)
    assert said in str(error)
