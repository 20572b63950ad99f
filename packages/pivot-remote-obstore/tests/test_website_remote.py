"""Remotes on web servers refuse all changes, and take the user and the password from ``~/.netrc``."""

import asyncio
import http.server
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from pivot_cache.remotes.protocol import RemoteDeniedError
from pivot_core.files.digest import digest_bytes
from pivot_remote_obstore import WebsiteRemote

DIGEST = digest_bytes(b"data")


def test_changes_are_refused(website: tuple[str, Path], tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"data")

    async def collect(found: AsyncIterator[str]) -> None:
        assert [each async for each in found]

    async def work() -> None:
        async with WebsiteRemote(website[0]) as remote:
            calls: list[Callable[[], Awaitable[object]]] = [
                lambda: remote.upload(DIGEST, tmp_path / "data", lambda _: None),
                lambda: remote.delete(DIGEST),
                lambda: remote.keep_run(DIGEST, b""),
                lambda: collect(remote.digests()),
            ]
            for call in calls:
                with pytest.raises(RemoteDeniedError, match="on a web server") as caught:
                    await call()
                assert "push to the storage" in (caught.value.hint or "")
            assert await remote.runs(DIGEST, 1) == []

    asyncio.run(work())


def test_the_user_and_the_password_come_from_netrc(tmp_path: Path) -> None:
    seen: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
    netrc.chmod(0o600)

    async def work() -> None:
        async with WebsiteRemote(f"http://127.0.0.1:{server.server_address[1]}") as remote:
            await remote.exists([DIGEST])

    with pytest.raises(RemoteDeniedError, match=r"access denied \(401\)") as caught:
        asyncio.run(work())
    assert "netrc" in (caught.value.hint or "")
    assert seen == ["Basic bWU6aHVudGVyMg=="]
    server.shutdown()
    thread.join()
    server.server_close()
