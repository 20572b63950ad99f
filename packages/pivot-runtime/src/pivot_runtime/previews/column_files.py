"""Pages of tables that are stored by column, parquet and Arrow, by a library that is installed beside Pivot.

Of parquet, only the groups of rows on the page are read, up to the end of the page. No library is imported from the
project's own files.
"""

import importlib
import importlib.util
import itertools
import os
import pathlib
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Final

from pivot_runtime.errors import ContentError, MissingLibraryError
from pivot_runtime.previews.tables import MOST_COLUMNS, TablePreview, Window, cells_of, columns_of, left_out

MOST_BYTES: Final = 1 << 28
"""The bytes of rows that are decoded for a page, by the sizes in the file: those of its group of rows before it."""
_MOST_ARROW: Final = 1 << 26
"""The bytes of an Arrow file, whose rows are read from the beginning."""
_BATCH: Final = 1 << 23
"""The bytes of the rows that are in memory at a time, if one row is not larger."""
_BUFFER: Final = 1 << 16


def read_parquet(stream: BinaryIO, file: pathlib.Path | None, window: Window) -> TablePreview:
    """A page of a parquet file by the first library that is installed: pyarrow, DuckDB or polars.

    Args:
        stream: The open file.
        file: Its path, which DuckDB and polars need.
        window: The page.

    Raises:
        ContentError: It is no parquet, or the page is too expensive.
        MissingLibraryError: None of the libraries is installed.
    """
    if (parquet := library("pyarrow.parquet")) is not None:
        return parquet_by_pyarrow(parquet, stream, window)
    if file is not None:
        for name, read in _BY_PATH:
            if (found := library(name)) is not None:
                return read(found, file, window)
    raise MissingLibraryError(
        "parquet files are shown by pyarrow, duckdb or polars, and none of them is installed beside Pivot",
        hint="uv add pyarrow",
    )


def read_arrow(stream: BinaryIO, size: int, window: Window) -> TablePreview:
    """A page of an Arrow file, such as Feather writes, by pyarrow.

    Raises:
        ContentError: It is no Arrow file, or a large one.
        MissingLibraryError: pyarrow is not installed.
    """
    pyarrow = library("pyarrow")
    if pyarrow is None:
        raise MissingLibraryError(
            "Arrow files are shown by pyarrow, which is not installed beside Pivot", hint="uv add pyarrow"
        )
    if size > _MOST_ARROW:
        raise ContentError(f"it is an Arrow file of more than {_MOST_ARROW >> 20} MiB, which is not read")
    try:
        with pyarrow.ipc.open_file(stream) as opened:
            batches = (opened.get_batch(at) for at in range(opened.num_record_batches))
            return _by_batches(opened.schema, batches, 0, None, window)
    except _errors(pyarrow) as error:
        raise ContentError(f"it is not an Arrow file: {error}") from None


def library(name: str) -> Any:
    """A module of an installed library; None if it is not installed, or a file of the project has its name."""
    try:
        spec = importlib.util.find_spec(name.partition(".")[0])
        if spec is None or not _is_installed(spec.origin or ""):
            return None
        return importlib.import_module(name)
    except (ImportError, ValueError):
        return None


def _is_installed(file: str) -> bool:
    around = {os.path.realpath(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")}
    parts = pathlib.Path(file).parts
    return bool({"site-packages", "dist-packages"}.intersection(parts)) or any(
        os.path.realpath(file).startswith(f"{directory}/") for directory in around
    )


def parquet_by_pyarrow(parquet: Any, stream: BinaryIO, window: Window) -> TablePreview:
    """A page of a parquet file by the module `pyarrow.parquet`.

    Raises:
        ContentError: It is no parquet, or the page is too expensive.
    """
    pyarrow = importlib.import_module("pyarrow")
    try:
        with parquet.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False) as opened:
            first, before = _group_at(opened.metadata, window.offset)
            each = _row_bytes(opened.metadata, first)
            if (window.offset - before) * each > MOST_BYTES:
                raise ContentError(
                    f"the page is more than {MOST_BYTES >> 20} MiB from the beginning of its group of rows",
                    hint="write the file with smaller groups of rows",
                )
            batches = opened.iter_batches(
                batch_size=max(1, min(window.limit, _BATCH // each)),
                row_groups=range(first, opened.metadata.num_row_groups),
                columns=opened.schema_arrow.names[:MOST_COLUMNS],
                use_threads=False,
            )
            if first == opened.metadata.num_row_groups:  # earlier pyarrows cannot read none
                batches = iter(())
            return _by_batches(opened.schema_arrow, batches, before, opened.metadata.num_rows, window)
    except _errors(pyarrow) as error:
        raise ContentError(f"it is not parquet: {error}") from None


def _errors(pyarrow: Any) -> tuple[type[Exception], ...]:
    return (pyarrow.ArrowException, OSError, ValueError, KeyError, OverflowError, MemoryError)


def _group_at(metadata: Any, offset: int) -> tuple[int, int]:
    """The number of the group with a row, or the number of groups; and the rows before the group."""
    before = 0
    for number in range(metadata.num_row_groups):
        rows = metadata.row_group(number).num_rows
        if before + rows > offset:
            return number, before
        before += rows
    return metadata.num_row_groups, offset


def _row_bytes(metadata: Any, number: int) -> int:
    """The mean size of the rows of a group."""
    if number >= metadata.num_row_groups:
        return 1
    group = metadata.row_group(number)
    return max(1, int(group.total_byte_size) // max(1, int(group.num_rows)))


def _by_batches(schema: Any, batches: Iterator[Any], before: int, total: int | None, window: Window) -> TablePreview:
    """The page in batches, of which the first begins after ``before`` rows."""
    names = schema.names[:MOST_COLUMNS]
    rows: list[tuple[Any, ...]] = []
    for batch in batches:
        skip = max(0, window.offset - before)
        shown = batch.slice(skip, window.limit - len(rows)) if skip < batch.num_rows else None
        before += batch.num_rows
        if shown is not None:
            values = [_plain(shown.column(at)) for at in range(len(names))]
            rows += map(cells_of, zip(*values, strict=True))
        if before >= window.end and (total is not None or before > window.end):
            break
    more = before > window.end if total is None else window.end < total
    return TablePreview(
        columns_of(names, [str(schema.field(at).type) for at in range(len(names))]),
        tuple(rows),
        window.offset,
        more,
        before if total is None and not more else total,
        "pyarrow",
        left_out(len(schema.names)),
    )


def _plain(column: Any) -> list[Any]:
    """The values of a column; times are texts, since those of nanoseconds would be objects of pandas."""
    pyarrow = importlib.import_module("pyarrow")
    if pyarrow.types.is_temporal(column.type):
        try:
            return list(column.cast(pyarrow.string()).to_pylist())
        except pyarrow.ArrowException:
            return list(column.cast(pyarrow.int64()).to_pylist())
    return list(column.to_pylist())


def parquet_by_duckdb(duckdb: Any, file: pathlib.Path, window: Window) -> TablePreview:
    """A page of a parquet file by the module `duckdb`.

    Raises:
        ContentError: It is no parquet, or its path has a letter that stands for others in patterns.
    """
    if set(str(file)).intersection("*?["):
        raise ContentError("DuckDB reads no file with *, ? or [ in its path", hint="uv add pyarrow")
    try:
        with duckdb.connect(config={"threads": 1, "memory_limit": "512MB"}) as connection:
            (total,) = connection.execute("select sum(num_rows) from parquet_file_metadata(?)", [str(file)]).fetchone()
            found = connection.execute(
                "select * from read_parquet(?, hive_partitioning = false) limit ? offset ?",
                [str(file), window.limit, window.offset],
            )
            columns = [(column[0], str(column[1])) for column in found.description]
            return _by_rows(columns, found.fetchall(), int(total or 0), window, "duckdb")
    except (duckdb.Error, OSError, ValueError) as error:
        raise ContentError(f"it is not parquet: {error}") from None


def parquet_by_polars(polars: Any, file: pathlib.Path, window: Window) -> TablePreview:
    """A page of a parquet file by the module `polars`.

    Raises:
        ContentError: It is no parquet.
    """
    try:
        scan = polars.scan_parquet(file, glob=False, hive_partitioning=False)
        columns = [(name, str(kind)) for name, kind in scan.collect_schema().items()]
        total = scan.select(polars.len()).collect().item()
        page = scan.select([name for name, _ in columns[:MOST_COLUMNS]]).slice(window.offset, window.limit).collect()
        return _by_rows(columns, page.rows(), total, window, "polars")
    except (polars.exceptions.PolarsError, OSError, ValueError) as error:
        raise ContentError(f"it is not parquet: {error}") from None


def _by_rows(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], total: int, window: Window, reader: str
) -> TablePreview:
    names, types = zip(*columns[:MOST_COLUMNS], strict=True) if columns else ((), ())
    return TablePreview(
        columns_of(names, types),
        tuple(cells_of(itertools.islice(row, MOST_COLUMNS)) for row in rows),
        window.offset,
        window.end < total,
        total,
        reader,
        left_out(len(columns)),
    )


_BY_PATH: Final[Sequence[tuple[str, Callable[[Any, pathlib.Path, Window], TablePreview]]]] = (
    ("duckdb", parquet_by_duckdb),
    ("polars", parquet_by_polars),
)
