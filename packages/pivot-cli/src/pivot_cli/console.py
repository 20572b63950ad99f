"""What goes to the terminal beside a command's data: errors, hints, progress; all on stderr."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

import click

_MARKS: Final = {"error": "red", "hint": "cyan", "warning": "yellow", "note": "blue"}


_guard = threading.RLock()
_diverted: Callable[[str], None] | None = None


def text(message: str) -> None:
    """A text as it is, on stderr. If nobody can read it, work goes on all the same."""
    with contextlib.suppress(OSError), _guard:
        if _diverted is not None:
            _diverted(message)
        else:
            click.echo(message, err=True, nl=not message.endswith("\n"))


@contextlib.contextmanager
def diverted(say: Callable[[str], None]) -> Iterator[None]:
    """While the block lasts, ``say`` gets what would be printed; it may be another thread that prints."""
    global _diverted  # noqa: PLW0603  # there is one terminal
    with _guard:
        _diverted = say
    try:
        yield
    finally:
        with _guard:
            _diverted = None


def error(message: str) -> None:
    """What went wrong."""
    _marked("error", message)


def hint(message: str) -> None:
    """The way out."""
    _marked("hint", message)


def warning(message: str) -> None:
    """What should be looked at."""
    _marked("warning", message)


def note(message: str) -> None:
    """What is good to know."""
    _marked("note", message)


def _marked(mark: str, message: str) -> None:
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    text(f"{click.style(f'{mark}:', fg=_MARKS[mark], bold=True)} {message}")
