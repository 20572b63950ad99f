"""Pages of tables that are stored by column, parquet and Arrow, by a library that is installed beside Pivot.

Of parquet, only the groups of rows on the page are read, up to the end of the page. No library is imported from the
project's own files.
"""

import contextlib
import importlib
import importlib.util
import itertools
import os
import pathlib
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Final

from pivot_runtime.errors import ContentError, MissingLibraryError
from pivot_runtime.previews.cells import MOST_LETTERS, MOST_NODES
from pivot_runtime.previews.tables import MOST_COLUMNS, TablePreview, Window, cells_of, columns_of, left_out

MOST_BYTES: Final = 1 << 28
"""The bytes of rows that are decoded for a page, by the sizes in the file: those of its group of rows before it."""
_MOST_ARROW: Final = 1 << 26
"""The bytes of an Arrow file, whose rows are read from the beginning."""
_BATCH: Final = 1 << 23
"""The bytes of the rows that are in memory at a time, if one row is not larger."""
_BUFFER: Final = 1 << 16
_VALUE: Final = 8
"""The bytes that a value takes when it is decoded, unless it is a long text."""
_LONGEST_LETTER: Final = 4


def read_parquet(stream: BinaryIO, window: Window) -> TablePreview:
    """A page of an open parquet file by the first library that is installed: pyarrow, DuckDB or polars.

    Raises:
        ContentError: It is no parquet, or the page is too expensive.
        MissingLibraryError: None of the libraries is installed.
    """
    if (parquet := library("pyarrow.parquet")) is not None:
        return parquet_by_pyarrow(parquet, stream, window)
    for name, read in _BY_PATH:
        if (found := library(name)) is not None:
            with path_of(stream) as path:
                return read(found, path, window)
    raise MissingLibraryError(
        "parquet files are shown by pyarrow, duckdb or polars, and none of them is installed beside Pivot",
        hint="uv add pyarrow",
    )


@contextlib.contextmanager
def path_of(stream: BinaryIO) -> Iterator[str]:
    """A path that leads to the open file within the block, whatever takes its place at its own path meanwhile."""
    import tempfile  # lazy

    with contextlib.ExitStack() as stack:
        try:
            descriptor = stream.fileno()
        except OSError:  # bytes that are in memory
            copy = stack.enter_context(tempfile.TemporaryFile())
            copy.write(stream.read())
            copy.flush()
            descriptor = copy.fileno()
        yield f"/dev/fd/{descriptor}"


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
            if (window.offset - before + 1) * each > MOST_BYTES:
                raise ContentError(
                    f"the page is more than {MOST_BYTES >> 20} MiB from the beginning of its group of rows",
                    hint="write the file with smaller groups of rows",
                )
            batches = opened.iter_batches(
                batch_size=rows_in_memory(opened.metadata, first, window.limit),
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


def rows_in_memory(metadata: Any, number: int, most: int) -> int:
    """The rows of a group to decode at a time: lists of equal items take more in memory than in the file."""
    if number >= metadata.num_row_groups:
        return most
    group = metadata.row_group(number)
    values = sum(group.column(at).num_values for at in range(min(group.num_columns, MOST_COLUMNS)))
    decoded = int(values) * _VALUE // max(1, int(group.num_rows))
    return max(1, min(most, _BATCH // max(_row_bytes(metadata, number), decoded)))


def _by_batches(schema: Any, batches: Iterator[Any], before: int, total: int | None, window: Window) -> TablePreview:
    """The page in batches, of which the first begins after ``before`` rows."""
    names = schema.names[:MOST_COLUMNS]
    rows: list[tuple[Any, ...]] = []
    for batch in batches:
        skip = max(0, window.offset - before)
        shown = batch.slice(skip, window.limit - len(rows)) if skip < batch.num_rows else None
        before += batch.num_rows
        if shown is not None:
            rows += map(cells_of, zip(*(map(_plain, shown.column(at)) for at in range(len(names))), strict=True))
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


def _plain(value: Any) -> Any:
    """A value of Arrow, of which a long one is read in part: the items of a list when they are asked for."""
    types, kind = importlib.import_module("pyarrow").types, value.type
    if not value.is_valid:
        return None
    if types.is_temporal(kind):
        return _time(value)
    if types.is_struct(kind):
        return {kind.field(at).name: _plain(value[at]) for at in range(min(kind.num_fields, MOST_COLUMNS))}
    if types.is_nested(kind) and not types.is_union(kind):
        return map(_plain, value.values)
    if hasattr(value, "as_buffer"):
        data = value.as_buffer()
        if data.size > MOST_LETTERS * _LONGEST_LETTER:
            head = data.slice(0, (MOST_LETTERS + 1) * _LONGEST_LETTER).to_pybytes()
            return head if types.is_binary(kind) or types.is_large_binary(kind) else head.decode("utf-8", "ignore")
    return value.as_py()


def _time(value: Any) -> Any:
    """A moment or a duration as a text, since that of nanoseconds would be an object of pandas."""
    pyarrow = importlib.import_module("pyarrow")
    if pyarrow.types.is_duration(value.type):
        return _duration(value.value, value.type.unit)
    try:
        return value.cast(pyarrow.string()).as_py()
    except pyarrow.ArrowException:
        return value.value


def _duration(number: int, unit: str) -> str:
    """A duration as Python writes it, with all its digits."""
    each = 10 ** {"s": 0, "ms": 3, "us": 6, "ns": 9}[unit]
    seconds, rest = divmod(abs(number), each)
    days, seconds = divmod(seconds, 86400)
    hours, minutes = divmod(seconds // 60, 60)
    text = f"{days} days " if days else ""
    fraction = f".{rest:0{len(str(each)) - 1}}" if rest else ""
    return f"{'-' if number < 0 else ''}{text}{hours}:{minutes:02}:{seconds % 60:02}{fraction}"


def parquet_by_duckdb(duckdb: Any, path: str, window: Window) -> TablePreview:
    """A page of a parquet file by the module `duckdb`.

    Raises:
        ContentError: It is no parquet, or the page is too expensive.
    """
    config = {"threads": 1, "memory_limit": "512MB", "temp_directory": ""}  # nothing is written
    table = "read_parquet(?, hive_partitioning = false)"
    try:
        with duckdb.connect(config=config) as connection:
            (total,) = connection.execute("select sum(num_rows) from parquet_file_metadata(?)", [path]).fetchone()
            found = connection.execute(f"select * from {table} limit 0", [path])  # noqa: S608  # a constant
            columns = [(column[0], str(column[1])) for column in found.description]
            shown = ", ".join('"' + name.replace('"', '""') + '"' for name, _ in columns[:MOST_COLUMNS])
            page = connection.execute(
                f"select {shown} from {table} limit ? offset ?",  # noqa: S608  # names are quoted
                [path, window.limit, window.offset],
            )
            return _by_rows(columns, page.fetchall(), int(total or 0), window, "duckdb")
    except duckdb.OutOfMemoryException:
        raise ContentError("the page is too large for DuckDB", hint="uv add pyarrow") from None
    except (duckdb.Error, OSError, ValueError) as error:
        raise ContentError(f"it is not parquet: {error}") from None


def parquet_by_polars(polars: Any, path: str, window: Window) -> TablePreview:
    """A page of a parquet file by the module `polars`.

    Raises:
        ContentError: It is no parquet.
    """
    try:
        scan = polars.scan_parquet(path, glob=False, hive_partitioning=False)
        columns = [(name, str(kind)) for name, kind in scan.collect_schema().items()]
        total = scan.select(polars.len()).collect().item()
        shown = [
            polars.col(name).list.head(MOST_NODES) if kind == polars.List else polars.col(name)
            for name, kind in itertools.islice(scan.collect_schema().items(), MOST_COLUMNS)
        ]
        page = scan.slice(window.offset, window.limit).select(shown).collect()
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


_BY_PATH: Final[Sequence[tuple[str, Callable[[Any, str, Window], TablePreview]]]] = (
    ("duckdb", parquet_by_duckdb),
    ("polars", parquet_by_polars),
)
