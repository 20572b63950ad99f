"""Parameter values as plain data for locks and decisions: equal data mean equal values.

Values without a JSON form are mappings with a key that begins with ``$``: ``$tuple``, ``$set``, ``$bytes``, ``$dict``
(whose keys are not texts, or begin with ``$``), ``$path``, ``$enum``, ``$datetime`` and the like, ``$decimal``.
Instances of classes with fields are mappings with their class's name under ``$class``. ``True``, ``1`` and ``1.0``
differ, as do ``0.0`` and ``-0.0``; NaN equals NaN.
"""

import datetime as dt
import enum
import sys
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, Final

from pivot_core.errors import DefinitionError
from pivot_core.files.digest import canonical_json

type Fields = Callable[[object], Mapping[str, object] | None]

SECRET: Final = "$secret"  # noqa: S105  # it names one
_SCALARS: Final = (bool, int, float, str)
_MOMENTS: Final = (dt.datetime, dt.date, dt.time)


class NotPlainError(DefinitionError):
    """A value cannot be written as plain data."""


class SecretDigest:
    """A placeholder for a secret: only its digest is known."""

    def __init__(self, digest: str) -> None:
        self.digest = digest


def to_plain(value: object, fields_of: Fields = lambda _: None) -> Any:
    """Convert a value to JSON-able data.

    Args:
        value: The value to write.
        fields_of: Returns the fields, by name, of an instance of a class with fields; None for other values.

    Raises:
        NotPlainError: The value, or a part of it, has no plain form.
    """
    try:
        return _plain(value, fields_of)
    except RecursionError:
        raise NotPlainError(f"a value of type {type(value).__name__} is nested too deeply, or holds itself") from None


def plain_mapping(what: str, value: object) -> dict[str, Any]:
    """Data for the reader, with keys that are texts, as plain data.

    Raises:
        DefinitionError: They are no mapping, or have no plain form; the message says of what.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise DefinitionError(f"{what} must be a mapping with names, not {type(value).__name__}")
    try:
        return {str(key): to_plain(each) for key, each in value.items()}
    except NotPlainError as error:
        raise DefinitionError(f"{what}: {error}", hint=error.hint) from None


def is_secret(data: object) -> bool:
    """Whether plain data represent a secret."""
    return isinstance(data, Mapping) and SECRET in data


def _plain(value: Any, fields_of: Fields) -> Any:  # noqa: PLR0911  # one return per kind
    if value is None:
        return None
    if isinstance(value, enum.Enum):
        return {"$enum": f"{type(value).__qualname__}.{value._name_}", "value": _plain(value._value_, fields_of)}
    for scalar in _SCALARS:
        if isinstance(value, scalar):
            return scalar(value)
    if isinstance(value, list):
        return [_plain(each, fields_of) for each in value]
    if isinstance(value, Mapping):
        return _mapping(value, fields_of)
    fields = fields_of(value)
    if fields is not None:
        inner = {name: _plain(each, fields_of) for name, each in fields.items()}
        return {"$class": type(value).__qualname__, **inner}
    tag = _tagged(value, fields_of)
    if tag is None:
        raise NotPlainError(
            f"a value of type {type(value).__name__} cannot be a parameter, since it cannot be compared",
            hint="use numbers, strings, paths, dates, enums, or lists, dicts and classes with fields of these",
        )
    return tag


def _mapping(value: Mapping[Any, Any], fields_of: Fields) -> Any:
    if all(isinstance(key, str) and not isinstance(key, enum.Enum) and not key.startswith("$") for key in value):
        return {str(key): _plain(each, fields_of) for key, each in value.items()}
    pairs = [[_plain(key, fields_of), _plain(each, fields_of)] for key, each in value.items()]
    return {"$dict": sorted(pairs, key=canonical_json)}


def _tagged(value: Any, fields_of: Fields) -> dict[str, Any] | None:  # noqa: PLR0911  # one return per kind
    match value:
        case tuple():
            return {"$tuple": [_plain(each, fields_of) for each in value]}
        case set() | frozenset():
            return {"$set": sorted((_plain(each, fields_of) for each in value), key=canonical_json)}
        case bytes() | bytearray():
            return {"$bytes": value.hex()}
        case PurePath():
            return {"$path": value.as_posix()}
        case dt.timedelta():
            return {"$timedelta": [value.days, value.seconds, value.microseconds]}
        case SecretDigest():
            return {SECRET: value.digest}
    for kind in _MOMENTS:
        if isinstance(value, kind):
            return {f"${kind.__name__}": value.isoformat()}
    decimal = sys.modules.get("decimal")  # without the import, no such value exists
    if decimal is not None and isinstance(value, decimal.Decimal):
        return {"$decimal": str(value)}
    return None
