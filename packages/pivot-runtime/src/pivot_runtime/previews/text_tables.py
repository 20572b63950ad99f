"""Pages of tables that are texts, CSV and JSON lines: read from the beginning, one row after the other.

A page costs as much as all rows before it, and memory for one page only. Types are those of the values on the page.
"""

import csv
import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final

import attrs

from pivot_runtime.comparing import row_files
from pivot_runtime.errors import ContentError
from pivot_runtime.previews import sniff
from pivot_runtime.previews.tables import MOST_COLUMNS, TablePreview, Window, cells_of, columns_of, left_out

MOST_BYTES: Final = 1 << 26
"""The bytes of a file up to the end of a page, as far as it is read."""
_MOST_LINE: Final = 1 << 20
"""The bytes of the longest line of JSON."""
_MOST_ROW: Final = 1 << 22
"""The letters of the longest row of CSV, which may have several lines."""
_QUOTED: Final = re.compile(r'"(?:[^"]|"")*(?:"|$)')
_MISSING: Final = frozenset({"NA", "N/A", "n/a", "<NA>", "#N/A", "null", "NULL", "None"})
"""Texts that pandas, too, reads as values that are missing."""
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
    head = stream.read(sniff.HEAD)
    stream.seek(0)
    encoding = sniff.encoding_of(head) or "utf-8"
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    separator = _separator(head.decode(codec, "replace").partition("\n")[0], suffix)
    text = io.TextIOWrapper(_bounded(stream), codec, newline="")
    try:
        page = _page(_Rows(text, separator), window)
    except UnicodeError:
        raise ContentError(f"it is not {encoding.upper()}") from None
    except csv.Error as error:
        raise ContentError(f"it is not CSV: {error}") from None
    notes = () if encoding == "utf-8" else (f"its encoding is {encoding.upper()}, not UTF-8",)
    return attrs.evolve(page, notes=(*page.notes, *notes))


class _Rows:
    """The rows of CSV that are not empty, each with the cells that are shown, and the number of all."""

    def __init__(self, text: io.TextIOBase, separator: str) -> None:
        self._text = text
        self._left = _MOST_ROW
        self._reader = csv.reader(self._lines(), delimiter=separator, strict=True)

    def __iter__(self) -> Iterator[tuple[list[str], int]]:
        """Yield each row."""
        for cells in self._reader:
            self._left = _MOST_ROW
            if cells:
                yield cells[:MOST_COLUMNS], len(cells)

    def _lines(self) -> Iterator[str]:
        while line := self._text.readline(self._left + 1):
            self._left -= len(line)
            if self._left < 0:
                raise ContentError(f"a row is longer than {_MOST_ROW >> 20} MiB")
            yield line


def read_lines(stream: BinaryIO, window: Window) -> TablePreview:
    """A page of JSON lines: objects, or values without a column.

    Raises:
        ContentError: A line is no JSON or too long, or the page is too far from the beginning.
    """
    lines = _lines(_bounded(stream))
    skipped = sum(1 for _ in itertools.islice(lines, window.offset))
    found = [_object(line, number) for number, line in itertools.islice(lines, window.limit + 1)]
    return _page_of_objects(found, skipped, window)


def page_of(rows: Sequence[Mapping[str, Any]], window: Window) -> TablePreview:
    """A page of rows that are all known."""
    page = _page_of_objects(rows[window.offset : window.end + 1], min(window.offset, len(rows)), window)
    return attrs.evolve(page, total=len(rows))


def _page_of_objects(found: Sequence[Mapping[str, Any]], skipped: int, window: Window) -> TablePreview:
    shown = found[: window.limit]
    names = list(dict.fromkeys(name for row in shown for name in row))
    values = [[row.get(name) for name in names[:MOST_COLUMNS]] for row in shown]
    return _table(names, values, window, skipped + len(found), "json", left_out(len(names)))


def _separator(line: str, suffix: str) -> str:
    """The separator in the first line: that of the suffix if it is there, else the most frequent one."""
    separator = row_files.SEPARATORS[suffix]
    bare = _QUOTED.sub("", line)
    return separator if separator in bare else max((separator, *_SEPARATORS), key=bare.count)


def _page(rows: Iterable[tuple[list[str], int]], window: Window) -> TablePreview:
    further = iter(rows)
    names, columns = next(further, ([], 0))
    names = row_files.unique_names(names)
    skipped = sum(1 for _ in itertools.islice(further, window.offset))
    found = list(itertools.islice(further, window.limit + 1))
    shown = found[: window.limit]
    values = [_values(cells, len(names)) for cells, _ in shown]
    odd = next((window.offset + at + 1 for at, (_, count) in enumerate(shown) if count != columns), None)
    notes = () if odd is None else (f"row {odd} has more or fewer cells than there are columns",)
    return _table(names, values, window, skipped + len(found), "csv", (*left_out(columns), *notes))


def _values(cells: list[str], length: int) -> list[Any]:
    """The values of a row, one for each column that is shown."""
    return list(map(row_files.cell_value, (cells + [""] * (length - len(cells)))[:length]))


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
        notes,
    )


def _type(values: Iterable[Any]) -> str:
    """The common type of the values in a column, in the words of JSON."""
    known = [value for value in values if value is not None]
    found = {_TYPES.get(type(value), "mixed") for value in known}
    if len(found) > 1:
        found = {_TYPES.get(type(value), "mixed") for value in known if not _is_missing(value)}
    if found == {"integer", "number"}:
        return "number"
    return "mixed" if len(found) > 1 else next(iter(found), "empty")


def _is_missing(value: Any) -> bool:
    return isinstance(value, str) and value in _MISSING


_SEPARATORS: Final = (",", ";", "\t", "|")
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
