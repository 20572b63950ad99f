"""Series: the rows of a plot's file, and the columns that are drawn; pure."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from pivot_core.errors import suggest
from pivot_core.spec import PlotOptions
from pivot_core.values import Value
from pivot_runtime.errors import ContentError

IMAGES: Final[Mapping[str, str]] = {
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
"""The media type of each kind of image, by the suffix of its name."""
_LINES: Final = (".jsonl", ".ndjson")
_TABLES: Final = {".csv": ",", ".tsv": "\t"}

type Row = Mapping[str, Any]


@attrs.frozen(eq=False, repr=False)
class Axes(Value):
    """The columns that are drawn.

    Attributes:
        kind: ``line``, ``scatter``, ``bar`` or ``confusion``.
        x: The column of the horizontal axis; ``""`` for the number of the row.
        y: The columns of the vertical axis.
        group: The column whose values are drawn in different colours; ``""`` for none.
    """

    kind: str
    x: str
    y: tuple[str, ...]
    group: str = ""


def suffix(name: str) -> str:
    """The suffix of a name, in lower case."""
    at = name.rfind(".", name.rfind("/") + 1)
    return name[at:].lower() if at >= 0 else ""


def may_be_drawn(name: str) -> bool:
    """Whether a file is a series or an image, by the suffix of its name."""
    return suffix(name) in _known()


def parse_rows(data: bytes, name: str) -> tuple[Row, ...]:
    """The rows in CSV, TSV, JSON or JSONL, by the suffix of the name.

    JSON has a list of objects, an object of lists of equal length, or an object with one list of objects.

    Raises:
        ContentError: The file contains no rows.
    """
    kind = suffix(name)
    if kind not in (*_TABLES, *_LINES, ".json"):
        raise ContentError(f"{name} cannot be drawn", hint=f"a plot is one of {', '.join(sorted(_known()))}")
    try:
        text = data.decode("utf-8-sig")
        if kind in _TABLES:
            return tuple(_table(text, _TABLES[kind]))
        if kind in _LINES:
            return _objects([json.loads(line) for line in text.splitlines() if line.strip()], name)
        return _objects(_listed(json.loads(text)), name)
    except UnicodeDecodeError:
        raise ContentError(f"{name} is not UTF-8") from None
    except (csv.Error, ValueError, RecursionError) as error:
        raise ContentError(f"{name} is not {kind[1:].upper()}: {error}") from None


def _known() -> list[str]:
    return [*IMAGES, *_LINES, *_TABLES, ".json"]


def _table(text: str, separator: str) -> Iterator[Row]:
    lines = text.splitlines()
    if lines and separator not in lines[0] and ";" in lines[0]:
        separator = ";"
    for row in csv.DictReader(lines, delimiter=separator, strict=True):
        yield {name or "index": _cell(value) for name, value in row.items() if isinstance(name, str)}


def _cell(text: str | None) -> Any:
    if not text:
        return None
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            pass
    return text


def _listed(value: Any) -> Any:
    """The rows in an object of columns, or in the only list of an object."""
    if not isinstance(value, dict):
        return value
    lists = {key: each for key, each in value.items() if isinstance(each, list)}
    if len(lists) == 1 and all(isinstance(row, dict) for row in next(iter(lists.values()))):
        return next(iter(lists.values()))
    if lists and len(lists) == len(value) and len({len(each) for each in lists.values()}) == 1:
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    return value


def _objects(rows: Any, name: str) -> tuple[Row, ...]:
    if isinstance(rows, list) and rows and all(isinstance(row, int | float) for row in rows):
        return tuple({"value": row} for row in rows)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ContentError(f"{name} has no rows", hint="write a list of objects, or an object of lists of equal length")
    return tuple(rows)


def axes(options: PlotOptions, rows: Sequence[Row], name: str) -> Axes:
    """The columns that are drawn, from the options or by the values.

    Raises:
        ContentError: There is no such column, or none that can be drawn.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    for wanted in filter(None, (options.x, *options.y, options.group)):
        if wanted not in columns:
            known = f"its columns are {', '.join(map(repr, columns[:20]))}" if columns else "it has no rows"
            raise ContentError(f"{name} has no column {wanted!r}", hint=suggest(wanted, columns) or known)
    kind = options.kind or "line"
    if kind == "confusion":
        return _confusion(options, columns, name)
    free = [column for column in columns if column not in (options.x, options.group)]
    numbers = [column for column in free if _is_numeric(row.get(column) for row in rows)]
    if kind == "scatter":
        x = options.x or next((column for column in numbers if column not in options.y), "")
        y = options.y or tuple(column for column in numbers if column != x)[:1]
    else:
        texts = [column for column in free if column not in numbers and column not in options.y]
        x = options.x or (texts[0] if texts and kind == "bar" else "")
        y = options.y or tuple(numbers)
    if not y and rows:
        raise ContentError(f"{name} has no column of numbers", hint="name the columns: 'x' and 'y' of the plot")
    return Axes(kind, x, y, options.group)


def _confusion(options: PlotOptions, columns: Sequence[str], name: str) -> Axes:
    """Columns named as predicted and actual values, else the first two."""
    x = options.x or next((column for column in columns if column.lower() in ("predicted", "prediction", "pred")), "")
    y = options.y[0] if options.y else next((column for column in columns if column.lower() in ("actual", "true")), "")
    rest = [column for column in columns if column not in (x, y)]
    if not y and rest:
        y = rest.pop(0)
    if not x and rest:
        x = rest.pop(0)
    if columns and not (x and y):
        raise ContentError(f"{name} has one column: a confusion matrix needs the predicted and the actual class")
    return Axes("confusion", x, (y,), options.group)


def _is_numeric(values: Iterable[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(is_number(value) for value in known)


def is_number(value: Any) -> bool:
    """Whether a value can be drawn on a scale of numbers; NaN and infinity count, though they are not drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def drawn(value: Any) -> Any:
    """A cell as JSON that a chart can draw: a number, a text, or None."""
    if is_number(value):
        return value if isinstance(value, int) or math.isfinite(value) else None
    return None if value is None else value if isinstance(value, str) else json.dumps(value)
