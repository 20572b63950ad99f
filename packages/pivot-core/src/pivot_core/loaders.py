"""Loaders: Loaders: a Reader turns a file into a Python value, a Writer a value into a file."""

import collections
import json
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import attrs

from pivot_core.conversion import yaml_data
from pivot_core.errors import LoaderError
from pivot_core.values import Value

if TYPE_CHECKING:
    import pandas as pd

__pivot_module__ = "pivot.loaders"


@runtime_checkable
class Reader[T](Protocol):
    """Loads a file; a `Dep` requires one.

    A loader may also have a method ``for_type(hint)``, which returns the loader to use for a parameter or value with
    this type hint; it is called when the stage is registered.
    """

    def load(self, path: pathlib.Path) -> T:
        """The value in the file at ``path``, which is relative to the stage's directory."""
        ...


@runtime_checkable
class Writer[T](Protocol):
    """Saves a value; an `Out` requires one."""

    def save(self, value: T, path: pathlib.Path) -> None:
        """Write ``value`` to ``path``, whose parent directory exists; ``path`` itself does not exist yet."""
        ...


@attrs.frozen(eq=False, repr=False)
class PathOnly(Value):
    """No automatic I/O: the stage receives the path, writes the file itself, and returns the path."""

    def load(self, path: pathlib.Path) -> pathlib.Path:
        """The declared path, relative to the stage's directory."""
        return path

    def save(self, value: str | os.PathLike[str], path: pathlib.Path) -> None:
        """Check that the stage returned the declared path and wrote a file there.

        Raises:
            LoaderError: The stage returned something else, or the path does not exist; a dangling link counts as
                absent.
        """
        try:
            returned = pathlib.Path(value)
        except TypeError:
            raise LoaderError(
                f"the stage returned {type(value).__name__} for {str(path)!r}, whose loader is PathOnly()",
                hint="return the path that you wrote to, or declare a loader that saves the value",
            ) from None
        if os.path.normpath(returned.absolute()) != os.path.normpath(path.absolute()):
            raise LoaderError(
                f"the stage returned the path {str(returned)!r}, but its Out declares {str(path)!r}",
                hint="write to the declared path and return it",
            )
        if not os.path.exists(path):
            raise LoaderError(
                f"the stage returned {str(path)!r} but did not write it",
                hint="with PathOnly() the stage writes the file itself",
            )


@attrs.frozen(eq=False, repr=False)
class Text(Value):
    """A whole file as one ``str``; line endings are preserved."""

    encoding: str = "utf-8"

    def load(self, path: pathlib.Path) -> str:
        """The decoded content."""
        return path.read_bytes().decode(self.encoding)

    def save(self, value: str, path: pathlib.Path) -> None:
        """Write ``value`` in the encoding.

        Raises:
            LoaderError: The value is not a ``str``.
        """
        if not isinstance(value, str):
            raise _misfit("Text", "a str", value)
        path.write_bytes(value.encode(self.encoding))


@attrs.frozen(eq=False, repr=False)
class JSON(Value):
    """One JSON value in UTF-8; other Python types come back as the JSON type that they are written as.

    For example, a tuple or an array of numpy comes back as a list, a date or a path as text, an instance of a dataclass
    or attrs class as a mapping, a duration as seconds, and a number as a key comes back as text. NaN and the infinities
    are written as ``NaN`` and ``Infinity``, as Python does; this loader reads them, stricter readers of JSON do not.
    """

    indent: int | None = 2
    sort_keys: bool = False

    def load(self, path: pathlib.Path) -> Any:
        """The parsed value."""
        return json.loads(path.read_bytes())

    def save(self, value: Any, path: pathlib.Path) -> None:
        """Write ``value`` and a final newline.

        Raises:
            LoaderError: JSON cannot hold a part of the value; it names the part.
        """
        text = _dumps(value, "JSON", indent=self.indent, sort_keys=self.sort_keys, ensure_ascii=False)
        # A lone surrogate, as in a file name that is not UTF-8, is written as a JSON escape.
        path.write_bytes((text + "\n").encode(errors="backslashreplace"))


@attrs.frozen(eq=False, repr=False)
class JSONL(Value):
    """A list of JSON values, one on each line; as for `JSON`, other types come back as the JSON type."""

    sort_keys: bool = False

    def load(self, path: pathlib.Path) -> list[Any]:
        """The values in the order of the lines; blank lines are skipped."""
        with path.open("rb") as lines:
            return [json.loads(line) for line in lines if line.strip()]

    def save(self, value: Iterable[Any], path: pathlib.Path) -> None:
        """Write each item of ``value`` on its own line.

        Raises:
            LoaderError: The value is not iterable, or its items are probably not meant: the letters of a text, the keys
                of a mapping. Or JSON cannot hold a part of an item; it names the part.
        """
        items: object = value
        if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
            raise _misfit("JSONL", "a list of values", value)
        with path.open("w", encoding="utf-8") as file:
            for at, item in enumerate(items):
                file.write(_dumps(item, "JSONL", f"[{at}]", sort_keys=self.sort_keys) + "\n")


@attrs.frozen(eq=False, repr=False)
class Pickle(Value):
    """Any picklable value; use it only for files that your own stages wrote."""

    protocol: int = 4

    def load(self, path: pathlib.Path) -> Any:
        """The unpickled value."""
        with path.open("rb") as file:
            import pickle  # lazy

            return pickle.load(file)  # noqa: S301  # the user chose this loader for their own file

    def save(self, value: Any, path: pathlib.Path) -> None:
        """Write the pickled value."""
        with path.open("wb") as file:
            import pickle  # lazy

            pickle.dump(value, file, protocol=self.protocol)


@attrs.frozen(eq=False, repr=False)
class YAML(Value):
    """Plain data as YAML 1.1 in UTF-8; tags that build objects are refused. Needs PyYAML."""

    sort_keys: bool = False

    def load(self, path: pathlib.Path) -> Any:
        """The parsed value."""
        yaml = _yaml()
        return yaml.load(path.read_bytes(), Loader=yaml_data.loader())

    def save(self, value: Any, path: pathlib.Path) -> None:
        """Write ``value`` in block style."""
        yaml = _yaml()
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        text = yaml.dump(value, Dumper=dumper, sort_keys=self.sort_keys, allow_unicode=True)
        path.write_text(text, encoding="utf-8")


@attrs.frozen(eq=False, repr=False)
class CSV(Value):
    """A pandas ``DataFrame`` as comma-separated text. Needs pandas.

    Values that CSV cannot represent are errors, not losses: an index that ``index`` does not name, multi-level columns,
    columns of the same name or whose name is not a text. An unnamed index of integers is the numbering of the rows, and
    is not written. Column types are not written
    either: pandas guesses them when it reads, unless ``dtype`` and ``parse_dates`` specify them, so "007" comes back as
        7, and an empty text as a missing value.

    Attributes:
        sep: The separator between columns.
        index: The column or columns that form the frame's index.
        dtype: Types by column, as for ``pandas.read_csv``; specify them for texts that look like numbers.
        parse_dates: The columns that contain dates.
    """

    sep: str = ","
    index: str | tuple[str, ...] | None = None
    dtype: Mapping[str, str] | None = None
    parse_dates: tuple[str, ...] = ()

    def load(self, path: pathlib.Path) -> "pd.DataFrame":
        """The frame."""
        pandas = _pandas()
        frame: pd.DataFrame = pandas.read_csv(
            path,
            sep=self.sep,
            index_col=list(self._index) or None,
            dtype=dict(self.dtype) if self.dtype is not None else None,
            parse_dates=list(self.parse_dates),
            **_exact_floats(pandas.__version__),
        )
        return frame

    def save(self, value: "pd.DataFrame", path: pathlib.Path) -> None:
        """Write the frame.

        Raises:
            LoaderError: The value is not a frame, or CSV would lose a part of it.
        """
        pandas = _pandas()
        if not isinstance(value, pandas.DataFrame):
            raise _misfit("CSV", "a pandas DataFrame", value)
        if value.columns.nlevels > 1:
            raise LoaderError("loaders.CSV() cannot keep columns of several levels", hint="flatten frame.columns first")
        names = tuple(value.index.names)
        is_numbering = names == (None,) and (value.empty or pandas.api.types.is_integer_dtype(value.index.dtype))
        if names != self._index and (self._index or not is_numbering):
            raise LoaderError(
                f"the frame's index is {list(names)}, but loaders.CSV() would keep {list(self._index)}",
                hint="name the index columns, as in CSV(index='id'), or call frame.reset_index()",
            )
        _check_names([*self._index, *value.columns])
        value.to_csv(path, sep=self.sep, index=bool(self._index))

    @property
    def _index(self) -> tuple[str, ...]:
        return (self.index,) if isinstance(self.index, str) else self.index or ()


def _dumps(value: object, loader: str, where: str = "", *, sort_keys: bool, **options: Any) -> str:
    """The JSON text of a value; what JSON has no form for is converted first."""
    try:
        return json.dumps(value, sort_keys=sort_keys, **options)
    except (TypeError, ValueError, RecursionError):
        from pivot_core.conversion.json_values import to_json_data  # lazy: most values are JSON data already

        data = to_json_data(value, loader, where, sort_keys=sort_keys)
        return json.dumps(data, sort_keys=sort_keys, **options)


def _check_names(names: list[object]) -> None:
    unnamed = [repr(name) for name in names if not isinstance(name, str) or not name]
    if unnamed:
        raise LoaderError(
            f"loaders.CSV() cannot keep column names that are not strings: {', '.join(unnamed)}",
            hint="give the columns names, as in frame.columns = frame.columns.astype(str)",
        )
    shared = [repr(name) for name, count in collections.Counter(names).items() if count > 1]
    if shared:
        raise LoaderError(
            f"loaders.CSV() cannot keep columns that share a name: {', '.join(shared)}", hint="rename one of them"
        )
    if not names:
        raise LoaderError("loaders.CSV() cannot keep a frame without columns", hint="use loaders.Pickle()")


def _exact_floats(version: str) -> Mapping[str, str]:
    """Makes pandas read back the exact floats that it wrote; the default from version 3.1."""
    major, minor = map(int, version.split(".")[:2])
    return {"float_precision": "round_trip"} if (major, minor) < (3, 1) else {}


def _yaml() -> Any:
    try:
        import yaml  # lazy
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        raise _missing("YAML", "PyYAML") from None
    return yaml


def _pandas() -> Any:
    try:
        import pandas as pd  # lazy
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        raise _missing("CSV", "pandas") from None
    return pd


def _missing(loader: str, library: str) -> LoaderError:
    return LoaderError(f"loaders.{loader} needs {library}, which is not installed", hint=f"install {library}")


def _misfit(loader: str, wanted: str, value: object) -> LoaderError:
    return LoaderError(
        f"loaders.{loader}() saves {wanted}, not {type(value).__name__}", hint=f"return {wanted}, or use another loader"
    )
