"""Reading URLs: what a server says, and downloads that break off, against a real server on this machine."""

import asyncio
import base64
import io
import pathlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from workshop import Workshop

from pivot_cache.formats.data_source import UrlState
from pivot_cache.remotes.options import TransferCounts
from pivot_cache.remotes.protocol import (
    RemoteDeniedError,
    RemoteError,
    RemoteNotFoundError,
    RemoteThrottledError,
    RemoteTimeoutError,
    RemoteUnreachableError,
)
from pivot_cache.remotes.url_reader import PartialDownload
from pivot_core.errors import PivotError
from pivot_runtime.artifacts.stores import open_stores
from pivot_runtime.errors import UrlError
from pivot_runtime.external import download, urls
from pivot_runtime.external.http_reader import HttpReader

CONTENT = bytes(range(256)) * 2048


class Server(ThreadingHTTPServer):
    """A server of one file, with faults.

    Attributes:
        content: The bytes of the file.
        etag: Its entity tag; empty for none.
        breaks: After how many bytes the next answers break off, the next one first.
        status: By method, the status that is answered instead.
        asked: The method, the path and the range of each request.
        facts: Further headers of answers.
        moved: How far parts are from those that were wanted.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.etag = '"1"'
        self.breaks: list[int] = []
        self.status: dict[str, int] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.headers: dict[str, str | None] = {}
        self.facts: dict[str, str] = {}
        self.moved = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A client that has gone is no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append((self.command, self.path, wanted))
        server.headers = dict(self.headers)
        self.close_connection = True
        if self.path.startswith("/to/"):
            self._answer(302, {"Location": self.path.removeprefix("/to/")})
        elif self.command in server.status:
            self._answer(server.status[self.command], {})
        else:
            start = 0
            facts = {"ETag": server.etag, **server.facts} if server.etag else {}
            if wanted and self.headers.get("If-Range", server.etag) == server.etag:
                start = int(wanted.removeprefix("bytes=").partition("-")[0]) + server.moved
                last = wanted.partition("-")[2]
                content = server.content[start : int(last) + 1 if last else None]
                size = len(server.content)
                facts["Content-Range"] = f"bytes {start}-{start + len(content) - 1}/{size}"
                self._answer(206, facts, content)
            else:
                self._answer(200, facts, server.content)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, facts: dict[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **facts}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            most = self.server.breaks.pop(0) if content and self.server.breaks else len(content)
            self.wfile.write(content[:most])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = asyncio.sleep

    async def sleep(_: float) -> None:
        await at_once(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)  # between the retries
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


def downloaded(reader: HttpReader, target: PartialDownload) -> None:
    asyncio.run(reader.download(target))


def test_what_a_server_says(server: Server) -> None:
    reader = HttpReader(f"{server.url}/data.csv?part=ä")

    assert asyncio.run(reader.state()) == UrlState('"1"', size=len(CONTENT))
    server.status["HEAD"] = 405
    assert asyncio.run(reader.state()) == UrlState('"1"', size=len(CONTENT))
    path = "/data.csv?part=%C3%A4"
    assert server.asked == [("HEAD", path, None), ("HEAD", path, None), ("GET", path, "bytes=0-0")]


def test_a_download_continues_where_it_broke_off(server: Server) -> None:
    file, reader = io.BytesIO(), HttpReader(server.url)
    target = PartialDownload(file)
    server.breaks = [100_000]

    with pytest.raises(RemoteUnreachableError):
        downloaded(reader, target)
    downloaded(reader, target)
    assert file.getvalue() == CONTENT
    assert server.asked[1] == ("GET", "/", f"bytes={100_000}-")


def test_a_download_of_changed_content_begins_again(server: Server) -> None:
    file, reader = io.BytesIO(), HttpReader(server.url)
    target = PartialDownload(file)
    server.breaks = [100_000]
    with pytest.raises(RemoteUnreachableError):
        downloaded(reader, target)
    server.content, server.etag = b"other", '"2"'

    downloaded(reader, target)
    assert (file.getvalue(), target.state) == (b"other", UrlState('"2"', size=5))


def test_another_part_is_not_joined(server: Server) -> None:
    file, reader = io.BytesIO(), HttpReader(server.url)
    target = PartialDownload(file)
    server.breaks, server.moved = [100_000], -50_000
    for _ in range(2):
        with pytest.raises(RemoteUnreachableError):
            downloaded(reader, target)
    server.moved = 0
    downloaded(reader, target)
    assert file.getvalue() == CONTENT


def test_an_absurd_length_is_none(server: Server) -> None:
    server.facts["Content-Length"] = "9" * 5000
    assert asyncio.run(HttpReader(server.url).state()) == UrlState('"1"')


@pytest.mark.parametrize("etag", ["", 'W/"1"'])
def test_content_without_a_strong_tag_is_never_joined(server: Server, etag: str) -> None:
    server.etag, server.breaks = etag, [100_000]
    file, reader = io.BytesIO(), HttpReader(server.url)
    target = PartialDownload(file)

    with pytest.raises(RemoteUnreachableError):
        downloaded(reader, target)
    downloaded(reader, target)
    assert file.getvalue() == CONTENT
    assert server.asked[1][2] is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, RemoteNotFoundError),
        (401, RemoteDeniedError),
        (429, RemoteThrottledError),
        (502, RemoteUnreachableError),
        (418, RemoteError),
    ],
)
def test_refusals(server: Server, status: int, kind: type[RemoteError]) -> None:
    server.status["GET"] = status

    url = f"{server.url.replace('://', '://me:hunter2@')}/x?token=hunter3"

    with pytest.raises(kind, match=str(status)) as caught:
        downloaded(HttpReader(url), PartialDownload(io.BytesIO()))
    assert "hunter" not in str(caught.value)
    assert caught.value.hint


def test_redirects(server: Server) -> None:
    file = io.BytesIO()
    downloaded(HttpReader(f"{server.url}/to//data"), PartialDownload(file))
    assert file.getvalue() == CONTENT

    for scheme, problem in (("file", "not allowed"), ("ftp", "redirects to ftp://, which is not followed")):
        with pytest.raises(RemoteError, match=problem):
            downloaded(HttpReader(f"{server.url}/to/{scheme}://host/passwd"), PartialDownload(io.BytesIO()))


def test_credentials_of_the_url_and_of_the_user(
    server: Server, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent(url: str) -> str:
        asyncio.run(HttpReader(url).state())
        scheme, _, pair = (server.headers.get("Authorization") or " ").partition(" ")
        return base64.b64decode(pair).decode() if scheme else ""

    monkeypatch.setenv("HOME", str(tmp_path))
    assert sent(server.url) == ""
    assert sent(server.url.replace("://", "://me:p%40ss@")) == "me:p@ss"
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login you password secret\n")
    netrc.chmod(0o600)
    assert sent(server.url) == "you:secret"


def test_silence_and_absence() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        with pytest.raises(RemoteTimeoutError, match=r"no answer within 0\.05 s"):
            asyncio.run(HttpReader(f"http://127.0.0.1:{port}/", 0.05).state())
    with pytest.raises(RemoteUnreachableError, match="refused"):
        asyncio.run(HttpReader(f"http://127.0.0.1:{port}/").state())


@pytest.mark.parametrize("url", ["http:///x", "http://host/a b", "http://host/\n", "http://[x/y"])
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(UrlError):
        HttpReader(url)


def test_interrupted_downloads_continue_in_the_next_command(server: Server, shop: Workshop) -> None:
    seen: list[TransferCounts] = []
    with open_stores(shop.context) as stores:
        server.breaks = [1000 * number for number in range(1, 7)]
        with pytest.raises(RemoteUnreachableError):
            download.download(download.reader_of(server.url, stores), stores)
        first = len(server.asked)
        artifact, state = download.download(download.reader_of(server.url, stores), stores, seen.append)

        file = shop.root / "same"
        file.write_bytes(CONTENT)
        assert artifact == stores.ingest(file)
        assert state == UrlState('"1"', size=len(CONTENT))
        assert server.asked[first][2] == f"bytes={sum(range(1000, 7000, 1000))}-"
        assert seen[-1] == TransferCounts(0, 1, len(CONTENT), len(CONTENT))
        assert list(stores.layout.partial_dir.iterdir()) == []


def test_two_downloads_of_a_url_at_once(server: Server, shop: Workshop) -> None:
    with open_stores(shop.context) as stores:
        reader = download.reader_of(server.url, stores)

        def meanwhile(_: TransferCounts) -> None:
            with pytest.raises(PivotError, match="another command downloads"):
                download.download(reader, stores)

        artifact, _ = download.download(reader, stores, meanwhile)
        assert artifact.size == len(CONTENT)


@pytest.mark.parametrize(
    ("url", "public", "left_out"),
    [
        ("https://host/x.csv?year=2024#top", "https://host/x.csv?year=2024", 0),
        ("https://me:secret@host/x", "https://host/x", 1),
        ("https://host/x?X-Amz-Signature=secret&year=1&sig=secret", "https://host/x?year=1", 1),
        ("https://host/x?auth=secret&pwd=secret&access_key=secret&author=me", "https://host/x?author=me", 1),
        ("https://me:secret@[host/x?y=secret", "https://[host/x", 0),
        ("ssh://git:secret@host/x.git", "ssh://git@host/x.git", 1),
        ("ssh://git@host/x.git", "ssh://git@host/x.git", 0),
        ("git@host:x.git", "git@host:x.git", 0),
        ("../data", "../data", 0),
    ],
)
def test_urls_without_secrets(url: str, public: str, left_out: int) -> None:
    found = urls.public(url)

    assert (found.url, len(found.left_out)) == (public, left_out)
    assert "secret" not in urls.masked(f"fatal: unable to access '{url}/': no", url)
    without_user = url.replace("me:secret@", "")
    assert "secret" not in urls.masked(f"fatal: unable to access '{without_user}/': no", f"{url}#"), "as git says it"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/a/x%20y.csv?z=1", "x y.csv"),
        ("https://host/", ""),
        ("https://host", ""),
        ("https://host/..", ""),
        ("https://host/a%2Fb", ""),
    ],
)
def test_names_of_files(url: str, name: str) -> None:
    assert urls.file_name(url) == name
