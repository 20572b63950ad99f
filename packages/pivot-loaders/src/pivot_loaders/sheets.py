"""Tables in files that other programs read: `Excel`, and `PolarsCSV` for frames of polars."""

import datetime as dt
import io
import pathlib
import re
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pivot_core.errors import LoaderError, list_names, suggest
from pivot_core.values import Value
from pivot_loaders.libraries import misfit, require

if TYPE_CHECKING:
    import polars as pl

__pivot_module__ = "pivot.loaders"

_EPOCH = dt.datetime(2000, 1, 1)  # noqa: DTZ001  # Excel's times have no zone
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_CHANGED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*")
_VERSION = re.compile(rb"<AppVersion>[^<]*</AppVersion>")


@attrs.frozen(eq=False, repr=False)
class PolarsCSV(Value):
    """A polars ``DataFrame`` as comma-separated text. Needs polars; `CSV` does the same for pandas.

    Column types are not written: polars infers them from all rows, unless ``dtype`` specifies them. A missing value and
    an empty text differ: the text is written in quotes.

    Attributes:
        sep: The separator between columns.
        dtype: Types by column, as polars names them: ``{"zip": "String", "count": "Int32"}``.
        parse_dates: Whether texts that look like dates and times become dates and times.
    """

    sep: str = ","
    dtype: Mapping[str, str] | None = None
    parse_dates: bool = False

    def load(self, path: pathlib.Path) -> "pl.DataFrame":
        """The frame."""
        polars = require("polars", "PolarsCSV")
        frame: pl.DataFrame = polars.read_csv(
            path,
            separator=self.sep,
            schema_overrides={name: _polars_type(polars, kind) for name, kind in (self.dtype or {}).items()},
            try_parse_dates=self.parse_dates,
            infer_schema_length=None,
        )
        return frame

    def save(self, value: "pl.DataFrame", path: pathlib.Path) -> None:
        """Write the frame.

        Raises:
            LoaderError: The value is not a frame, or CSV cannot hold a column.
        """
        polars = require("polars", "PolarsCSV")
        frame: Any = value
        if not isinstance(frame, polars.DataFrame):
            raise misfit("PolarsCSV", "a polars DataFrame", frame)
        nested = [
            name for name, kind in frame.schema.items() if kind.is_nested() or kind in (polars.Object, polars.Binary)
        ]
        if nested:
            raise LoaderError(
                f"loaders.PolarsCSV() cannot keep the column {nested[0]!r} of type {frame.schema[nested[0]]}",
                hint="use loaders.Parquet()",
            )
        frame.write_csv(path, separator=self.sep)


def _polars_type(polars: Any, name: str) -> Any:
    found = getattr(polars, name, None)
    if not isinstance(found, type) or not issubclass(found, polars.DataType):
        known = [
            each for each, kind in vars(polars).items() if isinstance(kind, type) and issubclass(kind, polars.DataType)
        ]
        raise LoaderError(f"polars has no type {name!r}, which PolarsCSV(dtype=...) names", hint=suggest(name, known))
    return found


@attrs.frozen(eq=False, repr=False)
class Excel(Value):
    """A pandas ``DataFrame`` as an Excel file (``.xlsx``). Needs pandas and openpyxl.

    Equal frames give equal files: the times in the file are fixed. Numbers keep about 15 digits, as in Excel itself. As
    for `CSV`, an unnamed index of integers is the numbering of the rows, and is not written; another index must be
    named by ``index``.

    Attributes:
        sheet: The sheet to load, by name or number; a frame is saved to a sheet with this name, or ``Sheet1``. With
            None, the value is a mapping from the names of all sheets to frames.
        index: The column or columns that form the frame's index.
    """

    sheet: str | int | None = 0
    index: str | tuple[str, ...] | None = None

    def load(self, path: pathlib.Path) -> Any:
        """The frame, or with ``sheet=None`` a frame for each sheet.

        Raises:
            LoaderError: The file has no such sheet.
        """
        pandas = require("pandas", "Excel")
        require("openpyxl", "Excel")
        with pandas.ExcelFile(path, engine="openpyxl") as book:
            names = list(map(str, book.sheet_names))
            if isinstance(self.sheet, str) and self.sheet not in names:
                close = suggest(self.sheet, names) or f"its sheets: {list_names(names)}"
                raise LoaderError(f"{path} has no sheet {self.sheet!r}", hint=close)
            frames = pandas.read_excel(book, sheet_name=self.sheet, keep_default_na=False, na_values=[""])
        if self.sheet is None:
            return {name: self._with_index(frame) for name, frame in frames.items()}
        return self._with_index(frames)

    def save(self, value: Any, path: pathlib.Path) -> None:
        """Write the frame, or with ``sheet=None`` the frames.

        Raises:
            LoaderError: The value is not a frame, or the file cannot hold a part of it.
        """
        pandas = require("pandas", "Excel")
        require("openpyxl", "Excel")
        if self.sheet is None:
            if not isinstance(value, Mapping) or not value:
                raise misfit("Excel", "a mapping from names of sheets to frames", value)
            frames = dict(value)
        else:
            frames = {self.sheet if isinstance(self.sheet, str) else "Sheet1": value}
        for frame in frames.values():
            self._check(pandas, frame)
        path.write_bytes(_without_times(self._book(pandas, frames)))

    def _book(self, pandas: Any, frames: Mapping[str, Any]) -> bytes:
        """The file with a sheet for each frame."""
        illegal = require("openpyxl.utils.exceptions", "Excel").IllegalCharacterError
        buffer = io.BytesIO()
        try:
            with pandas.ExcelWriter(buffer, engine="openpyxl") as writer:
                for name, frame in frames.items():
                    frame.to_excel(writer, sheet_name=name, index=bool(self._index), merge_cells=False)
                    _keep_texts(writer.sheets[name])
                writer.book.properties.created = _EPOCH
        except illegal:
            raise LoaderError(
                "loaders.Excel() cannot keep a text with control characters", hint="use loaders.Parquet()"
            ) from None
        return buffer.getvalue()

    def _check(self, pandas: Any, frame: Any) -> None:
        if not isinstance(frame, pandas.DataFrame):
            raise misfit("Excel", "a pandas DataFrame", frame)
        names = tuple(frame.index.names)
        numbered = names == (None,) and (frame.empty or pandas.api.types.is_integer_dtype(frame.index.dtype))
        if names != self._index and (self._index or not numbered):
            raise LoaderError(
                f"the frame's index is {list(names)}, but loaders.Excel() would keep {list(self._index)}",
                hint="name the index columns, as in Excel(index='id'), or call frame.reset_index()",
            )
        columns = [*self._index, *frame.columns]
        if not all(isinstance(name, str) and name for name in columns) or len(set(columns)) < len(columns):
            raise LoaderError(
                "loaders.Excel() keeps column names that are texts and differ from each other only",
                hint="rename the columns, or use loaders.Parquet()",
            )
        zoned = [name for name, kind in frame.dtypes.items() if isinstance(kind, pandas.DatetimeTZDtype)]
        if zoned:
            raise LoaderError(
                f"loaders.Excel() cannot keep the time zone of the column {zoned[0]!r}",
                hint="call .dt.tz_localize(None) on it, or use loaders.Parquet()",
            )

    def _with_index(self, frame: Any) -> Any:
        return frame.set_index(list(self._index)) if self._index else frame

    @property
    def _index(self) -> tuple[str, ...]:
        return (self.index,) if isinstance(self.index, str) else self.index or ()


def _keep_texts(sheet: Any) -> None:
    """Store a text that begins with ``=`` as a text, not as a formula, whose value would be lost."""
    for row in sheet.iter_rows():
        for cell in row:
            if cell.data_type == "f":
                cell.data_type = "s"


def _without_times(data: bytes) -> bytes:
    """The same file with fixed times, and without the version of the library."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "docProps/core.xml":
                content = _CHANGED.sub(rb"\g<1>" + _EPOCH.strftime("%Y-%m-%dT%H:%M:%SZ").encode(), content)
            elif name == "docProps/app.xml":
                content = _VERSION.sub(b"", content)
            info = zipfile.ZipInfo(name, _ZIP_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            after.writestr(info, content)
    return buffer.getvalue()
