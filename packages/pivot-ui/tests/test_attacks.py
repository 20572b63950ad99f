"""Hostile clients: raw bytes, half-open connections, and hostile values in every parameter of every question."""

import asyncio
import contextlib
import json
import os
import pathlib
import socket
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from served import DEADLINE, TOKEN, ServedProject

from pivot_core.errors import PivotError
from pivot_ui.api.query import Query
from pivot_ui.api.routes import READERS
from pivot_ui.errors import BadQueryError
from pivot_ui.live.page_command import PageCommand
from pivot_ui.project import ProjectService
from pivot_ui.server.actions import ACTIONS, Hands
from pivot_ui.server.streams import STREAMS

SECRET = "the content of a file outside the project"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
VALID: dict[str, Any] = {
    "address": "words.upper",
    "file": "pivot.yaml",
    "left": "workspace",
    "line": 1,
    "path": "words.txt",
    "right": "workspace",
    "targets": ["words.upper"],
}
"""A valid value of each parameter that has to be given: a new one belongs here."""
HOSTILE = (
    "../secret.txt",
    "/etc/passwd",
    "link/secret.txt",
    "words.txt/../../secret.txt",
    ".pivot/../../secret.txt",
    "./../secret.txt",
    "..\\secret.txt",
    "~/x",
    "file:///etc/passwd",
    "\0",
    "\udcff",
    "-1",
    "--help",
    "--output=x",
    "HEAD:../secret.txt",
    "run:../../secret.txt",
    "run:-1",
    "99999999999999999999999999",
    "nan",
    "²",
    "a" * 5000,
    "../" * 100 + "etc/passwd",
    "\u202e\r\nSet-Cookie: x=y",
    "<script>alert(1)</script>",
)


class AskedFor(dict[str, Any]):
    """Parameters that note which are asked for; only those without which nothing works are given."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return VALID.get(name, default)


def parameters_of(ask: Callable[[AskedFor], object]) -> frozenset[str]:
    """The names of all parameters that a question reads."""
    asked = AskedFor()
    try:
        ask(asked)
    except BadQueryError as error:
        raise AssertionError(f"a parameter has no valid value in these tests: {error}") from error
    except PivotError:
        pass
    return frozenset(asked.names)


def every_parameter(served: ServedProject) -> Iterator[tuple[str, str]]:
    """The name of each question or action, with that of each of its parameters."""
    service = ProjectService(served.root, {})
    for name, reader in READERS.items():
        for parameter in parameters_of(lambda asked, read=reader: read(service, Query(asked))):  # type: ignore[misc]
            yield name, parameter
    for name, stream in STREAMS.items():
        for parameter in parameters_of(
            lambda asked, follow=stream: asyncio.run(first_of(follow(service, Query(asked))))  # type: ignore[misc]
        ):
            yield name, parameter
    hands = Hands(service, PageCommand(service, served.hub))
    for name, action in ACTIONS.items():
        for parameter in parameters_of(lambda asked, act=action: act(hands, asked)):  # type: ignore[misc]
            yield name, parameter


async def first_of(events: Any) -> object:
    return await anext(events, None)


def send(served: ServedProject, name: str, values: Mapping[str, Any]) -> tuple[int, bytes]:
    """The answer to a question, or to an action."""
    if name in ACTIONS:
        body = json.dumps(values).encode()
        found = served.ask(f"/api/{name}", "POST", {**BEARER, "Content-Type": "application/json"}, body)
    else:
        query = urllib.parse.urlencode(values, errors="surrogateescape")
        found = served.ask(f"/api/{name}?{query}", headers=BEARER)
    return found.status, found.body


def test_no_value_of_any_parameter_leads_out_of_the_project(root: pathlib.Path) -> None:
    (root.parent / "secret.txt").write_text(SECRET)
    (root / "link").symlink_to(root.parent)
    passwd = pathlib.Path("/etc/passwd").read_text().splitlines()[0]
    with ServedProject(root, allow_run=True) as served:
        served.service.environment = {"PATH": os.environ["PATH"]}  # without an editor
        found = sorted(every_parameter(served))
        assert {("preview", "inside"), ("content", "side"), ("compare", "left"), ("open", "file")} < set(found)
        assert ("repro", "targets") in found
        for name, parameter in found:
            for hostile in HOSTILE:
                value = [hostile] if parameter == "targets" else hostile
                status, body = send(served, name, {**VALID, parameter: value})
                case = (name, parameter, hostile[:40])
                assert status in (200, 400, 404, 409), (case, body)
                assert SECRET.encode() not in body, case
                assert passwd.encode() not in body, case
        assert served.bugs == []
    assert not (root / "loud.txt").exists()
    assert not (root / "x").exists()


WHOLE = "Host: {host}\r\nAuthorization: Bearer {token}\r\n"
JSON = "Content-Type: application/json\r\n"
MANY = "X: x\r\n" * 30_000
MALFORMED = {
    "no host": "GET /api/status HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n",
    "two hosts": f"GET /api/status HTTP/1.1\r\n{WHOLE}Host: {{host}}\r\n\r\n",
    "another host first": f"GET /api/status HTTP/1.1\r\nHost: example.com\r\n{WHOLE}\r\n",
    "a list of hosts": "GET /api/status HTTP/1.1\r\nHost: {host}, example.com\r\nAuthorization: Bearer {token}\r\n\r\n",
    "a user in the host": "GET /api/status HTTP/1.1\r\nHost: x@{host}\r\nAuthorization: Bearer {token}\r\n\r\n",
    "a host with a dot": "GET /api/status HTTP/1.1\r\nHost: localhost.:{port}\r\nAuthorization: Bearer {token}\r\n\r\n",
    "an old version": "GET /api/status\r\n\r\n",
    "no host is needed in 1.0": "GET /api/status HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n",
    "HTTP 2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "an absolute address": f"GET http://example.com/api/status HTTP/1.1\r\n{WHOLE}\r\n",
    "a proxy": f"CONNECT example.com:443 HTTP/1.1\r\n{WHOLE}\r\n",
    "a star": f"OPTIONS * HTTP/1.1\r\n{WHOLE}\r\n",
    "a trace": f"TRACE /api/status HTTP/1.1\r\n{WHOLE}\r\n",
    "two origins": f"GET /api/status HTTP/1.1\r\n{WHOLE}Origin: http://{{host}}\r\nOrigin: http://example.com\r\n\r\n",
    "a preflight": (
        f"OPTIONS /api/repro HTTP/1.1\r\n{WHOLE}Origin: http://example.com\r\n"
        "Access-Control-Request-Method: POST\r\n\r\n"
    ),
    "a space before a colon": "GET /api/status HTTP/1.1\r\nHost : {host}\r\nAuthorization: Bearer {token}\r\n\r\n",
    "a folded header": "GET /api/status HTTP/1.1\r\nHost: x\r\n {host}\r\nAuthorization: Bearer {token}\r\n\r\n",
    "a null in a header": f"GET /api/status HTTP/1.1\r\n{WHOLE}X: a\0b\r\n\r\n",
    "a null in the path": f"GET /api/\0status HTTP/1.1\r\n{WHOLE}\r\n",
    "a name that is empty": f"GET /api/status HTTP/1.1\r\n{WHOLE}: x\r\n\r\n",
    "a long header": f"GET /api/status HTTP/1.1\r\n{WHOLE}X: {'x' * 200_000}\r\n\r\n",
    "many headers": f"GET /api/status HTTP/1.1\r\n{WHOLE}{MANY}\r\n",
    "a long address": f"GET /api/status?{'x' * 200_000} HTTP/1.1\r\n{WHOLE}\r\n",
    "two lengths": f"POST /api/stop HTTP/1.1\r\n{WHOLE}{JSON}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{{{}}}}",
    "a negative length": f"POST /api/stop HTTP/1.1\r\n{WHOLE}{JSON}Content-Length: -1\r\n\r\n{{{{}}}}",
    "a length with a sign": f"POST /api/stop HTTP/1.1\r\n{WHOLE}{JSON}Content-Length: +2\r\n\r\n{{{{}}}}",
    "a length that is too large": f"POST /api/stop HTTP/1.1\r\n{WHOLE}{JSON}Content-Length: {9**40}\r\n\r\n{{{{}}}}",
    "an unknown encoding": f"POST /api/stop HTTP/1.1\r\n{WHOLE}{JSON}Transfer-Encoding: gzip\r\n\r\n{{{{}}}}",
    "a chunk of no size": f"POST /api/stop HTTP/1.1\r\n{WHOLE}{JSON}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "another method in a header": f"GET /api/stop HTTP/1.1\r\n{WHOLE}X-HTTP-Method-Override: POST\r\n\r\n",
    "an action by GET": f"GET /api/repro?targets= HTTP/1.1\r\n{WHOLE}\r\n",
    "a form": f"POST /api/stop HTTP/1.1\r\n{WHOLE}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{{{}}}}",
    "a type that begins alike": (
        f"POST /api/stop HTTP/1.1\r\n{WHOLE}Content-Type: application/jsonp\r\nContent-Length: 2\r\n\r\n{{{{}}}}"
    ),
    "two types": (
        f"POST /api/stop HTTP/1.1\r\n{WHOLE}Content-Type: text/plain, application/json\r\n"
        "Content-Length: 2\r\n\r\n{{}}"
    ),
    "forwarded headers": (
        "GET /api/status HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-Host: {host}\r\nForwarded: host={host}\r\n"
        "Authorization: Bearer {token}\r\n\r\n"
    ),
    "the token elsewhere": "GET /api/status?token={token} HTTP/1.1\r\nHost: {host}\r\nX-Token: {token}\r\n\r\n",
    "the token of another scheme": "GET /api/status HTTP/1.1\r\nHost: {host}\r\nAuthorization: Token {token}\r\n\r\n",
    "a token with another behind it": (
        "GET /api/status HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}, Bearer {token}\r\n\r\n"
    ),
    "a line in the link": "GET /?token={token}%0d%0aSet-Cookie:%20x=y HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "a smuggled question": (
        "POST /api/stop HTTP/1.1\r\nHost: {host}\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\nGET /api/status HTTP/1.1\r\nHost: {host}\r\n\r\n"
    ),
    "a question behind another": (
        "GET /api/status HTTP/1.1\r\nHost: {host}\r\n\r\nGET /api/status HTTP/1.1\r\nHost: {host}\r\n\r\n"
    ),
}
"""Each has the token where that makes it worse; ``{host}`` and the like are filled in."""


def raw_answers(served: ServedProject, request: str) -> bytes:
    """All that is answered to some bytes, and to a last question without a token that has the server close."""
    last = f"GET /api/nothing HTTP/1.1\r\nHost: {served.host}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=DEADLINE) as connection:
        with contextlib.suppress(ConnectionError):  # it may be closed before all was sent
            connection.sendall((request + last).encode("latin-1"))
        found = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(1 << 16):
                found += part
        return found


def test_no_raw_bytes_get_an_answer_that_says_anything(root: pathlib.Path) -> None:
    with ServedProject(root, allow_run=True) as served:
        usual = f"GET /api/status HTTP/1.1\r\n{WHOLE}\r\n".format(host=served.host, token=TOKEN)
        assert b"words" in raw_answers(served, usual)
        for name, text in MALFORMED.items():
            found = raw_answers(served, text.format(host=served.host, port=served.port, token=TOKEN))

            lines = [line for line in found.split(b"\r\n") if line.startswith(b"HTTP/")]
            assert all(line.split()[1][:1] == b"4" for line in lines), (name, found)
            assert b"words" not in found, name
            assert b"x=y" not in found.lower(), name
        assert served.api("project")["name"] == "project"
        assert served.bugs == []
    assert not (root / "loud.txt").exists()


def test_a_web_socket_is_not_opened(served: ServedProject) -> None:
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"

    found = raw_answers(
        served, f"GET /api/nothing HTTP/1.1\r\n{WHOLE}{upgrade}\r\n".format(host=served.host, token=TOKEN)
    )

    assert found.split()[1] == b"404"


def test_clients_that_send_or_read_nothing_stop_nobody(served: ServedProject) -> None:
    whole = WHOLE.format(host=served.host, token=TOKEN)
    beginnings = (
        "",
        "GET /api/sta",
        f"GET /api/status HTTP/1.1\r\n{whole}",
        f"POST /api/stop HTTP/1.1\r\n{whole}{JSON}Content-Length: 100\r\n\r\n{{",
        f"GET /api/events HTTP/1.1\r\n{whole}\r\n",
    )
    with contextlib.ExitStack() as opened:
        for _ in range(40):
            for beginning in beginnings:
                client = opened.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=DEADLINE))
                client.sendall(beginning.encode())
        for number in range(100):
            served.hub.publish("status", {"version": number, "text": "x" * 10_000})

        assert served.api("project")["name"] == "project"
        assert len(served.api("status")["stages"]) == 2
        served.hub.close()
    assert served.bugs == []


def test_a_wrong_token_of_any_length_is_refused(served: ServedProject) -> None:
    for length in (*range(1, 2 * len(TOKEN)), 1000, 30_000):
        for token in ((TOKEN * length)[:length], "x" * length, f"{TOKEN[:-1]}%00"[:length]):
            if token == TOKEN:
                continue
            assert served.ask(f"/?token={token}").status == 401
            assert served.ask(f"/?once={token}").status == 401
            for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"pivot_ui_{served.port}={token}"}):
                assert served.ask("/api/project", headers=headers).status == 401
