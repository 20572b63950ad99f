"""Ready-made checks for outs: `not_empty` and `schema`, for ``Out(..., check=...)``."""

import importlib
import json
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any, Final

import attrs

from pivot_core.errors import DefinitionError, PivotError
from pivot_core.values import Value

__pivot_module__ = "pivot.checks"

_KINDS: Final = {
    "int": r"u?int\d*",
    "float": r"float\d*|double|halffloat|decimal.*",
    "str": r"str|object|(large_)?string.*|utf8|category",
    "bool": r"bool(ean)?",
    "date": r"date.*|timestamp.*",
}
"""By the name of a kind, the names that its types have in pandas, polars, pyarrow and Python."""


class CheckError(PivotError):
    """An out is not as its check demands."""


def not_empty(value: Any) -> None:
    """Check that a value has any content: rows, items or letters; for a path, that the file has bytes.

    A directory, or a mapping of files, must have a file, and no file may be empty.

    Raises:
        CheckError: It is empty.
    """
    if isinstance(value, pathlib.Path):
        _check_path(value)
    elif value is None or (isinstance(value, Sized) and not len(value)):
        raise CheckError("it is empty", hint="see what the stage returned")


def _check_path(path: pathlib.Path) -> None:
    files = [path]
    if path.is_dir():
        files = [pathlib.Path(around, name) for around, _, names in os.walk(path) for name in names]
    empty = sorted(str(file) for file in files if not file.stat().st_size)
    if empty or not files:
        raise CheckError(f"{empty[0] if empty else path} is empty", hint="see what the stage wrote")


def schema(columns: Mapping[str, str | None], *, extra: bool = False) -> "Schema":
    """A check of the columns of a table and their types, as in ``schema({"id": "int64", "name": "str"})``.

    A type is the exact name that the library of the table has for it, or one of the kinds ``int``, ``float``, ``str``,
    ``bool`` and ``date``, or None for any type. The value may be a frame of pandas or polars, a table of pyarrow, a
    list of mappings, a mapping of lists, or the path of a CSV, JSON, JSONL or Parquet file.

    Args:
        columns: The type of each column.
        extra: Whether there may be other columns.

    Raises:
        DefinitionError: It names no columns.
    """
    if not columns:
        raise DefinitionError("schema names no columns", hint='pivot.checks.schema({"id": "int64"})')
    return Schema(tuple(columns.items()), extra)


@attrs.frozen(eq=False, repr=False)
class Schema(Value):
    """A check of the columns of a table.

    Attributes:
        columns: Each column with its type.
        extra: Whether there may be other columns.
    """

    columns: tuple[tuple[str, str | None], ...]
    extra: bool = False

    def __call__(self, value: Any) -> None:
        """Check a table.

        Raises:
            CheckError: It has other columns or types, or is no table.
        """
        found = _types(value)
        wrong = [f"there is no column {name!r}" for name, _ in self.columns if name not in found]
        for name, wanted in self.columns:
            other = sorted(each for each in found.get(name, ()) if wanted is not None and not _fits(each, wanted))
            if other:
                wrong.append(f"column {name!r} is {other[0]}, not {wanted}")
        if not self.extra:
            known = {name for name, _ in self.columns}
            wrong += [f"there is another column, {name!r}" for name in found if name not in known]
        if wrong:
            raise CheckError("; ".join(wrong), hint="correct the stage, or the schema of its out")


def _fits(found: str, wanted: str) -> bool:
    kind = _KINDS.get(wanted)
    return found == wanted or (kind is not None and re.fullmatch(kind, found, re.IGNORECASE) is not None)


def _types(value: Any) -> dict[str, set[str]]:
    """The names of the types in each column; several where a column of plain values has several."""
    if isinstance(value, pathlib.Path):
        try:
            value = _read(value)
        except (OSError, ValueError) as error:  # also that of pyarrow
            raise CheckError(f"{value} cannot be read as a table: {error}", hint="correct the stage") from None
    dtypes = getattr(value, "dtypes", None)
    names = getattr(value, "columns", None)
    if dtypes is not None and names is not None:  # pandas and polars
        return {str(name): {str(dtype)} for name, dtype in zip(names, dtypes, strict=True)}
    arrow = getattr(value, "schema", value)
    if hasattr(arrow, "types") and hasattr(arrow, "names"):
        return {name: {str(kind)} for name, kind in zip(arrow.names, arrow.types, strict=True)}
    if isinstance(value, Mapping):
        return {str(name): _kinds(items) for name, items in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        rows = list(value)
        if all(isinstance(row, Mapping) for row in rows):
            return _of_rows(rows)
    raise CheckError(f"{type(value).__name__} is no table", hint="see pivot.checks.schema for the values it can check")


def _of_rows(rows: list[Mapping[Any, Any]]) -> dict[str, set[str]]:
    """The types in the columns of rows; a column that a row lacks has a missing value there."""
    names = dict.fromkeys(str(name) for row in rows for name in row)
    return {name: set(_plain(row.get(name) for row in rows)) for name in names}


def _kinds(items: Any) -> set[str]:
    return set(_plain(items if isinstance(items, list | tuple) else [items]))


def _plain(items: Iterable[Any]) -> Iterator[str]:
    return (type(item).__name__ for item in items if item is not None)


def _read(path: pathlib.Path) -> Any:
    suffix = path.suffix.lower()
    if suffix == ".json":
        return json.loads(path.read_bytes())
    if suffix in (".jsonl", ".ndjson"):
        return [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
    if suffix == ".csv":
        from pivot_core.loaders import CSV  # lazy

        return CSV().load(path)
    if suffix in (".parquet", ".pq"):
        try:
            return importlib.import_module("pyarrow.parquet").read_schema(path)
        except ModuleNotFoundError:
            raise CheckError(f"the schema of {path} cannot be read", hint="install pyarrow") from None
    raise CheckError(f"{path} is no table", hint="it can check .csv, .json, .jsonl and .parquet files")
