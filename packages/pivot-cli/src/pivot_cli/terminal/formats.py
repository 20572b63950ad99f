"""Formats of texts for people: durations, sizes, counts, long lists, and names without control characters; pure."""

import os
import re
from collections.abc import Iterable, Sequence
from typing import Final

FIRST: Final = 10
"""The number of printed lines of a kind."""

_COLOUR: Final = r"\x1b\[[0-9;:]*m"
_SEQUENCE: Final = (
    rf"(?!{_COLOUR})\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?"
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
)
_RESET: Final = "\x1b[0m"


# The colours of `console.coloured`, only around a word or two at the beginning of a line.
_OURS: Final = re.compile(r"(?m)^\x1b\[[39][0-7]m(?:\x1b\[1m)?[\w :]{1,16}\x1b\[0m")


def seconds(duration: float) -> str:
    """Format a duration: ``4ms``, ``0.12s``, ``3.4s``, ``2m05s``, ``1h02m``."""
    if duration < 0.1:  # noqa: PLR2004
        return f"{duration * 1000:.0f}ms"
    if duration < 1:
        return f"{duration:.2f}s"
    if duration < 60:  # noqa: PLR2004
        return f"{duration:.1f}s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def whole_seconds(duration: float) -> str:
    """Format an approximate duration: ``60 s``, ``2m00s``, …."""
    return f"{duration:.0f} s" if duration < 120 else seconds(duration)  # noqa: PLR2004


def size(number: int) -> str:
    """Format a size: ``12 B``, ``3.4 kB``, ``120 MB``."""
    amount, unit = float(number), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 999.5:  # noqa: PLR2004
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.1f} {unit}" if unit != "B" and amount < 9.95 else f"{amount:.0f} {unit}"  # noqa: PLR2004


def counted(number: int, noun: str) -> str:
    """Format a count: ``1 stage``, ``2 stages``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def bar(done: float, of: float, width: int = 20) -> str:
    """Draw a progress bar: ``━━━━━─────``."""
    filled = round(width * min(done, of) / of) if of else 0
    return "━" * filled + "─" * (width - filled)


def transfer_line(doing: str, objects: tuple[int, int], moved: tuple[int, int], duration: float) -> str:
    """Format the progress of a transfer: ``fetching ━━━──── 3 of 12 objects, 1.2 MB of 40 MB, 600 kB/s, 1m05s left``.

    Args:
        doing: The operation on the objects.
        objects: The number of completed objects, and of all.
        moved: The number of transferred bytes, and of all as far as known.
        duration: The elapsed time.
    """
    text = bar(*(moved if moved[1] else objects))
    return f"{doing} {text} {transfer_figures(objects, moved, duration)}"


def transfer_figures(objects: tuple[int, int], moved: tuple[int, int], duration: float) -> str:
    """Format the figures of :func:`transfer_line` alone: ``3 of 12 objects, 1.2 MB of 40 MB, 600 kB/s, 1m05s left``."""
    done, whole = moved
    parts = [f"{objects[0]} of {counted(objects[1], 'object')}"]
    if done and duration:
        rate = done / duration
        left = max(0, whole - done) / rate
        parts += [f"{size(done)} of {size(whole)}", f"{size(round(rate))}/s", f"{seconds(left)} left"]
    return ", ".join(parts)


def describe_stall(address: str, duration: float) -> str:
    """Describe a silent server: ``waiting for http://127.0.0.1:9000 (no answer for 10 s)``."""
    return f"waiting for {address} (no answer for {whole_seconds(duration) if duration >= 1 else seconds(duration)})"


def first_ten(lines: Sequence[str], rest: str = "") -> list[str]:
    """Return the first ten lines and, if there are more, ``and 4 more`` followed by ``rest``."""
    more = [f"and {len(lines) - FIRST} more{rest}"] if len(lines) > FIRST else []
    return [*lines[:FIRST], *more]


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


def one_per_line(texts: Iterable[str]) -> str:
    """Put each text on exactly one line."""
    return "".join(f"{one_line(text)}\n" for text in texts)


def _replace_controls(text: str) -> str:
    if text.replace("\n", "").isprintable():
        return text
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
