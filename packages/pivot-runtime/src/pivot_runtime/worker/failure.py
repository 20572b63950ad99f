"""The report of an error in a stage: one line, its traceback, a hint. The error's own methods may fail."""

import os
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

import pivot_core
import pivot_runtime
from pivot_core.errors import PivotError
from pivot_core.spec import StageError

_OWN: Final = tuple(os.path.join(place, "") for package in (pivot_runtime, pivot_core) for place in package.__path__)
_NO_INPUT = ("", "EOF when reading a line")
"""The messages of `getpass` and `input`."""
_INPUT_HINT = "a stage cannot ask questions without the terminal: pivot run --in-process STAGE"
_MOST_FRAMES = 1000
_MOST_AT_END = 1 << 17
_DEBUG_HINT = "a debugger has no terminal there: pivot run --in-process STAGE"


def describe_failure(error: BaseException) -> dict[str, Any]:
    """The report of an error in a stage, as JSON-able data: one line, its traceback, a hint."""
    try:
        return _failure(error)
    except BaseException:  # noqa: BLE001  # the methods of a user's exception may raise anything
        summary = _text(lambda: one_line(error)) or type(error).__name__
        return {"summary": summary, "detail": _format_lines(user_traceback(error)), "hint": None}


def _failure(error: BaseException) -> dict[str, Any]:
    if isinstance(error, StageError):
        return {"summary": error.problem, "detail": "", "hint": error.hint}
    if isinstance(error, PivotError):
        return {"summary": f"{error}{_notes(error, f'hint: {error.hint}')}", "detail": "", "hint": error.hint}
    if isinstance(error, SystemExit):
        return {
            "summary": f"it called sys.exit({_shortened(repr(error.code))})",
            "detail": format_user_traceback(error),
            "hint": None,
        }
    hint = _DEBUG_HINT if type(error).__name__ == "BdbQuit" else None
    if isinstance(error, EOFError) and str(error) in _NO_INPUT:
        hint = _INPUT_HINT
    return {"summary": one_line(error), "detail": format_user_traceback(error), "hint": hint}


def one_line(error: BaseException) -> str:
    """The error's type, the last line of its message, and its notes."""
    lines = [line for line in _text(error.__str__).splitlines() if line.strip()]
    message = f": {_shortened(lines[-1].strip())}" if lines else ""
    return f"{type(error).__name__}{message}{_notes(error)}"


def _notes(error: BaseException, known: str = "") -> str:
    """The notes of an error on one line, without one that is shown elsewhere."""
    notes = getattr(error, "__notes__", ())
    texts = (" ".join(_text(note.__str__).split()) for note in (notes if isinstance(notes, list) else ()))
    return "".join(f" ({_shortened(text)})" for text in texts if text and text != known)


def _text(method: Callable[[], str]) -> str:
    """The text that a method of a user's object returns; empty if it fails."""
    try:
        return method()
    except BaseException:  # noqa: BLE001  # the error that is reported is another one
        return ""


def _shortened(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def format_user_traceback(error: BaseException) -> str:
    """The traceback without the frames of Pivot that called the stage; the middle of a very long one is left out."""
    lines = traceback.format_exception(type(error), error, user_traceback(error), limit=-_MOST_FRAMES)
    text = "".join(lines)
    left_out = len(text) - 2 * _MOST_AT_END
    if left_out <= 0:
        return text
    return f"{text[:_MOST_AT_END]}\n… {left_out} characters are left out here …\n{text[-_MOST_AT_END:]}"


def _format_lines(entry: TracebackType | None) -> str:
    """The traceback of an error that cannot be formatted, without source lines and message."""
    lines: list[str] = []
    while entry is not None and len(lines) < _MOST_FRAMES:
        code = entry.tb_frame.f_code
        lines.append(f'  File "{code.co_filename}", line {entry.tb_lineno}, in {code.co_name}\n')
        entry = entry.tb_next
    return "".join(["Traceback (most recent call last):\n", *lines])


def user_traceback(error: BaseException) -> TracebackType | None:
    """The traceback of an error without the frames of Pivot that called the stage."""
    entry = error.__traceback__
    while entry is not None and entry.tb_frame.f_code.co_filename.startswith(_OWN):
        entry = entry.tb_next
    return entry
