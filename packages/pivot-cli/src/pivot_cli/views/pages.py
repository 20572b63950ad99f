"""HTML pages from the templates in the package: each page is one file that needs nothing else."""

import importlib.resources
import string
from collections.abc import Mapping


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with a value, which is HTML already, for each of its placeholders."""
    text = importlib.resources.files("pivot_cli.views").joinpath("templates", template).read_text("utf-8")
    return string.Template(text).substitute(values)
