"""Servers that speak S3, a new bucket for each test, and a proxy that injects faults.

Moto runs in a thread, and tests can read its memory. Rclone shares no line of code with it or with the SDK: its process
supports neither conditional creation nor checksums, takes the parts of an upload in their order, and checks signatures.
"""

import asyncio
import contextlib
import http.client
import itertools
import os
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

# Before moto is imported: parts as small as the tests need, on which a real server would insist to be 5 MiB.
os.environ["S3_UPLOAD_PART_MIN_SIZE"] = "1"

import moto.backends
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from pivot_cache.objects.store import ObjectStore
from pivot_remote_s3 import S3Location, S3Settings
from pivot_remote_s3.client.sdk_client import open_client

PREFIX = "team/cache"
KEY, SECRET = "testing", "hunter2"  # as `rclone_url` has them
_numbers = itertools.count()


_modules = tuple(moto.backends.list_of_moto_modules())
moto.backends.list_of_moto_modules = lambda: _modules  # it would list a directory at each request


@pytest.fixture(scope="session")
def settings() -> Iterator[S3Settings]:
    running = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield S3Settings(endpoint=f"http://{host}:{port}", region="us-east-1")
    running.stop()


@pytest.fixture(scope="session")
def rclone(rclone_url: str) -> S3Settings:
    return S3Settings(endpoint=rclone_url, region="us-east-1")


@pytest.fixture(autouse=True)
def credentials(models_are_read_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the AWS configuration of the developer."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture(autouse=True)
def nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert not any(SECRET in record.getMessage() for record in caplog.get_records("call"))


@pytest.fixture
def location() -> Iterator[S3Location]:
    location = S3Location(f"bucket-{next(_numbers)}", PREFIX)
    backend = s3_backends["123456789012"]["aws"]
    backend.create_bucket(location.bucket, "us-east-1")
    yield location
    bucket = backend.buckets.pop(location.bucket)
    for held in (*bucket.keys.values(), *bucket.multiparts.values()):  # an open file each
        held.dispose()


@pytest.fixture
def rclone_location(rclone: S3Settings) -> S3Location:
    return new_bucket(rclone)


def new_bucket(settings: S3Settings) -> S3Location:
    location = S3Location(f"bucket-{next(_numbers)}", PREFIX)

    async def create() -> None:
        async with open_client(location, settings, 1) as client:
            create_bucket: Callable[..., object] = client.create_bucket  # type: ignore[attr-defined]
            await create_bucket(Bucket=location.bucket)  # type: ignore[misc]

    asyncio.run(create())
    return location


class Proxy(ThreadingHTTPServer):
    """Forwards requests to the server, lists them, and injects faults.

    A fault has a kind, a pattern for "<method> <path?query>", and the number of matching requests that fail, after a
    number that succeed:

        status:CODE     not forwarded; answered with this status and CODE, as in ``503:SlowDown``
        drop            not forwarded; the connection is closed
        unanswered      forwarded; the connection is closed instead of an answer
        truncate        half of the answer's body arrives, then the connection is closed
        garble          the last byte of the answer's body is another one
        spoil           forwarded with another last byte of the body
        half            half of the body is forwarded, then both connections are closed
        late            answered after another request
        hang            forwarded and never answered
    """

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.behind = behind.removeprefix("http://")
        self.requests: list[str] = []
        self.sent = 0
        self.hanging = threading.Event()
        self.ended = threading.Event()
        self._answered = threading.Condition()
        self._answers = 0
        self._faults: list[tuple[str, str, list[int]]] = []
        self._lock = threading.Lock()

    @property
    def settings(self) -> S3Settings:
        return S3Settings(endpoint=f"http://127.0.0.1:{self.server_address[1]}", region="us-east-1")

    def fault(self, kind: str, pattern: str, *, times: int = 1, skip: int = 0) -> None:
        self._faults.append((kind, pattern, [skip, times]))

    def clear(self) -> None:
        self.requests.clear()
        self._faults.clear()
        self.sent = 0

    def count(self, pattern: str) -> int:
        return sum(re.search(pattern, request) is not None for request in self.requests)

    def strikes(self, request: str, size: int) -> str | None:
        with self._lock:
            self.requests.append(request)
            self.sent += size
            for kind, pattern, left in self._faults:
                if left[1] and re.search(pattern, request):
                    if left[0]:
                        left[0] -= 1
                        continue
                    left[1] -= 1
                    return kind
        return None

    def answered(self) -> None:
        with self._answered:
            self._answers += 1
            self._answered.notify_all()

    def let_pass(self) -> None:
        """Wait until another request has been answered, unless all the others were faster."""
        with self._answered:
            before = self._answers
            self._answered.wait_for(lambda: self._answers > before, timeout=5)

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: clients that disconnect are part of the tests."""


class _Forward(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def handle_any(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        condition = " If-None-Match" if "If-None-Match" in self.headers else ""
        request = f"{self.command} {self.path} {self.headers.get('Range', '')}{condition}"
        fault = self.server.strikes(request, len(data)) or ""
        if fault == "drop":
            self.close_connection = True
            return
        if ":" in fault:
            status, _, code = fault.partition(":")
            body = f"<Error><Code>{code}</Code><Message>not for your hunter2</Message></Error>".encode()
            self.answer(int(status), {"Content-Type": "application/xml"}, body)
            return
        if fault == "spoil":
            data = data[:-1] + bytes([data[-1] ^ 1])
        with contextlib.closing(http.client.HTTPConnection(self.server.behind)) as behind:
            behind.request(
                self.command, self.path, data[: len(data) // 2] if fault == "half" else data, dict(self.headers)
            )
            if fault == "half":
                self.close_connection = True
                return
            answer = behind.getresponse()
            body, headers = answer.read(), dict(answer.headers)
        if fault in ("unanswered", "hang"):
            self.close_connection = True
            if fault == "hang":
                self.server.hanging.set()
                self.server.ended.wait()
            return
        if fault == "late":
            self.server.let_pass()
        if fault == "truncate":
            self.close_connection = True
            self.answer(answer.status, headers, body[: len(body) // 2], length=len(body))
        else:
            self.answer(answer.status, headers, body[:-1] + bytes([body[-1] ^ 1]) if fault == "garble" else body)
        self.server.answered()

    def answer(self, status: int, headers: dict[str, str], body: bytes, *, length: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        said = headers.get("Content-Length", "0") if self.command == "HEAD" else len(body) if length is None else length
        self.send_header("Content-Length", str(said))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self.handle_any
        raise AttributeError(name)


@pytest.fixture
def proxy(settings: S3Settings) -> Iterator[Proxy]:
    with in_front_of(settings) as proxy:
        yield proxy


@pytest.fixture
def rclone_proxy(rclone: S3Settings) -> Iterator[Proxy]:
    with in_front_of(rclone) as proxy:
        yield proxy


@contextlib.contextmanager
def in_front_of(settings: S3Settings) -> Iterator[Proxy]:
    proxy = Proxy(str(settings.endpoint))
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.ended.set()
        proxy.shutdown()
        thread.join()
        proxy.server_close()


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "cache" / "files")


@pytest.fixture
def other(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "other" / "files")
