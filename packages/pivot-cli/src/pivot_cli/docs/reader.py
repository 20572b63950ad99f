"""Displays a page of the documentation: in the browser, else in the pager of the terminal, else as text."""

import os
import pathlib
import re
import sys
from collections.abc import Mapping
from typing import Final

from pivot_cli.docs.topics import Topic, readable
from pivot_cli.terminal import console

_WIDEST: Final = 100
_LOCAL_LINK: Final = re.compile(r"!?\[([^\]]*)\]\((?![a-z]+:)[^)]*\)")
"""A link or an image that a terminal cannot open: it shows the text alone."""


def read(topic: Topic, anchor: str) -> None:
    """Open a page; without a terminal, print its Markdown.

    Raises:
        TopicError: The page has no such section.
    """
    text = readable(topic, anchor)
    if not sys.stdout.isatty():
        console.data(text)
    elif not _open_in_browser(topic, anchor):
        _open_in_pager(text)


def directory(environment: Mapping[str, str]) -> pathlib.Path | None:
    """The place of the HTML pages, in the user's cache; None for a user without a home directory."""
    base = environment.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        home = environment.get("HOME", "")
        if not os.path.isabs(home):
            return None
        base = f"{home}/.cache"
    return pathlib.Path(base, "pivot", "docs")


def _open_in_browser(topic: Topic, anchor: str) -> bool:
    """Write the pages and open one; return whether there is a browser and a place for them."""
    import webbrowser  # lazy

    from pivot_cli.docs.html_pages import all_pages, file_name, redirect  # lazy

    place = directory(os.environ)
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    if place is None:
        return False
    try:
        for path, page in all_pages():
            file = place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(page, "utf-8")
        opened = place / file_name(topic)
        if anchor:
            opened = place / "open.html"
            opened.write_text(redirect(file_name(topic), anchor), "utf-8")
    except OSError as error:
        console.note(f"{place} cannot be written: {error.strerror or error}")
        return False
    console.line(str(opened))
    return webbrowser.open(opened.as_uri())


def _open_in_pager(text: str) -> None:
    import io  # lazy
    import shutil  # lazy

    import click  # lazy
    from rich.console import Console  # lazy
    from rich.markdown import Markdown  # lazy

    width = min(shutil.get_terminal_size().columns, _WIDEST)
    drawn = io.StringIO()
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    shown = Markdown(_LOCAL_LINK.sub(r"\1", text))
    Console(file=drawn, width=width, force_terminal=not plain, no_color=plain).print(shown)
    click.echo_via_pager(drawn.getvalue())
