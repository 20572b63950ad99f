"""The files of the page: those that are built from its source, and the libraries that draw charts."""

import hashlib
import importlib.resources
import mimetypes
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

__all__ = ["PageFiles", "page_files"]

_INDEX: Final = "index.html"
_MEDIA: Final = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


def page_files() -> Mapping[str, Traversable]:
    """Return all files of the page by their paths in it."""
    found = dict(_below(importlib.resources.files("pivot_ui").joinpath("static"), ""))
    vendor = importlib.resources.files("pivot_cli.pages").joinpath("vendor")
    return found | {f"vendor/{each.name}": each for each in vendor.iterdir() if each.name.endswith(".min.js")}


class PageFiles:
    """Answers with the files of the page, and with no others: there is no path that leads elsewhere."""

    def __init__(self) -> None:
        """Find the files."""
        self._files = page_files()

    async def answer(self, request: Request) -> Response:
        """Return the file of a path; the path of the page itself is empty."""
        name = request.path_params.get("name") or _INDEX
        file = self._files.get(name)
        if file is None:
            return PlainTextResponse("There is no such file.\n", status_code=404)
        data = file.read_bytes()
        tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=_media(name), headers=headers)


def _below(place: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    if place.is_dir():
        for each in place.iterdir():
            if each.is_file():
                yield f"{prefix}{each.name}", each
            else:
                yield from _below(each, f"{prefix}{each.name}/")


def _media(name: str) -> str:
    suffix = name[name.rfind(".") :]
    return _MEDIA.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
