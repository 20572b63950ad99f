"""Builds HTML pages from parts in the package; each page is one self-contained file."""

import base64
import hashlib
import html
import importlib.resources
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pivot_cli.terminal import formats

GENERATOR = '<meta name="generator" content="Pivot">'
"""Marks a page, which a later one may replace."""
_HASH = re.compile(r"'sha256-[^']+'")
_MARKUP = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def escape(text: str) -> str:
    """Escape a text for HTML, on one line."""
    return html.escape(formats.one_line(text))


def build(
    title: str,
    body: str,
    data: Mapping[str, Any],
    *,
    parts: Sequence[str],
    libraries: Sequence[str] = (),
    frames: Sequence[str] = (),
) -> str:
    """Return a page.

    The page's policy forbids the browser every request, and every script except those of the package, whatever the data
    contains.

    Args:
        title: The title.
        body: The content, which is already HTML.
        data: The values for the scripts.
        parts: The names of the scripts and styles that draw the page, without the extension.
        libraries: The names of the vendored libraries that the scripts use.
        frames: Pages that the body contains in frames, whose scripts the policy allows too.
    """
    scripts = [_library(name) for name in libraries]
    scripts.append("\n".join(_part(f"{name}.js") for name in ("base", *parts)))
    styles = "\n".join(_part(f"{name}.css") for name in ("base", *parts))
    inner = [digest for text in frames for digest in _HASH.findall(text[: text.index("<title>")])]
    hashes = " ".join(dict.fromkeys([*(f"'sha256-{_digest(script)}'" for script in scripts), *inner]))
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<link rel="icon" href="data:,">',
        GENERATOR,
        f"<title>{escape(title)}</title>",
        f"<style>\n{styles}</style>",
        "</head>",
        "<body>",
        body,
        f'<script type="application/json" id="data">{_json(data)}</script>',
        *(f"<script>{script}</script>" for script in scripts),
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def template(name: str) -> str:
    """Return a part of a page that is HTML."""
    return _part(f"{name}.html")


def _part(name: str) -> str:
    return importlib.resources.files("pivot_cli.pages").joinpath("parts", name).read_text("utf-8")


def _library(name: str) -> str:
    """Return a library after its licence, without the link to a file that is not in the page.

    A control character in a string of the script is escaped as in JSON, as it would be on the way to the terminal.
    """
    place = importlib.resources.files("pivot_cli.pages").joinpath("vendor")
    licence = place.joinpath(f"{name}.LICENSE").read_text("utf-8").replace("*/", "* /")
    source = place.joinpath(f"{name}.min.js").read_text("utf-8")
    return f"/*\n{licence}*/\n" + formats.escaped(re.sub(r"(?m)^//# sourceMappingURL=.*$", "", source))


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _json(data: Mapping[str, Any]) -> str:
    """Return JSON that cannot end the element in which it is."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return re.sub(r"[<>&]", lambda match: _MARKUP[match.group()], text)
