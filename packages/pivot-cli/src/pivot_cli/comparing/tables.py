"""Formats numbers and other values, and rows of them, as text and as Markdown; pure."""

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from pivot_cli.terminal import formats
from pivot_runtime.comparing.values import MISSING, UNKNOWN, Absent, HiddenValue, is_number

PRECISION: Final = 5
"""The default number of significant digits."""

_MOST_DIGITS: Final = 17
WIDEST: Final = 60
"""The most characters of a value in a cell."""

_MARKDOWN: Final = re.compile(r"[\\`*_{}\[\]()<>#+!|~&$@-]|:(?=[\w+-])")  # a word between colons is an emoji
_NUMBER: Final = re.compile(r"[-+]?[\d.]+(?:e[-+]?\d+)?|-")
_EXACT: Final = 1e15


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Return aligned columns; those whose indexes are in ``right`` are aligned at the right."""
    lines = [[formats.one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        + "\n"
        for line in lines
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Return a table in Markdown; columns whose indexes are in ``right`` are aligned at the right."""
    rule = ["---:" if column in right else "---" for column in range(len(header))]
    lines = [[markdown_cell(cell) for cell in header], rule, *([markdown_cell(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def markdown_cell(text: str) -> str:
    """Escape a text for a table cell in Markdown; numbers stay as they are."""
    if _NUMBER.fullmatch(text):
        return text
    return _MARKDOWN.sub(lambda match: f"\\{match[0]}", formats.escaped(" ".join(text.split())))


def shown(value: Any, precision: int = PRECISION) -> str:
    """Return a value as people read it: ``-`` for a missing one, ``?`` for an unknown one.

    Integers and the integer parts of numbers are shown completely, other numbers with ``precision`` significant digits.
    """
    if isinstance(value, Absent):
        return "?" if value is UNKNOWN else "-"
    if isinstance(value, float):
        return _number(value, precision)
    if isinstance(value, str | HiddenValue):
        return str(value)
    text = json.dumps(_rounded(value, precision), ensure_ascii=False, default=str)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def shown_apart(one: Any, other: Any, precision: int = PRECISION) -> tuple[str, str]:
    """Return two different values, with as many more digits as show the difference."""
    for digits in range(precision, _MOST_DIGITS + 1):
        texts = shown(one, digits), shown(other, digits)
        if texts[0] != texts[1]:
            return texts
    return shown(one, precision), shown(other, precision)


def signed(change: float | None, precision: int = PRECISION) -> str:
    """Return a change with its sign; empty without one."""
    if change is None:
        return ""
    text = shown(change, precision)
    return text if text.startswith("-") else f"+{text}"


def plain(value: Any) -> Any:
    """Return a value for JSON, which has no NaN and no infinities: they become strings, and secrets ``***``."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if value is MISSING or value is UNKNOWN:
        return None
    return value if value is None or isinstance(value, bool | str) or is_number(value) else str(value)


def _number(value: float, precision: int) -> str:
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if 10**precision <= abs(value) < _EXACT:
        return f"{value:.0f}"
    return f"{value:.{precision}g}"


def _rounded(value: Any, precision: int) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{precision}g}") if math.isfinite(value) else _number(value, precision)
    if isinstance(value, list):
        return [_rounded(each, precision) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _rounded(each, precision) for key, each in value.items()}
    return value
