"""Output to the terminal besides a command's data: errors, hints, progress; all on stderr."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, Final

import click
from click._compat import should_strip_ansi

from pivot_cli.error_topics import topic_of
from pivot_cli.terminal import formats
from pivot_core.errors import PivotError

_MARKS: Final = {"error": "red", "hint": "cyan", "warning": "yellow", "note": "blue", "docs": "cyan"}


_guard = threading.RLock()
_redirect_to: Callable[[str], None] | None = None
"""Prints in place of the terminal, which a live view or a status line owns."""
_MOST: Final = 1 << 20
"""The number of characters to capture; longer output is not cached."""


class OutputCapture:
    """The captured output, up to a limit."""

    def __init__(self, most: int = _MOST) -> None:
        """Begin with no output."""
        self._left = most
        self._parts: dict[str, list[str]] = {"out": [], "err": []}

    def add(self, stream: str, line: str) -> None:
        """Add a text printed on stdout (``out``) or stderr (``err``)."""
        self._left -= len(line)
        if self._left >= 0:
            self._parts[stream].append(line)
        else:
            self._parts = {"out": [], "err": []}

    def all(self) -> tuple[str, str] | None:
        """Return the output on stdout and on stderr; None if it was too long."""
        return ("".join(self._parts["out"]), "".join(self._parts["err"])) if self._left >= 0 else None


_captured = OutputCapture()
"""All output of this command, kept for the next time."""


def text(message: str) -> None:
    """Print Pivot's own text on stderr, with control characters in names and values escaped."""
    _put(formats.escaped(message))


def stage_output(message: str) -> None:
    """Print the output or exception of a stage on stderr, with only harmless control codes."""
    _put(formats.strip_control(message))


def _put(message: str) -> None:
    """Print a text on stderr, and capture it."""
    with _guard:
        _capture("err", message if message.endswith("\n") else f"{message}\n", sys.stderr)
        _print(message)


def _print(message: str) -> None:
    """Print a text on stderr; a closed stderr is no error."""
    whole = message if message.endswith("\n") else f"{message}\n"
    with contextlib.suppress(OSError), _guard:
        if _redirect_to is not None:
            _redirect_to(message)
        else:
            click.echo(whole, err=True, nl=False, color=_forced_colours())


@contextlib.contextmanager
def redirected(say: Callable[[str], None]) -> Iterator[None]:
    """Within the block, pass all output to ``say``; other threads may print, too."""
    global _redirect_to  # noqa: PLW0603  # there is one terminal
    with _guard:
        before, _redirect_to = _redirect_to, say
    try:
        yield
    finally:
        with _guard:
            _redirect_to = before


def data(message: str) -> None:
    """Print the result of the command on stdout, with foreign text escaped."""
    message = formats.escaped(message)
    whole = message if message.endswith("\n") or not message else f"{message}\n"
    _capture("out", whole, sys.stdout)
    click.echo(whole, nl=False, color=_forced_colours())


def line(message: str) -> None:
    """Print one line of the result on stdout."""
    data(formats.one_line(message))


def captured() -> tuple[str, str] | None:
    """Return all output so far, on stdout and on stderr; None if it was too long to capture."""
    return _captured.all()


def _capture(stream: str, line: str, to: IO[str]) -> None:
    _captured.add(stream, click.unstyle(line) if should_strip_ansi(to, _forced_colours()) else line)


def error(message: str) -> None:
    """Print an error."""
    _marked("error", message)


def hint(message: str) -> None:
    """Print a hint."""
    _marked("hint", message)


def docs(topic: str | None) -> None:
    """Print the command that opens a page of the documentation, if there is one that helps."""
    if topic is not None:
        _marked("docs", f"pivot docs {topic}")


def failure(failed: PivotError) -> None:
    """Print an error with its hint, the page that helps and, if it has one, the user's own traceback."""
    traceback(failed)
    error(str(failed))
    if failed.hint:
        hint(failed.hint)
    docs(topic_of(failed))


def traceback(failed: Exception) -> None:
    """Print the user's own traceback that an error carries, if any."""
    trace = getattr(failed, "traceback", "")
    if trace:
        stage_output(trace)


def warning(message: str) -> None:
    """Print a warning."""
    _marked("warning", message)


def note(message: str) -> None:
    """Print a note."""
    _marked("note", message)


def passing_note(message: str) -> None:
    """Print a note about this very process, which is no part of the output that may be kept for the next time."""
    _print(formats.escaped(_marked_line("note", message)))


def coloured(message: str, colour: str, *, bold: bool | None = None) -> str:
    """Return a text in a colour, unless the user or the terminal forbids colours or there is no terminal."""
    plain = os.environ.get("NO_COLOR") or (os.environ.get("TERM") == "dumb" and not _forced_colours())
    return message if plain else click.style(message, fg=colour, bold=bold)


def _forced_colours() -> bool | None:
    """Return whether the user wants colours even where there is no terminal; None leaves it to the terminal."""
    return True if os.environ.get("FORCE_COLOR") and not os.environ.get("NO_COLOR") else None


def _marked(mark: str, message: str) -> None:
    text(_marked_line(mark, message))


def _marked_line(mark: str, message: str) -> str:
    """Return a line with its mark, and flush stdout, whose text comes before it."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    return f"{coloured(f'{mark}:', _MARKS[mark], bold=True)} {formats.one_line(message)}"
