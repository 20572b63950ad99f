"""Who may ask: only a page of this very server, in a browser that has opened the link with the token."""

import hmac
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pivot_ui.server.one_time_code import OneTimeCode
from pivot_ui.server.refusals import refusal_json, refusal_page

__all__ = ["POLICY", "Entrance", "Gate"]

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; worker-src 'self'; font-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page; scripts set styles one by one, and no text can be a rule."""

_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE: Final = ("GET", "HEAD")
_NO_LINK: Final = "This page needs a link with a secret"
_OLD_LINK: Final = "'pivot ui' was started again, with a new secret"
_PRINTED: Final = "Open the link that 'pivot ui' has printed in the terminal."
_USED: Final = "This link has been used: it opens the page only once"
_LATE: Final = "This link has expired: it opens the page only in the first minute"
_ASK_AGAIN: Final = '<!doctype html><title>Pivot</title><meta http-equiv="refresh" content="0; url=/">'
"""Has the browser ask once more, from here: it sends no cookie after a link in a page of another server."""
_LARGEST: Final = 1 << 16
"""The most bytes of a body."""


class Entrance(NamedTuple):
    """Where a page is served, and what opens it.

    Attributes:
        port: The port of 127.0.0.1.
        token: The secret of the printed link.
        code: The code of the link that a browser gets on its command line.
    """

    port: int
    token: str
    code: OneTimeCode


class Gate:
    """An app around another one, which lets only questions pass that the project's owner asks."""

    def __init__(self, app: ASGIApp, entrance: Entrance) -> None:
        """Guard an app."""
        self._app = app
        self._port = port = entrance.port
        self._token = entrance.token.encode()
        self._code = entrance.code
        self._cookie = f"pivot_ui_{port}"
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self._origins = frozenset(f"http://{host}" for host in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the inner app answer; all answers get the headers."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        await self._app(scope, _bounded(receive), send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a question that may not pass."""
        headers = Headers(scope=scope)
        if headers.getlist("host") not in ([host] for host in self._hosts):
            return self._refusal_of_host(scope)
        if self._is_foreign(scope, headers):
            return refusal_json(403, "another page may not ask this server")
        bearer = self._is_bearer(headers)
        entering = self._answer_to_link(scope, headers)
        if entering is not None:
            return entering
        if not (bearer or self._has_cookie(headers)):
            return self._refusal_without_token(scope, headers)
        if scope["method"] not in _SAFE:
            return self._refusal_to_act(headers, bearer=bearer)
        return None

    def _is_foreign(self, scope: Scope, headers: Headers) -> bool:
        """Return whether a page of another server asks, except by a link to the page itself."""
        origins = headers.getlist("origin")
        if origins and (len(origins) > 1 or origins[0] not in self._origins):
            return True
        return _is_from_elsewhere(headers) and not _opens_page(scope, headers)

    def _refusal_to_act(self, headers: Headers, *, bearer: bool) -> Response | None:
        own = headers.get("origin") is not None or headers.get("sec-fetch-site") == "same-origin"
        if not (own or bearer):
            return refusal_json(403, "only the page itself may do that")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return refusal_json(415, "the body must be JSON")
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            length = _LARGEST + 1
        return refusal_json(413, "the request is too large") if length > _LARGEST else None

    def _answer_to_link(self, scope: Scope, headers: Headers) -> Response | None:
        if scope["path"] != "/" or scope["method"] not in _SAFE:
            return None
        if b"token=" in scope["query_string"]:
            return self._enter(scope)
        if b"once=" in scope["query_string"] and scope["method"] == "GET":
            return self._enter_once(scope, headers)
        return None

    def _enter(self, scope: Scope) -> Response:
        """Answer the link with the token: the cookie in its place, so that it is in no address."""
        given = _parameter(scope, "token")
        if given is None or not self._is_token(given):
            return refusal_page(401, _NO_LINK, _PRINTED)
        return self._entrance()

    def _enter_once(self, scope: Scope, headers: Headers) -> Response:
        """Answer the link that a browser gets on its command line, with a code that works once."""
        given = _parameter(scope, "once")
        state = "wrong" if given is None else self._code.redeem(given)
        if state == "fits":
            return self._entrance()
        if self._has_cookie(headers):  # the same browser asks again
            return RedirectResponse("/", status_code=303)
        if state == "used":
            self._code.report_second_use()
        return refusal_page(401, {"used": _USED, "late": _LATE}.get(state, _NO_LINK), _PRINTED)

    def _entrance(self) -> Response:
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(self._cookie, self._token.decode(), path="/", httponly=True, samesite="strict")
        return answer

    def _refusal_of_host(self, scope: Scope) -> Response:
        """Say which addresses are answered: a forwarded port, for instance, must have the same number."""
        title = f"This server answers at http://127.0.0.1:{self._port} and http://localhost:{self._port} only"
        hint = f"From another machine, forward the same port, as by: ssh -L {self._port}:localhost:{self._port} HOST"
        return (refusal_json if _is_question(scope) else refusal_page)(421, title, hint)

    def _refusal_without_token(self, scope: Scope, headers: Headers) -> Response:
        if _is_from_elsewhere(headers) and _opens_page(scope, headers):
            return HTMLResponse(_ASK_AGAIN)
        refusal = refusal_json if _is_question(scope) else refusal_page
        return refusal(401, _OLD_LINK if self._cookies(headers) else _NO_LINK, _PRINTED)

    def _has_cookie(self, headers: Headers) -> bool:
        return any(self._is_token(each) for each in self._cookies(headers))

    def _cookies(self, headers: Headers) -> Sequence[str]:
        pairs = (pair.strip().partition("=") for text in headers.getlist("cookie") for pair in text.split(";"))
        return [value for name, _, value in pairs if name == self._cookie]

    def _is_bearer(self, headers: Headers) -> bool:
        kind, _, value = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self._is_token(value.strip())

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token)


def _bounded(receive: Receive) -> Receive:
    """Receive a body of a bounded size, whatever its header says."""
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > _LARGEST:
            raise HTTPException(413, "the request is too large")
        return message

    return receive_bounded


def _is_from_elsewhere(headers: Headers) -> bool:
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def _is_question(scope: Scope) -> bool:
    """Whether a program asks, rather than somebody who looks at the answer."""
    return bool(scope["path"].startswith("/api/"))


def _opens_page(scope: Scope, headers: Headers) -> bool:
    """Whether a browser follows a link to the page, as from a chat or a notebook: it reads nothing of the answer."""
    return scope["path"] == "/" and scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"


def _parameter(scope: Scope, name: str) -> str | None:
    """The value of a parameter that is given once."""
    given = urllib.parse.parse_qs(scope["query_string"].decode("latin-1")).get(name, [])
    return given[0] if len(given) == 1 else None
