"""Values of users as JSON data: scalars and arrays of libraries, dates, paths, enums, and classes with fields.

Libraries are recognised by the names of their modules, so none is imported.
"""

import datetime as dt
import enum
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final

from pivot_core.errors import LoaderError

_ARRAYS: Final = frozenset({"numpy", "torch", "jax", "jaxlib"})
_FRAMES: Final = frozenset({"pandas", "polars", "pyarrow"})
_PLAIN_ARRAYS: Final = frozenset("?biuf")
"""The kinds of numpy's types whose ``tolist`` returns plain numbers."""
_TIMES: Final = frozenset({"M", "m"})
"""The kinds of numpy's moments and durations."""
_SECRET: Final = re.compile(r"\bSecret\b")


def to_json_data(value: object, loader: str, where: str = "", *, sort_keys: bool = False) -> Any:
    """Convert a value to data that `json.dumps` writes, and that are the same for equal values.

    Missing values of numpy and pandas become None, moments ISO 8601 texts, durations seconds, an enum's member its
    value; arrays become lists, and instances of dataclasses and attrs classes mappings by field.

    Args:
        value: The value to convert.
        loader: The name of the loader, for errors.
        where: The place of the value in a larger one, such as ``[3]``.
        sort_keys: Whether the keys of all mappings must be sortable.

    Raises:
        LoaderError: JSON cannot hold a part of the value; it names the part, and a loader that can hold it.
    """
    try:
        return _Conversion(loader, sort_keys=sort_keys).convert(value, where)
    except RecursionError:
        raise LoaderError(
            f"loaders.{loader}() cannot keep {_place(where)}: it is nested too deeply",
            hint="make it flatter, or use loaders.Pickle()",
        ) from None


class _Conversion:
    """The conversion of one value for one loader."""

    def __init__(self, loader: str, *, sort_keys: bool) -> None:
        self._loader = loader
        self._sort_keys = sort_keys
        self._outer: set[int] = set()

    def convert(self, value: Any, where: str) -> Any:
        """The data of a value, or of a part of it, which is at ``where``."""
        if value is None or isinstance(value, bool | int | float | str):
            return value  # as `json.dumps` has always written them
        scalar = self._scalar(value, where)
        if scalar is not value:
            return scalar
        if id(value) in self._outer:
            raise self._error(where, "it contains itself", "remove the reference to an outer value")
        self._outer.add(id(value))
        try:
            return self._container(value, where)
        finally:
            self._outer.remove(id(value))

    def _scalar(self, value: Any, where: str) -> Any:  # noqa: PLR0911  # one return per kind
        """The data of a value without parts; the value itself if it has parts or is of another kind."""
        if isinstance(value, dt.datetime | dt.date | dt.time):
            is_missing = value != value  # noqa: PLR0124  # pandas.NaT
            return None if is_missing else value.isoformat()
        if isinstance(value, dt.timedelta):
            return value.total_seconds()
        if isinstance(value, PurePath):
            return str(value)
        if isinstance(value, enum.Enum):
            return self.convert(value.value, where)
        homes = _homes(value)
        if "pandas" in homes:
            return _pandas_scalar(value)
        if _ARRAYS.isdisjoint(homes) or getattr(value, "shape", None) != ():
            return value
        if getattr(value.dtype, "kind", "") in _TIMES:
            return self._numpy_time(value, where)
        item = value.item()
        return value if isinstance(item, type(value)) else self.convert(item, where)

    def _numpy_time(self, value: Any, where: str) -> Any:
        text = str(value)
        if text == "NaT":
            return None
        if value.dtype.kind == "M":
            return text
        numpy = sys.modules["numpy"]
        try:
            return float(value / numpy.timedelta64(1, "s"))
        except (TypeError, ValueError):
            raise self._error(where, f"{text!r} has no fixed length", "convert it to days or seconds") from None

    def _container(self, value: Any, where: str) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value, where)
        if isinstance(value, list | tuple):
            return [self.convert(each, f"{where}[{at}]") for at, each in enumerate(value)]
        if not isinstance(value, type) and (names := _field_names(value)) is not None:
            return self._fields(value, names, where)
        if not _ARRAYS.isdisjoint(_homes(value)) and getattr(value, "shape", None):
            plain = getattr(value.dtype, "kind", "") in _PLAIN_ARRAYS
            return value.tolist() if plain else [self.convert(each, f"{where}[{at}]") for at, each in enumerate(value)]
        raise self._error(where, f"JSON has no form for {_describe(value)}", _hint(value))

    def _mapping(self, value: Mapping[Any, Any], where: str) -> dict[Any, Any]:
        data: dict[Any, Any] = {}
        for key, each in value.items():
            plain = self._key(key, where)
            if plain in data:
                raise self._error(where, f"two of its keys are written as {plain!r}", "rename one of them")
            data[plain] = self.convert(each, f"{where}{_step(plain)}")
        if self._sort_keys:
            try:
                sorted(data)
            except TypeError:
                raise self._error(
                    where, "keys of different types cannot be sorted", "use keys of one type, or sort_keys=False"
                ) from None
        return data

    def _key(self, key: Any, where: str) -> Any:
        if key is None or isinstance(key, str | int | float | bool):
            return key
        plain = self._scalar(key, where)
        if not isinstance(plain, str | int | float):
            raise self._error(
                where, f"its key {key!r} is no text", "use texts as keys, a list of pairs, or loaders.Pickle()"
            )
        return plain

    def _fields(self, value: Any, names: Mapping[str, object], where: str) -> dict[str, Any]:
        for name, kind in names.items():
            if _SECRET.search(str(kind)):
                raise self._error(
                    f"{where}{_step(name)}", "it is a secret", "return the other fields by name, without it"
                )
        return {name: self.convert(getattr(value, name), f"{where}{_step(name)}") for name in names}

    def _error(self, where: str, why: str, hint: str) -> LoaderError:
        return LoaderError(f"loaders.{self._loader}() cannot keep {_place(where)}: {why}", hint=hint)


def _pandas_scalar(value: Any) -> Any:
    """The data of a scalar that only pandas has: NA, or a period; the value itself if it is of another kind."""
    name = type(value).__name__
    if name == "NAType":
        return None
    return str(value) if name == "Period" else value


def _field_names(value: Any) -> Mapping[str, object] | None:
    """The types of the fields of an instance by name; None if its class has no fields."""
    kind = type(value)
    if hasattr(kind, "__attrs_attrs__"):
        return {each.name: each.type for each in kind.__attrs_attrs__}
    if hasattr(kind, "__dataclass_fields__"):
        import dataclasses  # lazy: the user's class has imported it

        return {each.name: each.type for each in dataclasses.fields(value)}
    return None


def _homes(value: object) -> set[str]:
    """The libraries that define the value's class and its bases."""
    return {base.__module__.partition(".")[0] for base in type(value).__mro__}


def _step(key: object) -> str:
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"


def _place(where: str) -> str:
    return repr(where.removeprefix(".")) if where else "the value"


def _describe(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    kind = type(value).__name__
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"


def _hint(value: object) -> str:
    if isinstance(value, set | frozenset):
        return "return sorted(...), which is a list, or use loaders.Pickle()"
    if isinstance(value, bytes | bytearray):
        return "use loaders.Bytes() for a file of bytes, or loaders.Pickle()"
    if not _FRAMES.isdisjoint(_homes(value)):
        return "use loaders.CSV() or loaders.Parquet() for tables, or return its to_dict()"
    if hasattr(value, "model_dump"):
        return "return its model_dump(mode='json'), or use loaders.Pickle()"
    if isinstance(value, Iterator):
        return "return a list of its values"
    return "convert it to numbers, texts, lists and mappings, or use loaders.Pickle()"
