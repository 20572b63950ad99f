"""A project that is served in a thread, and questions to its server."""

import asyncio
import http.client
import json
import os
import pathlib
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from pivot_ui.project import ProjectService
from pivot_ui.server.app import create_app
from pivot_ui.server.listener import PageServer, open_socket

DEADLINE = 120
TOKEN = "a-token-of-the-tests"


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
        self._server = PageServer(create_app(self.service, self.port, TOKEN, self.bugs.append), lambda: None)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[self._socket])), name="server", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
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
