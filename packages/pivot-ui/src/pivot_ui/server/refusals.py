"""Answers to those who may not ask: what is wrong, and what to do."""

import html
import json
from typing import Final

from starlette.responses import HTMLResponse, Response

__all__ = ["refusal_json", "refusal_page"]

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Pivot: {title}</title>
<style>
  :root {{ color-scheme: light dark }}
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1rem }}
  h1 {{ font-size: 1.25rem }}
</style>
<h1>{title}</h1>
<p>{hint}</p>
</html>
"""


def refusal_page(status: int, title: str, hint: str) -> Response:
    """Return a page for somebody who looks at it in a browser."""
    return HTMLResponse(_PAGE.format(title=html.escape(title), hint=html.escape(hint)), status_code=status)


def refusal_json(status: int, error: str, hint: str | None = None) -> Response:
    """Return an answer for a program."""
    body = json.dumps({"error": error, "hint": hint})
    return Response(body, status_code=status, media_type="application/json")
