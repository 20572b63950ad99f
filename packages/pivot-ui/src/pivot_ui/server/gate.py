"""Who may ask: only a page of this very server, in a browser that has opened the link with the token."""

import hmac
import json
import urllib.parse
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["POLICY", "Gate"]

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; worker-src 'self'; font-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page; charts set attributes ``style``."""

_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE: Final = ("GET", "HEAD")
_UNKNOWN: Final = "This page needs a link with a secret. Open the link that 'pivot ui' has printed in the terminal.\n"
_ASK_AGAIN: Final = '<!doctype html><title>Pivot</title><meta http-equiv="refresh" content="0; url=/">'
"""Has the browser ask once more, from here: it sends no cookie after a link in a page of another server."""
_LARGEST: Final = 1 << 16
"""The most bytes of a body."""


class Gate:
    """An app around another one, which lets only questions pass that the project's owner asks."""

    def __init__(self, app: ASGIApp, port: int, token: str) -> None:
        """Guard an app that is served on this port of 127.0.0.1."""
        self._app = app
        self._token = token.encode()
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
            return _error(403, "this server answers to 127.0.0.1 only")
        if self._is_foreign(scope, headers):
            return _error(403, "another page may not ask this server")
        bearer = self._is_bearer(headers)
        if scope["path"] == "/" and scope["method"] in _SAFE and b"token=" in scope["query_string"]:
            return self._enter(scope)
        if not (bearer or self._has_cookie(headers)):
            return _without_token(scope, headers)
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
            return _error(403, "only the page itself may do that")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _error(415, "the body must be JSON")
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            length = _LARGEST + 1
        return _error(413, "the request is too large") if length > _LARGEST else None

    def _enter(self, scope: Scope) -> Response:
        """Answer the link with the token: the cookie in its place, so that it is in no address."""
        given = urllib.parse.parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        if len(given) != 1 or not self._is_token(given[0]):
            return _unknown()
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(self._cookie, self._token.decode(), path="/", httponly=True, samesite="strict")
        return answer

    def _has_cookie(self, headers: Headers) -> bool:
        for text in headers.getlist("cookie"):
            for pair in text.split(";"):
                name, _, value = pair.strip().partition("=")
                if name == self._cookie and self._is_token(value):
                    return True
        return False

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


def _opens_page(scope: Scope, headers: Headers) -> bool:
    """Whether a browser follows a link to the page, as from a chat or a notebook: it reads nothing of the answer."""
    return scope["path"] == "/" and scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"


def _without_token(scope: Scope, headers: Headers) -> Response:
    if _is_from_elsewhere(headers) and _opens_page(scope, headers):
        return HTMLResponse(_ASK_AGAIN)
    return _error(401, _UNKNOWN.strip()) if scope["path"].startswith("/api/") else _unknown()


def _unknown() -> Response:
    return PlainTextResponse(_UNKNOWN, status_code=401)


def _error(status: int, text: str) -> Response:
    body = json.dumps({"error": text, "hint": None})
    return Response(body, status_code=status, media_type="application/json")
