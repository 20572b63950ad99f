"""The app: files of the page, answers of `pivot_ui.api`, and errors as JSON."""

import functools
import json
import math
import traceback
from collections.abc import Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from pivot_core.errors import PivotError
from pivot_ui.api.query import MediaAnswer, Query
from pivot_ui.api.routes import READERS, Reader
from pivot_ui.errors import BadQueryError, NotAllowedError, NothingThereError
from pivot_ui.project import ProjectService
from pivot_ui.server.gate import Gate
from pivot_ui.server.page_files import PageFiles
from pivot_ui.server.threads import ThreadTurns

__all__ = ["create_app"]

_STATUSES: Final = ((BadQueryError, 400), (NothingThereError, 404), (NotAllowedError, 409))
_SANDBOX: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""The policy of files of the project: an image that has scripts, as SVG may, runs none."""

type Report = Callable[[str], object]


def create_app(service: ProjectService, port: int, token: str, report: Report = lambda _: None) -> ASGIApp:
    """Return the app of a project.

    Args:
        service: The project.
        port: The port of 127.0.0.1 on which it is served.
        token: The secret of the link.
        report: Called with the traceback of an error that is a bug.
    """
    files, turns = PageFiles(), ThreadTurns()

    async def answer(reader: Reader, request: Request) -> Response:
        return await turns.call(functools.partial(_answer, service, reader, request, report))

    routes = [
        *(Route(f"/api/{name}", functools.partial(answer, reader)) for name, reader in READERS.items()),
        Route("/api/{name:path}", _no_such_question),
        Route("/", files.answer),
        Route("/{name:path}", files.answer),
    ]
    return Gate(Starlette(routes=routes), port, token)


def json_response(plain: Any, status: int = 200) -> Response:
    """Return an answer of plain data."""
    return Response(json_text(plain), status_code=status, media_type="application/json")


def json_text(plain: Any) -> str:
    """Return plain data as JSON that a browser can read: numbers that are not finite become texts."""
    encode = functools.partial(json.dumps, allow_nan=False, separators=(",", ":"), default=str)
    try:
        return encode(plain)
    except ValueError:
        return encode(_finite(plain))


def _finite(plain: Any) -> Any:
    match plain:
        case float() if not math.isfinite(plain):
            return str(plain)
        case dict():
            return {key: _finite(value) for key, value in plain.items()}
        case list() | tuple():
            return [_finite(value) for value in plain]
    return plain


def error_response(error: Exception, report: Report) -> Response:
    """Return the answer to a question that ended with an error."""
    if isinstance(error, PivotError):
        status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 400)
        return json_response({"error": str(error), "hint": error.hint}, status)
    report("".join(traceback.format_exception(error)))
    text = f"this is a bug in Pivot: {type(error).__name__}: {error}"
    return json_response({"error": text, "hint": "the terminal shows the traceback: report it"}, 500)


def _answer(service: ProjectService, reader: Reader, request: Request, report: Report) -> Response:
    try:
        found = reader(service, Query(dict(request.query_params)))
        if isinstance(found, MediaAnswer):
            headers = {"Content-Security-Policy": _SANDBOX, "Content-Disposition": "inline"}
            return Response(found.data, media_type=found.media, headers=headers)
        return json_response(found)
    except Exception as error:  # noqa: BLE001  # each becomes an answer
        return error_response(error, report)


async def _no_such_question(_: Request) -> Response:
    return json_response({"error": "there is no such question", "hint": None}, 404)
