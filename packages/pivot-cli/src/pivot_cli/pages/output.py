"""Writes a page where the user wants it, prints its path, and opens it on request."""

import pathlib
from typing import NamedTuple

from pivot_cli.pages.page import GENERATOR
from pivot_cli.terminal import console
from pivot_core.errors import PivotError
from pivot_runtime.project.project import Project

_BEGINNING = 2000


class PageOptions(NamedTuple):
    """Where a page is written.

    Attributes:
        path: The file; None is Pivot's own place, and ``-`` is stdout.
        open: Whether it is opened in the browser.
    """

    path: str | None
    open: bool


class PageNotWrittenError(PivotError):
    """A page cannot be written to its file."""


def deliver(text: str, options: PageOptions | None, project: Project, name: str) -> None:
    """Write a page, print its path and open it, or print the page itself for ``-o -``.

    Raises:
        PageNotWrittenError: The file cannot be written, or is no page of Pivot.
    """
    options = options or PageOptions(None, open=False)
    if options.path == "-":
        console.data(text)
        return
    file = project.layout.page_file(name) if options.path is None else project.cwd / options.path
    shown = str(file) if options.path is None else options.path
    _write(file, text, shown)
    console.line(shown)
    if options.open:
        import webbrowser  # lazy

        if not webbrowser.open(file.as_uri()):
            console.note(f"no browser was found to open {file.as_uri()}")


def _write(file: pathlib.Path, text: str, shown: str) -> None:
    try:
        if file.exists() and not _is_page(file):
            raise PageNotWrittenError(f"{shown} is not a page of Pivot", hint="give -o a new name, or remove the file")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        problem = f"{shown} cannot be written: {error.strerror or error}"
        raise PageNotWrittenError(problem, hint="give -o another file") from None


def _is_page(file: pathlib.Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        beginning = opened.read(_BEGINNING)
    return not beginning or GENERATOR.encode() in beginning
