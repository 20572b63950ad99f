"""Builds HTML pages from the templates in the package; each page is one self-contained file."""

import html
import importlib.resources
import string
from collections.abc import Mapping

from pivot_cli.terminal import formats


def escape(text: str) -> str:
    """Escape a text for HTML, on one line."""
    return html.escape(formats.one_line(text))


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders of a template with values that are already HTML."""
    text = importlib.resources.files("pivot_cli.views").joinpath("templates", template).read_text("utf-8")
    return string.Template(text).substitute(values)
