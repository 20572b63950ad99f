"""Rows of files: CSV, JSON lines, JSON and parquet, each read piece by piece where its format allows it."""

import csv
import importlib
import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any, Final

from pivot_runtime.comparing.row_diff import Row, Rows
from pivot_runtime.errors import ContentError, MissingLibraryError

_INTEGER: Final = re.compile(r"[-+]?\d{1,400}", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:inf|nan)", re.ASCII | re.IGNORECASE)
_BOOLEANS: Final = {"true": True, "false": False}
LINES: Final = (".jsonl", ".ndjson")
"""The suffixes of files with one JSON value in each line."""
SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
"""The separator of cells, by the suffix of the file."""
PARQUET: Final = (".parquet", ".pq")
"""The suffixes of parquet files."""


def is_table(suffix: str) -> bool:
    """Whether files with this suffix are tables."""
    return suffix in (*SEPARATORS, *LINES, *PARQUET)


def rows_of(file: pathlib.Path, suffix: str) -> Rows:
    """The rows of a table by its suffix; reading raises a `ContentError` where the file is no such table.

    Raises:
        MissingLibraryError: The format needs a library that is not installed.
    """
    if suffix in PARQUET:
        return _parquet(file)
    if suffix in LINES:
        return lambda: _json_lines(file)
    return lambda: _separated(file, SEPARATORS[suffix])


def rows_in(value: list[Any]) -> Rows:
    """The rows in a JSON array: objects, or values without a column."""
    return lambda: (
        {str(key): each for key, each in row.items()} if isinstance(row, dict) else {"": row} for row in value
    )


def _separated(file: pathlib.Path, separator: str) -> Iterator[Row]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, delimiter=separator, strict=True)
            names = unique_names(next(reader, []))
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(names):
                    raise ContentError(f"line {reader.line_num} has {len(cells)} cells, not {len(names)}")
                yield dict(zip(names, map(cell_value, cells), strict=True))
    except UnicodeDecodeError:
        raise ContentError("it is not UTF-8") from None
    except csv.Error as error:
        raise ContentError(f"it is not CSV: {error}") from None


def unique_names(names: list[str]) -> list[str]:
    """Column names, with numbers after those that occur several times."""
    found: dict[str, int] = {}
    unique = []
    for name in names:
        found[name] = found.get(name, 0) + 1
        unique.append(name if found[name] == 1 else f"{name}.{found[name]}")
    return unique


def cell_value(text: str) -> Any:
    """The value that the text of a cell means: a number, True or False, None if it is empty; else the text itself."""
    if not text:
        return None
    if _INTEGER.fullmatch(text):
        return int(text) if not text.lstrip("+-").startswith("0") or text.lstrip("+-") == "0" else text
    if _NUMBER.fullmatch(text):
        return float(text)
    return _BOOLEANS.get(text.lower(), text)


def _json_lines(file: pathlib.Path) -> Iterator[Row]:
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ContentError(f"line {number} is not JSON: {error}") from None
            yield row if isinstance(row, dict) else {"": row}


def _parquet(file: pathlib.Path) -> Rows:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        return _parquet_by_duckdb(file)

    def read() -> Iterator[Row]:
        try:
            with parquet.ParquetFile(file) as opened:
                for batch in opened.iter_batches(batch_size=10_000):
                    yield from batch.to_pylist()
        except (OSError, ValueError) as error:  # pyarrow.ArrowInvalid is a ValueError
            raise ContentError(f"it is not parquet: {error}") from None

    return read


def _parquet_by_duckdb(file: pathlib.Path) -> Rows:
    try:
        duckdb = importlib.import_module("duckdb")
    except ImportError:
        raise MissingLibraryError(
            "comparing parquet files needs pyarrow or duckdb, which are not installed beside Pivot",
            hint="uv add pyarrow",
        ) from None

    def read() -> Iterator[Row]:
        try:
            with duckdb.connect() as connection:
                found = connection.execute("select * from read_parquet(?)", [str(file)])
                names = [column[0] for column in found.description or ()]
                while batch := found.fetchmany(10_000):
                    for row in batch:
                        yield dict(zip(names, row, strict=True))
        except duckdb.Error as error:
            raise ContentError(f"it is not parquet: {error}") from None

    return read
