"""Answers as JSON, also to questions that end with an error."""

import functools
import json
import math
import traceback
from collections.abc import Callable
from typing import Any, Final

from starlette.responses import Response

from pivot_core.errors import PivotError
from pivot_ui.errors import BadQueryError, NotAllowedError, NothingThereError

__all__ = ["Report", "error_response", "json_response", "json_text"]

_STATUSES: Final = ((BadQueryError, 400), (NothingThereError, 404), (NotAllowedError, 409))

type Report = Callable[[str], object]
"""Called with the traceback of an error that is a bug."""


def json_response(plain: Any, status: int = 200) -> Response:
    """Return an answer of plain data."""
    return Response(json_text(plain), status_code=status, media_type="application/json")


def error_response(error: Exception, report: Report) -> Response:
    """Return the answer to a question that ended with an error."""
    if isinstance(error, PivotError):
        status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 400)
        return json_response({"error": str(error), "hint": error.hint}, status)
    report("".join(traceback.format_exception(error)))
    text = f"this is a bug in Pivot: {type(error).__name__}: {error}"
    return json_response({"error": text, "hint": "the terminal shows the traceback: report it"}, 500)


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
