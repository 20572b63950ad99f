"""Reads ``http://`` and ``https://`` URLs with the standard library.

Proxies are those of the usual variables; credentials come from the URL itself or from ``~/.netrc``.
"""

import base64
import contextlib
import http.client
import netrc
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from email.message import Message
from typing import IO, Any, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pivot_cache.formats.data_source import UrlState
from pivot_cache.remotes.protocol import (
    RemoteDeniedError,
    RemoteError,
    RemoteNotFoundError,
    RemoteThrottledError,
    RemoteTimeoutError,
    RemoteUnreachableError,
)
from pivot_cache.remotes.url_reader import PartialDownload
from pivot_runtime.errors import UrlError
from pivot_runtime.external import urls

_CHUNK: Final = 1 << 18
_TIMEOUT_S: Final = 30.0
_SAFE: Final = "!#$%&'()*+,/:;=?@[]~"
_NO_HEAD: Final = frozenset({400, 403, 405, 501})
"""The answers of servers that do not allow requests for the headers alone."""
_GONE: Final = frozenset({404, 410})
_REFUSED: Final = frozenset({401, 403, 407})
_BUSY: Final = frozenset({408, 425, 429, 503})
_WHOLE: Final = 200
_PART: Final = 206
_UNSATISFIABLE: Final = 416
_SERVER_ERRORS: Final = 500
_LONGEST: Final = 18
"""The most digits of the length of a content."""


class HttpReader:
    """A `UrlReader` of a URL."""

    def __init__(self, url: str, timeout: float | None = None) -> None:
        """Describe a request, without sending it.

        Raises:
            UrlError: The URL is invalid.
        """
        if any(sign <= " " or sign == "\x7f" for sign in url):
            raise UrlError("the URL contains a space or a control character", hint="write %20 for a space")
        try:
            parts = urlsplit(quote(url, safe=_SAFE))
        except ValueError as error:
            raise UrlError(f"{urls.public(url).url!r} is not a URL: {error}", hint="write https://host/path") from None
        if not parts.hostname:
            raise UrlError(f"{urls.public(url).url!r} has no host", hint="write https://host/path")
        user, at, host = parts.netloc.rpartition("@")
        self.name = urls.public(url).url
        self._url = urlunsplit(parts._replace(netloc=host, fragment=""))
        self._timeout = timeout or _TIMEOUT_S
        self._login = _basic(user) if at else _from_netrc(parts.hostname)

    async def state(self) -> UrlState:
        """Return the server's description, from a request for the headers, or for one byte where that is refused."""
        try:
            with self._answer("HEAD", {}) as answer:
                return _state(answer.headers)
        except RemoteError as error:
            if getattr(error, "status", None) not in _NO_HEAD:
                raise
        with self._answer("GET", {"Range": "bytes=0-0"}) as answer:
            return _state(answer.headers)

    async def download(self, target: PartialDownload) -> None:
        """Write the content, or the rest of it."""
        wanted = _range(target)
        with self._answer("GET", wanted) as answer:
            if answer.status == _UNSATISFIABLE:
                target.begin(UrlState(), 0)
                raise RemoteUnreachableError(self.name, "the content has become shorter meanwhile")
            state = _state(answer.headers)
            start = target.size if answer.status == _PART and wanted else 0
            if start and target.state is not None and state.same(target.state) is False:
                target.begin(state, 0)
                raise RemoteUnreachableError(self.name, "the content has changed meanwhile")
            if start and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                target.begin(state, 0)
                raise RemoteUnreachableError(self.name, "the answer is another part of the content")
            target.begin(state, start)
            with self._as_errors():
                while data := answer.read(_CHUNK):
                    target.write(data)
        if state.size is not None and target.size != state.size:
            raise RemoteUnreachableError(self.name, f"the answer ended after {target.size} of {state.size} bytes")

    @contextlib.contextmanager
    def _answer(self, method: str, headers: Mapping[str, str]) -> Iterator[Any]:
        request = urllib.request.Request(self._url, method=method)  # noqa: S310  # the scheme was checked
        for name, value in {"User-Agent": "pivot", "Accept-Encoding": "identity", **headers}.items():
            request.add_header(name, value)
        if self._login:
            request.add_unredirected_header("Authorization", self._login)
        with contextlib.ExitStack() as stack:
            with self._as_errors():
                try:
                    opener = urllib.request.build_opener(_Redirects)
                    answer: Any = stack.enter_context(opener.open(request, timeout=self._timeout))
                except urllib.error.HTTPError as error:
                    answer = stack.enter_context(error)
                    if error.code != _UNSATISFIABLE or "Range" not in headers:
                        raise self._refusal(error) from None
            yield answer

    @contextlib.contextmanager
    def _as_errors(self) -> Iterator[None]:
        try:
            yield
        except RemoteError:
            raise
        except urllib.error.URLError as error:
            raise self._failure(error.reason if isinstance(error.reason, BaseException) else error) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(error) from None

    def _failure(self, error: BaseException) -> RemoteError:
        if isinstance(error, TimeoutError):
            return RemoteTimeoutError(self.name, f"no answer within {self._timeout:g} s")
        if isinstance(error, ssl.SSLCertVerificationError):
            return RemoteError(
                self.name,
                f"its certificate is not valid: {error.verify_message}",
                hint="check the URL; SSL_CERT_FILE names a file with further authorities",
            )
        said = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        return RemoteUnreachableError(
            self.name, f"cannot be reached: {said}", hint="check the network and the URL, and repeat the command"
        )

    def _refusal(self, error: urllib.error.HTTPError) -> RemoteError:
        said = f"the server answers {error.code} {error.reason}".rstrip()
        kind: type[RemoteError] = RemoteError
        hint = "check the URL"
        if error.code in _GONE:
            kind = RemoteNotFoundError
        elif error.code in _REFUSED:
            kind, hint = RemoteDeniedError, "put the user and the password for this host into ~/.netrc"
        elif error.code in _BUSY:
            kind, hint = RemoteThrottledError, "repeat the command later"
        elif error.code >= _SERVER_ERRORS:
            kind, hint = RemoteUnreachableError, "repeat the command later"
        refusal = kind(self.name, said, hint=hint)
        refusal.status = error.code  # type: ignore[attr-defined]
        return refusal


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to HTTP only, and none from HTTPS to HTTP."""

    def redirect_request(  # the signature of the standard library
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        to, came = urlsplit(newurl).scheme.lower(), urlsplit(req.full_url).scheme.lower()
        if to not in ("http", "https") or (came == "https" and to == "http"):
            raise urllib.error.HTTPError(
                req.full_url, code, f"redirects to {to}://, which is not followed", headers, fp
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _range(target: PartialDownload) -> Mapping[str, str]:
    """The headers that ask for the rest, if the server can say whether it still has the same content."""
    state = target.state
    if state is None:
        return {}
    same = state.etag if state.etag is not None and not state.etag.startswith("W/") else state.modified
    return {"Range": f"bytes={target.size}-", "If-Range": same} if same else {}


def _state(headers: Message) -> UrlState:
    total = headers.get("Content-Range", "").rpartition("/")[2] if "Content-Range" in headers else None
    length = total if total is not None else headers.get("Content-Length", "")
    size = int(length) if length.isdecimal() and len(length) <= _LONGEST else None
    return UrlState(headers.get("ETag"), headers.get("Last-Modified"), size)


def _basic(user: str) -> str:
    name, _, password = user.partition(":")
    pair = f"{unquote(name)}:{unquote(password)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _from_netrc(host: str) -> str:
    try:
        found = netrc.netrc().authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return ""
    return "" if found is None else _basic(f"{quote(found[0])}:{quote(found[2] or '')}")
