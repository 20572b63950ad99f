"""Escapes control characters in texts of stages, files and servers; pure."""

import os
import re
from collections.abc import Iterable
from typing import Final

_COLOUR: Final = r"\x1b\[[0-9;:]*m"
_SEQUENCE: Final = (
    rf"(?!{_COLOUR})\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?"
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
)
_RESET: Final = "\x1b[0m"


# The colours of `console.coloured`, only around a word or two at the beginning of a line.
_OURS: Final = re.compile(r"(?m)^\x1b\[[39][0-7]m(?:\x1b\[1m)?[\w :]{1,16}\x1b\[0m")


def escaped(text: str) -> str:
    """Escape unprintable characters, except line breaks and the colours of our own labels.

    An ESC becomes four characters, a control of the text direction six.
    """
    if text.replace("\n", "").isprintable():
        return text
    kept = [*_OURS.finditer(text)]
    parts, end = [], 0
    for match in kept:
        parts += [_replace_controls(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join((*parts, _replace_controls(text[end:])))


def one_line(text: str) -> str:
    """Escape a text so that it stays on one line."""
    return text if text.isprintable() else _replace_controls(text).replace("\n", "\\n")


def lines(texts: Iterable[str]) -> str:
    """Put each text on exactly one line."""
    return "".join(f"{one_line(text)}\n" for text in texts)


def _replace_controls(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\n" else _escape(char) for char in text)


def _escape(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte of a name that is not UTF-8
        return f"\\x{os.fsencode(char).hex()}"
    return char.encode("unicode_escape").decode("ascii")


def strip_control(text: str) -> str:
    """Remove control codes that move the cursor, clear the screen and the like; keep colours up to the end."""
    if text.replace("\n", "").isprintable():
        return text
    stripped = re.sub(_SEQUENCE, "", text)
    colours = re.findall(_COLOUR, stripped)
    if not colours or colours[-1] in (_RESET, "\x1b[m"):
        return stripped
    body = stripped.rstrip("\n")
    return f"{body}{_RESET}{stripped[len(body) :]}"
