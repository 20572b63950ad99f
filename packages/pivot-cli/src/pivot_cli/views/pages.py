"""Builds HTML pages from the templates in the package; each page is one self-contained file."""

import importlib.resources
import string
from collections.abc import Mapping


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders of a template with values that are already HTML."""
    text = importlib.resources.files("pivot_cli.views").joinpath("templates", template).read_text("utf-8")
    return string.Template(text).substitute(values)
