"""Pages of tables that are texts, CSV and JSON lines: read from the beginning, one row after the other.

A page costs as much as all rows before it, and memory for one page only. Types are those of the values on the page.
"""

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final

from pivot_runtime.comparing import row_files
from pivot_runtime.errors import ContentError
from pivot_runtime.previews.tables import MOST_COLUMNS, TablePreview, Window, cells_of, columns_of, left_out

MOST_BYTES: Final = 1 << 26
"""The bytes of a file up to the end of a page, as far as it is read."""
_MOST_LINE: Final = 1 << 20
"""The bytes of the longest line of JSON."""
_FIRST_LINE: Final = 1 << 16
_BUFFER: Final = 1 << 17


class _BoundedReader(io.RawIOBase):
    """The beginning of a file; reading further fails."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        super().__init__()
        self._stream = stream
        self._left = most

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer.

        Raises:
            ContentError: The bound is exceeded.
        """
        data = self._stream.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise ContentError(f"the page is more than {MOST_BYTES >> 20} MiB from the beginning of the file")
        buffer[: len(data)] = data
        return len(data)


def _bounded(stream: BinaryIO) -> io.BufferedReader:
    return io.BufferedReader(_BoundedReader(stream, MOST_BYTES), _BUFFER)


def read_separated(stream: BinaryIO, suffix: str, window: Window) -> TablePreview:
    """A page of CSV or TSV; a row with fewer cells than there are columns has nothing in the last ones.

    Raises:
        ContentError: It is no such table, or the page is too far from the beginning.
    """
    separator = _separator(stream.readline(_FIRST_LINE), suffix)
    stream.seek(0)
    text = io.TextIOWrapper(_bounded(stream), "utf-8-sig", newline="")
    try:
        reader = csv.reader(text, delimiter=separator, strict=True)
        names = row_files.unique_names(next(reader, []))
        return _page(names, reader, window)
    except UnicodeDecodeError:
        raise ContentError("it is not UTF-8") from None
    except csv.Error as error:
        raise ContentError(f"it is not CSV: {error}") from None


def read_lines(stream: BinaryIO, window: Window) -> TablePreview:
    """A page of JSON lines: objects, or values without a column.

    Raises:
        ContentError: A line is no JSON or too long, or the page is too far from the beginning.
    """
    lines = _lines(_bounded(stream))
    skipped = sum(1 for _ in itertools.islice(lines, window.offset))
    found = [_object(line, number) for number, line in itertools.islice(lines, window.limit + 1)]
    shown = found[: window.limit]
    names = list(dict.fromkeys(name for row in shown for name in row))
    values = [[row.get(name) for name in names[:MOST_COLUMNS]] for row in shown]
    return _table(names, values, window, skipped + len(found), "json")


def _separator(line: bytes, suffix: str) -> str:
    separator = row_files.SEPARATORS[suffix]
    return ";" if separator.encode() not in line and b";" in line else separator


def _page(names: Sequence[str], reader: Iterable[list[str]], window: Window) -> TablePreview:
    rows = filter(None, reader)
    skipped = sum(1 for _ in itertools.islice(rows, window.offset))
    found = list(itertools.islice(rows, window.limit + 1))
    shown = found[: window.limit]
    values = [_values(cells, len(names)) for cells in shown]
    odd = next((window.offset + at + 1 for at, cells in enumerate(shown) if len(cells) != len(names)), None)
    notes = () if odd is None else (f"row {odd} has more or fewer cells than there are columns",)
    return _table(names, values, window, skipped + len(found), "csv", notes)


def _values(cells: list[str], length: int) -> list[Any]:
    """The values of a row, one for each column that is shown."""
    return list(map(row_files.cell_value, (cells + [""] * (length - len(cells)))[: min(length, MOST_COLUMNS)]))


def _table(
    names: Sequence[str],
    values: Sequence[Sequence[Any]],
    window: Window,
    read: int,
    reader: str,
    notes: tuple[str, ...] = (),
) -> TablePreview:
    """The page with these values, after so many rows have been read: one more than the page has, if there are more."""
    more = read > window.end
    shown = names[:MOST_COLUMNS]
    return TablePreview(
        columns_of(shown, [_type(row[at] for row in values) for at in range(len(shown))]),
        tuple(map(cells_of, values)),
        window.offset,
        more,
        None if more else read,
        reader,
        (*left_out(len(names)), *notes),
    )


def _type(values: Iterable[Any]) -> str:
    """The common type of the values in a column, in the words of JSON."""
    found = {_TYPES.get(type(value), "mixed") for value in values if value is not None}
    if found == {"integer", "number"}:
        return "number"
    return "mixed" if len(found) > 1 else next(iter(found), "empty")


_TYPES: Final[Mapping[type, str]] = {
    int: "integer",
    float: "number",
    str: "text",
    bool: "boolean",
    list: "list",
    dict: "object",
}


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers."""
    number = 0
    while line := stream.readline(_MOST_LINE + 1):
        number += 1
        if len(line) > _MOST_LINE:
            raise ContentError(f"line {number} is longer than {_MOST_LINE >> 20} MiB")
        if line.strip():
            yield number, line


def _object(line: bytes, number: int) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ContentError(f"line {number} is not JSON: {error}") from None
    return row if isinstance(row, dict) else {"": row}
