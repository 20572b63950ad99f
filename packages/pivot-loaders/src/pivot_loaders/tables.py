"""Tables in columnar files: `Parquet` and `Feather`, as frames of pandas or polars or tables of pyarrow."""

import json
import pathlib
from typing import Any, ClassVar, Literal, Self

import attrs

from pivot_core.errors import LoaderError
from pivot_core.values import Value
from pivot_loaders.libraries import libraries_of, misfit, require, types_in

__pivot_module__ = "pivot.loaders"

type Frame = Literal["pandas", "polars", "polars-lazy", "pyarrow"]

_LIBRARIES = frozenset({"pandas", "polars", "pyarrow"})


class _Columnar(Value):
    """A file of columns, whose content becomes a frame of one of three libraries."""

    __slots__ = ()
    _name: ClassVar[str]
    _polars_format: ClassVar[str]
    frame: Frame | None
    columns: tuple[str, ...] | None

    def for_type(self, hint: Any) -> Self:
        """The loader for a parameter or value with a type hint: without ``frame``, it loads the type in the hint."""
        if self.frame is not None:
            return self
        for kind in types_in(hint):
            library = next(iter(libraries_of(kind) & _LIBRARIES), None)
            if library is not None:
                frame = "polars-lazy" if kind.__name__ == "LazyFrame" else library
                return attrs.evolve(self, frame=frame)  # type: ignore[misc] # the classes below are made with attrs
        return self

    def load(self, path: pathlib.Path) -> Any:
        """The frame or table."""
        match self.frame:
            case "polars":
                read = getattr(require("polars", self._name), f"read_{self._polars_format}")
                return read(path, columns=self._columns)
            case "polars-lazy":
                frame = getattr(require("polars", self._name), f"scan_{self._polars_format}")(path)
                return frame if self.columns is None else frame.select(self.columns)
            case "pyarrow":
                return self._read_arrow(path)
            case _:
                require("pandas", self._name)
                return self._read_arrow(path).to_pandas()

    def save(self, value: Any, path: pathlib.Path) -> None:
        """Write the frame or table, of whichever library it is.

        Raises:
            LoaderError: The value is none, or the file cannot hold a part of it.
        """
        libraries = libraries_of(type(value))
        if "polars" in libraries and hasattr(value, "lazy"):
            self._write_polars(value.collect() if hasattr(value, "collect") else value, path)
        elif "pandas" in libraries and hasattr(value, "columns"):
            self._write_arrow(self._from_pandas(value), path)
        elif "pyarrow" in libraries and hasattr(value, "schema"):
            self._write_arrow(value, path)
        else:
            raise misfit(self._name, "a frame of pandas or polars, or a table of pyarrow", value)

    @property
    def _columns(self) -> list[str] | None:
        return None if self.columns is None else list(self.columns)

    def _from_pandas(self, frame: Any) -> Any:
        """The table of a frame, with what pandas needs to build the same frame, but without versions."""
        pyarrow = require("pyarrow", self._name)
        try:
            table = pyarrow.Table.from_pandas(frame)
        except (ValueError, TypeError, NotImplementedError) as error:  # also the bases of pyarrow's errors
            raise LoaderError(
                f"loaders.{self._name}() cannot keep the frame: {' '.join(map(str, error.args))}",
                hint="convert the column to one type, or use loaders.Pickle()",
            ) from error
        metadata = dict(table.schema.metadata)
        described = json.loads(metadata[b"pandas"])
        described.pop("creator", None)
        described.pop("pandas_version", None)
        metadata[b"pandas"] = json.dumps(described).encode()
        return table.replace_schema_metadata(metadata)

    def _read_arrow(self, path: pathlib.Path) -> Any:
        raise NotImplementedError

    def _write_polars(self, frame: Any, path: pathlib.Path) -> None:
        raise NotImplementedError

    def _write_arrow(self, table: Any, path: pathlib.Path) -> None:
        raise NotImplementedError


@attrs.frozen(eq=False, repr=False)
class Parquet(_Columnar):
    """A table as Parquet. Needs pyarrow, and pandas or polars for their frames (polars alone for its own).

    It saves a frame of pandas or polars, or a table of pyarrow, and loads the type that the parameter's type hint
    names, or that ``frame`` names; without either, a frame of pandas. Types and the index of a pandas frame survive.
    Equal frames give equal files, until another version of the library writes them.

    Attributes:
        frame: The type to load: ``"pandas"``, ``"polars"``, ``"polars-lazy"`` or ``"pyarrow"``.
        columns: The columns to load; all of them by default.
        compression: As of pyarrow: ``"zstd"``, ``"snappy"``, ``"gzip"``, ``"lz4"`` or ``"none"``.
    """

    _name: ClassVar[str] = "Parquet"
    _polars_format: ClassVar[str] = "parquet"

    frame: Frame | None = None
    columns: tuple[str, ...] | None = None
    compression: str = "zstd"

    def _read_arrow(self, path: pathlib.Path) -> Any:
        parquet = require("pyarrow.parquet", self._name)
        indexed = self.frame in (None, "pandas")  # the index of a frame is read with any of its columns
        return parquet.read_table(str(path), columns=self._columns, partitioning=None, use_pandas_metadata=indexed)

    def _write_polars(self, frame: Any, path: pathlib.Path) -> None:
        kind = "uncompressed" if self.compression == "none" else self.compression
        frame.write_parquet(path, compression=kind)

    def _write_arrow(self, table: Any, path: pathlib.Path) -> None:
        require("pyarrow.parquet", self._name).write_table(table, str(path), compression=self.compression)


@attrs.frozen(eq=False, repr=False)
class Feather(_Columnar):
    """A table as Feather, which is Arrow's file format. Needs pyarrow, or polars alone for its own frames.

    It saves and loads the same types as `Parquet`; files are larger and faster to load.

    Attributes:
        frame: The type to load: ``"pandas"``, ``"polars"``, ``"polars-lazy"`` or ``"pyarrow"``.
        columns: The columns to load; all of them by default.
        compression: ``"zstd"``, ``"lz4"`` or ``"none"``.
    """

    _name: ClassVar[str] = "Feather"
    _polars_format: ClassVar[str] = "ipc"

    frame: Frame | None = None
    columns: tuple[str, ...] | None = None
    compression: Literal["zstd", "lz4", "none"] = "zstd"

    def _read_arrow(self, path: pathlib.Path) -> Any:
        feather = require("pyarrow.feather", self._name)
        columns = self._columns
        if columns is not None and self.frame in (None, "pandas"):  # the index is read with any columns
            columns += [name for name in self._index(path) if name not in columns]
        return feather.read_table(str(path), columns=columns, memory_map=False)

    def _index(self, path: pathlib.Path) -> list[str]:
        """The columns with the index of the frame that was saved, if it was one of pandas."""
        try:
            with require("pyarrow.ipc", self._name).open_file(str(path)) as opened:
                described = opened.schema.pandas_metadata or {}
        except ValueError:  # the first version of Feather, which has no index
            return []
        return [name for name in described.get("index_columns", ()) if isinstance(name, str)]

    def _write_polars(self, frame: Any, path: pathlib.Path) -> None:
        kind = "uncompressed" if self.compression == "none" else self.compression
        oldest = require("polars", self._name).CompatLevel.oldest()  # for readers such as pandas
        frame.write_ipc(path, compression=kind, compat_level=oldest)

    def _write_arrow(self, table: Any, path: pathlib.Path) -> None:
        kind = "uncompressed" if self.compression == "none" else self.compression
        require("pyarrow.feather", self._name).write_feather(table, str(path), compression=kind)
