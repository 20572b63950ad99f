"""A project that is served in a thread, and questions to its server."""

import asyncio
import contextlib
import http.client
import json
import os
import pathlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

from pivot_ui.live.follower import ProjectFollower
from pivot_ui.live.hub import EventHub
from pivot_ui.live.page_command import PageCommand
from pivot_ui.project import ProjectService
from pivot_ui.server.app import create_app
from pivot_ui.server.gate import Entrance
from pivot_ui.server.listener import PageServer, open_socket
from pivot_ui.server.one_time_code import OneTimeCode

DEADLINE = 120
TOKEN = "a-token-of-the-tests"


def until(events: Iterator[tuple[str, Any]], kind: str, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
    """The first event of a kind that is wanted."""
    heard = []
    for each, plain in events:
        if each == kind and wanted(plain):
            return plain
        heard.append((each, plain))
    raise AssertionError(f"no such {kind!r} was heard in time, but {heard[-5:]}")


class Answer(NamedTuple):
    """An answer of a server."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def plain(self) -> Any:
        """The JSON."""
        return json.loads(self.body)


class ServedProject:
    """A project with its server, for as long as a block runs."""

    def __init__(self, root: pathlib.Path, *, allow_run: bool = False) -> None:
        self.root = root
        self.bugs: list[str] = []
        self.service = ProjectService(root, os.environ, allow_run=allow_run)
        self._socket = open_socket(None)
        self.port: int = self._socket.getsockname()[1]
        self.hub = EventHub()
        self.command = PageCommand(self.service, self.hub)
        self.follower = ProjectFollower(self.service, self.hub, self.bugs.append)
        self.now, self.second_uses = 0.0, 0
        self.code = OneTimeCode(self._count_second_use, lambda: self.now)
        entrance = Entrance(self.port, TOKEN, self.code)
        app = create_app(self.service, self.hub, self.command, entrance, self.bugs.append)
        self._server = PageServer(app, self.hub.close)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[self._socket])), name="server", daemon=True
        )

    def _count_second_use(self) -> None:
        self.second_uses += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.handle_exit(0, None)
        self.follower.close()
        self.command.close()
        self._thread.join(DEADLINE)
        self._socket.close()
        assert not self._thread.is_alive()

    @property
    def host(self) -> str:
        """The host that a browser sends."""
        return f"127.0.0.1:{self.port}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """The answer to exactly these headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            sent = {"Host": self.host, **(headers or {})}
            if body is not None:
                sent.setdefault("Content-Length", str(len(body)))
            for name, value in sent.items():
                if value:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def api(self, name: str, **parameters: str) -> Any:
        """The plain answer to a question with the token."""
        query = "&".join(f"{key}={value}" for key, value in parameters.items())
        answer = self.ask(f"/api/{name}?{query}".rstrip("?"), headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status == 200, answer.body
        return answer.plain

    def act(self, name: str, **fields: Any) -> Answer:
        """The answer to an action of the page."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        return self.ask(f"/api/{name}", "POST", headers, json.dumps(fields).encode())

    @contextlib.contextmanager
    def events(self, name: str = "events") -> Iterator[Iterator[tuple[str, Any]]]:
        """The events of a stream, as they come."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request("GET", f"/api/{name}", headers={"Authorization": f"Bearer {TOKEN}"})
            with connection.getresponse() as answer:
                assert answer.status == 200
                assert answer.headers["Content-Type"].startswith("text/event-stream")
                yield self._events(answer)
        finally:
            connection.close()

    def _events(self, answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
        """The events; they end with the stream, or, since heartbeats keep that alive, at the deadline."""
        kind, end = "", time.monotonic() + DEADLINE
        while (line := answer.readline().decode()) and time.monotonic() < end:
            if line.startswith("event: "):
                kind = line.removeprefix("event: ").strip()
            if line.startswith("data: "):
                yield kind, json.loads(line.removeprefix("data: "))
