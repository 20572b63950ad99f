"""Parts of values other than code: containers, the standard library's types, arrays, and instances."""

import copyreg
import enum
import functools
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable
from os import fspath
from typing import Any

from pivot_fingerprint.values import arrays
from pivot_fingerprint.values.encoder import Parts, UnencodableError

__pivot_module__ = "pivot_fingerprint"

_OWN_FORM = "__pivot_fingerprint__"
"""The method by which a class defines the data that its instances count by."""
_LATER = "pivot_fingerprint_later"
"""The key in the metadata of a field of attrs that does not count while it has its default.

A class can so have a new field, and instances without it keep their fingerprints.
"""
_COPIED = frozenset({"__annotate__", "__annotations__", "__doc__", "__type_params__"})  # by `update_wrapper`
_IMPORTERS = frozenset({"_frozen_importlib", "_frozen_importlib_external"})
_ENCODERS: dict[type, Callable[[object], object]] = {}
"""The encoders of the process, which `register_encoder` adds."""

_CONTENT: tuple[tuple[type, Callable[[Any], object]], ...] = (
    (dict, lambda value: list(dict.items(value))),
    (list, lambda value: list(list.__iter__(value))),
    (tuple, lambda value: list(tuple.__iter__(value))),
    (set, lambda value: frozenset(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
    (str, str.__str__),
    (bytes, lambda value: bytes(memoryview(value))),
    (int, int.__int__),
    (float, float.__float__),
)


def register_encoder[T](type_: type[T], encode: Callable[[T], object]) -> None:
    """From now on, instances of `type_` and its subclasses count as `encode(value)`.

    The result must be plain data: numbers, texts, bytes, containers of these, or values with an
    encoder. Equal values must have equal data in every process.
    """
    if not isinstance(type_, type):
        raise TypeError("register_encoder takes a class and a function")
    _ENCODERS[type_] = encode  # type: ignore[assignment]


def take_builtin_apart(value: object) -> Parts | None:
    """The parts of a value of a built-in type without a registered encoder."""
    kind = type(value)
    known = _KNOWN.get(kind)
    return known(value) if known is not None and not _has_encoder(kind) else None


def _has_encoder(kind: type) -> bool:
    return not _ENCODERS.keys().isdisjoint(kind.__mro__)


class Instances:
    """Classes whose instances consist of their attributes, by which the next instance is taken apart at once."""

    def __init__(self) -> None:
        """None is known yet."""
        self._boundaries: dict[type, str] = {}

    def take_apart(self, value: object) -> Parts | None:
        """The parts of an instance of such a class."""
        kind = type(value)
        boundary = self._boundaries.get(kind)
        return None if boundary is None or _has_encoder(kind) else _instance(value, kind, boundary)

    def add(self, kind: type, parts: Parts) -> None:
        """Note the class of a value that was taken apart, if it is one and none of its own code runs for that."""
        if parts.tag == "instance" and not parts.made and not _looks_attributes_up(kind):
            self._boundaries[kind] = parts.boundary


def _looks_attributes_up(kind: type) -> bool:
    """Whether a class has its own code for look-ups of attributes."""
    return any(not {"__getattribute__", "__getattr__"}.isdisjoint(vars(base)) for base in kind.__mro__[:-1])


def take_apart(value: object, *, owned: bool) -> Parts:
    """The parts of a value other than code that `take_builtin_apart` leaves; `owned`: its class is the user's own.

    Raises:
        UnencodableError: The value has no canonical form.
    """
    kind = type(value)
    for base in kind.__mro__ if _ENCODERS else ():
        encode = _ENCODERS.get(base)
        if encode is not None:
            try:
                return Parts("encoded", (kind, encode(value)), made=True)
            except Exception as error:
                raise UnencodableError(f"the encoder of {_name(base)} failed: {error!r}") from error
    if any(_OWN_FORM in base.__dict__ for base in kind.__mro__):
        return Parts("encoded", (kind, _declared_form(value, kind)), made=True)
    if isinstance(value, enum.Enum):
        return Parts("enum", (kind, value._name_, value._value_))
    special = arrays.take_apart(value) or _by_module(value, kind)
    if special is not None:
        return special._replace(made=True)
    if owned:
        return _instance(value, kind, "user")
    return _foreign(value, kind)


def _declared_form(value: Any, kind: Any) -> object:
    """The data that a value declares for itself."""
    try:
        return getattr(kind, _OWN_FORM)(value)
    except Exception as error:
        raise UnencodableError(f"`{_OWN_FORM}` of {_name(kind)} failed: {error!r}") from error


def attributes(value: object) -> dict[str, object]:
    """The state of an instance by name, from `__dict__` and slots, without the values of `cached_property`."""
    kind = type(value)
    state: dict[str, object] = {}
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else tuple(slots):
            name = f"_{base.__name__.lstrip('_')}{slot}" if _is_mangled(slot) else slot
            descriptor = base.__dict__.get(name)
            if isinstance(descriptor, types.MemberDescriptorType):
                try:
                    state[name] = descriptor.__get__(value, kind)
                except AttributeError:
                    continue
    for name, attribute in getattr(value, "__dict__", {}).items():
        if not isinstance(getattr(kind, name, None), functools.cached_property):
            state[str(name)] = attribute
    for field in getattr(kind, "__attrs_attrs__", ()):
        if field.metadata.get(_LATER) and _is_default(field.default, state.get(field.name)):
            state.pop(field.name, None)
    return _without_copies({name: state[name] for name in sorted(state)})


def _is_default(default: object, value: object) -> bool:
    return type(value) is type(default) and value == default


def _without_copies(state: dict[str, object]) -> dict[str, object]:
    """A state without the attributes that `functools.update_wrapper` copied from a function in the same state."""
    functions = [each for each in state.values() if isinstance(each, types.FunctionType)]
    return {
        name: value
        for name, value in state.items()
        if name not in _COPIED or all(getattr(function, name, None) is not value for function in functions)
    }


def _is_mangled(name: str) -> bool:
    return name.startswith("__") and not name.endswith("__")


def _instance(value: object, kind: type, boundary: str) -> Parts:
    children: list[object] = [kind]
    for base, content in _CONTENT:
        if isinstance(value, base):
            children.append(content(value))
    for name, attribute in attributes(value).items():
        children += [name, attribute]
    return Parts("instance", children, boundary=boundary)


def _foreign(value: Any, kind: Any) -> Parts:
    """The parts of a library's object: its fields, or the data by which pickle would rebuild it."""
    if "__dataclass_fields__" in kind.__dict__ or "__attrs_attrs__" in kind.__dict__:
        return _instance(value, kind, "library")
    try:
        reducer = copyreg.dispatch_table.get(kind)
        reduced = value.__reduce_ex__(4) if reducer is None else reducer(value)
    except Exception as error:
        raise UnencodableError(f"a value of type {_name(kind)} has no canonical form") from error
    if isinstance(reduced, str) and _is_global(value, kind, reduced):
        return Parts("named", (kind, reduced), made=True)
    if not isinstance(reduced, tuple) or len(reduced) < 2:  # noqa: PLR2004 - pickle's protocol
        raise UnencodableError(f"a value of type {_name(kind)} has no canonical form")
    if kind.__reduce_ex__ is object.__reduce_ex__ and kind.__reduce__ is object.__reduce__:
        state = [_without_copies(each) if isinstance(each, dict) else _listed(each) for each in reduced[2:]]
        return Parts("instance", (kind, *reduced[1:2], *state), boundary="library", made=True)
    rest = (_listed(each) for each in reduced[2:])
    return Parts("rebuilt", (kind, *reduced[:2], *rest), boundary="library", made=True)


def _is_global(value: object, kind: type, name: str) -> bool:
    """Whether some module has the value under the name that its reducer returned."""
    if kind.__module__ == "typing" or "." in name:
        return True
    return any(getattr(module, "__dict__", {}).get(name) is value for module in list(sys.modules.values()))


def _listed(part: object) -> object:
    """A part of a reduced value, as a list if it is an iterator."""
    if isinstance(part, Iterable) and not isinstance(part, list | tuple | dict | str | bytes | set | frozenset):
        return list(part) if hasattr(part, "__next__") else part
    return part


def _by_module(value: Any, kind: type) -> Parts | None:  # noqa: PLR0911 - a table in the shape of a function
    """The parts of values whose types are recognised by name, so that their modules are not imported."""
    module = kind.__module__.partition(".")[0]
    if module == "pathlib" and isinstance(value, sys.modules["pathlib"].PurePath):
        concrete = isinstance(value, sys.modules["pathlib"].Path)
        return Parts("path", (concrete, fspath(value)))
    if module == "uuid" and kind.__qualname__ == "UUID":
        return Parts("uuid", (value.hex,))
    if module == "zoneinfo" and kind.__qualname__ == "ZoneInfo":
        return Parts("zone", (value.key,))
    if module == "re" and kind.__qualname__ == "Pattern":
        return Parts("regex", (value.pattern, value.flags))
    if module in _IMPORTERS:  # their caches of directories change with the files in them
        return Parts("importer", (kind, *(getattr(value, name, None) for name in ("name", "path", "origin"))))
    if module in {"types", "typing"} and hasattr(value, "__origin__") and hasattr(value, "__args__"):
        metadata = getattr(value, "__metadata__", ())
        return Parts("alias", (value.__origin__, value.__args__, metadata))
    if isinstance(value, types.UnionType):
        return Parts("union", value.__args__, unordered=True)
    if kind is functools._lru_cache_wrapper:  # noqa: SLF001 - the class has no other name
        return Parts("cached", (value.__wrapped__, value.cache_parameters()))
    return None


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _dict(value: Any) -> Parts:
    flat: list[object] = []
    for key, item in value.items():
        flat += (key, item)
    return Parts("dict", flat)


def _cell(value: types.CellType) -> Parts:
    try:
        return Parts("cell", (value.cell_contents,))
    except ValueError:
        return Parts("empty cell")


_KNOWN: dict[type, Callable[..., Parts]] = {
    list: lambda value: Parts("list", tuple(value)),
    tuple: lambda value: Parts("tuple", value),
    dict: _dict,
    types.MappingProxyType: _dict,
    set: lambda value: Parts("set", tuple(value), unordered=True),
    frozenset: lambda value: Parts("frozenset", tuple(value), unordered=True),
    bytearray: lambda value: Parts("bytearray", (bytes(value),)),
    memoryview: lambda value: Parts("memoryview", (value.format, value.shape, value.tobytes())),
    range: lambda value: Parts("range", (value.start, value.stop, value.step)),
    slice: lambda value: Parts("slice", (value.start, value.stop, value.step)),
    deque: lambda value: Parts("deque", (value.maxlen, *value)),
    property: lambda value: Parts("property", (value.fget, value.fset, value.fdel)),
    staticmethod: lambda value: Parts("staticmethod", (value.__func__,)),
    classmethod: lambda value: Parts("classmethod", (value.__func__,)),
    functools.cached_property: lambda value: Parts("cached_property", (value.func,)),
    functools.partial: lambda value: Parts("partial", (value.func, value.args, value.keywords)),
    functools.partialmethod: lambda value: Parts("partialmethod", (value.func, value.args, value.keywords)),
    functools.singledispatchmethod: lambda value: Parts("by type", (value.dispatcher, value.func)),
    types.MethodType: lambda value: Parts("method", (value.__func__, value.__self__)),
    types.CellType: _cell,
}
