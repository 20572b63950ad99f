"""Conversion of values from a file, a command line or a caller to the type hint of a field."""

import collections.abc
import contextlib
import datetime as dt
import enum
import numbers
import sys
import typing
from collections.abc import Callable, Mapping
from json import loads
from pathlib import PurePath
from types import UnionType
from typing import Any, Final

from pivot_core.conversion.plain import NotPlainError, to_plain
from pivot_core.errors import DefinitionError

type Nested = Callable[[Any, Any], Any]

_LISTS: Final = (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
_SETS: Final = (set, frozenset, collections.abc.Set)
_MAPPINGS: Final = (dict, collections.abc.Mapping)
_MOMENTS: Final = (dt.datetime, dt.date, dt.time)
_ANY: Final = (Any, object)
_BOOLEANS: Final = {"true": True, "false": False}


class ConversionError(DefinitionError):
    """A value does not fit its type hint.

    Attributes:
        wanted: A description of the values that would fit.
        value: The value that does not fit; the error's text omits it.
        inside: The position inside the whole value, such as ``[2].name``.
    """

    def __init__(self, wanted: str, value: object, inside: str = "") -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.value = value
        self.inside = inside


def convert(hint: Any, value: Any, nested: Nested) -> Any:
    """Convert a value to a hint: integers to floats; lists to tuples or sets; texts to paths, enums or dates.

    Args:
        hint: The declared type.
        value: The given value.
        nested: Creates an instance of a class with fields; raises `ConversionError`.

    Raises:
        ConversionError: The value does not fit.
    """
    alternatives = members(hint)
    if len(alternatives) == 1:
        return _one(alternatives[0], value, nested)
    fitting = []
    for each in alternatives:
        with contextlib.suppress(ConversionError):
            fitting.append(_one(each, value, nested))
    if not fitting:
        raise ConversionError(format_hint(hint), value)
    return next((each for each in fitting if type(each) is type(value)), fitting[0])


def from_text(hint: Any, text: str, nested: Nested) -> Any:
    """Convert a value written on a command line.

    Raises:
        ConversionError: The value does not fit.
    """
    literal = _literal(text)
    errors = []
    for candidate in (text, literal) if isinstance(literal, str) else (literal, text):
        try:
            return convert(hint, candidate, nested)
        except ConversionError as error:
            errors.append(error)
    inner = next((error for error in errors if error.inside), None)
    raise inner if inner is not None else ConversionError(errors[-1].wanted, text)


def unsupported_hint(hint: Any, nested: Callable[[Any], bool]) -> Any:
    """The first part of a hint that no value could be converted to; None if there is none."""
    for each in members(hint):
        if each in _ANY or isinstance(each, typing.TypeVar) or each is None or _has_converter(each) or nested(each):
            continue
        origin, inner = typing.get_origin(each) or each, typing.get_args(each)
        if origin is typing.Literal or (isinstance(origin, type) and issubclass(origin, enum.Enum | PurePath)):
            continue
        if origin not in (*_LISTS, *_SETS, *_MAPPINGS, tuple):
            return each
        wrong = next(
            (part for arg in inner if arg is not ... and (part := unsupported_hint(arg, nested)) is not None), None
        )
        if wrong is not None:
            return wrong
    return None


def _literal(text: str) -> Any:
    if text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    for parse in (loads, float):
        with contextlib.suppress(ValueError, RecursionError):
            return parse(text)
    return text


def _one(hint: Any, value: Any, nested: Nested) -> Any:
    origin, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin in _ANY or isinstance(origin, typing.TypeVar):
        return _checked(value)
    if origin is typing.Literal:
        return _choice(hint, inner, value)
    if _has_converter(origin):
        return _converted(hint, origin, value)
    if isinstance(origin, type) and issubclass(origin, enum.Enum | PurePath):
        return _path_or_member(origin, value)
    if origin in (*_LISTS, *_SETS, *_MAPPINGS, tuple):
        return (_mapped if origin in _MAPPINGS else _container)(hint, inner, value, nested)
    return nested(hint, value)


def _converted(hint: Any, origin: Any, value: Any) -> Any:
    converted = _CONVERTERS.get(origin, _decimal)(value)
    if (converted is None) != (value is None) or (value is None and origin not in (None, type(None))):
        raise ConversionError(format_hint(hint), value)
    return converted


def _mapped(hint: Any, inner: tuple[Any, ...], value: Any, nested: Nested) -> Any:
    if not isinstance(value, Mapping):
        raise ConversionError(format_hint(hint), value)
    of_keys, of_values = inner or (Any, Any)
    return {
        _inside(f"[{key!r}]", of_keys, key, nested): _inside(f"[{key!r}]", of_values, each, nested)
        for key, each in value.items()
    }


def _container(hint: Any, inner: tuple[Any, ...], value: Any, nested: Nested) -> Any:
    origin = typing.get_origin(hint) or hint
    accepted = (list, tuple, set, frozenset) if origin in _SETS else (list, tuple)
    if not isinstance(value, accepted):
        raise ConversionError(format_hint(hint), value)
    items = list(value)
    if origin is tuple and inner and inner[-1] is not ...:
        if len(items) != len(inner):
            raise ConversionError(format_hint(hint), value)
        return tuple(_inside(f"[{at}]", inner[at], each, nested) for at, each in enumerate(items))
    of_items = inner[0] if inner else Any
    converted = [_inside(f"[{at}]", of_items, each, nested) for at, each in enumerate(items)]
    if origin in _LISTS:
        return converted
    try:
        return tuple(converted) if origin is tuple else (frozenset if origin is frozenset else set)(converted)
    except TypeError:
        raise ConversionError(f"{format_hint(hint)} of values that can be hashed", value) from None


def _inside(where: str, hint: Any, value: Any, nested: Nested) -> Any:
    try:
        return convert(hint, value, nested)
    except ConversionError as error:
        raise ConversionError(error.wanted, error.value, f"{where}{error.inside}") from None


def _checked(value: Any) -> Any:
    try:
        to_plain(value)
    except NotPlainError:
        raise ConversionError("a number, string, path, date, enum, or a list or dict of these", value) from None
    return value


def _choice(hint: Any, choices: tuple[Any, ...], value: Any) -> Any:
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    raise ConversionError(f"one of {', '.join(map(repr, typing.get_args(hint)))}", value)


def _path_or_member(kind: Any, value: Any) -> Any:
    """A path, or a member of an enum by its name or value."""
    if issubclass(kind, PurePath):
        if not isinstance(value, str | PurePath):
            raise ConversionError(format_hint(kind), value)
        return kind(value)
    if isinstance(value, kind):
        return value
    for member in kind:
        if value == member.name or (type(value) is type(member.value) and value == member.value):
            return member
    raise ConversionError(f"one of {', '.join(member.name for member in kind)}", value)


def _moment_converter(kind: Any) -> Callable[[Any], Any]:
    def converted(value: Any) -> Any:
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                return kind.fromisoformat(value)
            return None
        return value if type(value) is kind else None

    return converted


def _has_converter(kind: Any) -> bool:
    """Whether there is a converter for a class; a class such as `Decimal` exists only if its module was imported."""
    return kind in _CONVERTERS or kind is getattr(sys.modules.get("decimal"), "Decimal", _CONVERTERS)


def _decimal(value: Any) -> Any:
    import decimal  # lazy

    if isinstance(value, decimal.Decimal):
        return value
    if isinstance(value, str) or type(value) is int:
        with contextlib.suppress(decimal.InvalidOperation):
            return decimal.Decimal(value)
    return None


def _timedelta(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError, ValueError):
            return dt.timedelta(seconds=value)
    return value if isinstance(value, dt.timedelta) else None


def _number_converter(kind: Any, accepted: Any) -> Callable[[Any], Any]:
    def converted(value: Any) -> Any:
        if isinstance(value, accepted) and not isinstance(value, bool | enum.Enum):
            with contextlib.suppress(OverflowError):
                return kind(value)
        return None

    return converted


_CONVERTERS: Final[Mapping[Any, Callable[[Any], Any]]] = {
    None: lambda _: None,
    type(None): lambda _: None,
    bool: lambda value: value if isinstance(value, bool) else None,
    int: _number_converter(int, numbers.Integral),
    float: _number_converter(float, numbers.Real),
    str: lambda value: str(value) if isinstance(value, str) and not isinstance(value, enum.Enum) else None,
    bytes: lambda value: bytes(value) if isinstance(value, bytes | bytearray) else None,
    dt.timedelta: _timedelta,
    **{kind: _moment_converter(kind) for kind in _MOMENTS},
}


def unwrap_hint(hint: Any) -> Any:
    """The hint itself, without metadata, with all aliases and new types resolved."""
    while True:
        origin = typing.get_origin(hint)
        if isinstance(alias := origin or hint, typing.TypeAliasType):
            bound = dict(zip(alias.__type_params__, typing.get_args(hint), strict=False))
            free = getattr(alias.__value__, "__parameters__", ())
            hint = alias.__value__[tuple(bound[each] for each in free)] if bound and free else alias.__value__
        elif origin is typing.Annotated:
            hint = typing.get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        else:
            return hint


def members(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a union; for any other hint, only the hint itself."""
    hint = unwrap_hint(hint)
    if typing.get_origin(hint) in (typing.Union, UnionType):
        return tuple(inner for each in typing.get_args(hint) for inner in members(each))
    return (hint,)


def format_hint(hint: Any) -> str:
    """A hint as a user would write it."""
    hint = unwrap_hint(hint)
    if hint is type(None) or hint is None:
        return "None"
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")
