"""The pages of a scheduler in the browser."""

import contextlib
import http.client
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

_ANSWER_SECONDS: Final = 1.0


def dashboard_link(client: Any) -> str:
    """The URL of the dashboard of the scheduler that a client is connected to; empty if it has none.

    Dask names an address also without a dashboard, since a scheduler serves its health in any case.
    """
    link = ""
    with contextlib.suppress(OSError, KeyError, RuntimeError):
        link = client.dashboard_link or ""
    return "" if is_missing(link) else link


def is_missing(link: str) -> bool:
    """Whether nothing is there, for certain: others may reach what this machine does not."""
    parts = urlsplit(link)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        return False  # of a template of the user's
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    try:
        with contextlib.closing(_connection(parts.scheme, parts.hostname, parts.port)) as connection:
            connection.request("HEAD", path)
            return connection.getresponse().status == http.HTTPStatus.NOT_FOUND
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=_ANSWER_SECONDS)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent, nor is the answer used
    return http.client.HTTPSConnection(host, port, timeout=_ANSWER_SECONDS, context=context)
