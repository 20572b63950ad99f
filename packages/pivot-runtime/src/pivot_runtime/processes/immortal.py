"""Makes functions immortal, so that forked processes share the memory of their reference counts."""

import ctypes
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import (
    BuiltinFunctionType,
    CellType,
    ClassMethodDescriptorType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, Final

_KNOWN_VERSION: Final = (3, 13)
"""The version of CPython whose objects begin with a reference count of 32 bits, as `_count` assumes."""


def make_immortal(values: Iterable[object]) -> None:
    """Make the modules, classes and functions among these values immortal, with their methods, code and constants.

    So are texts, numbers, tuples and dictionaries, without the values in these; other objects are left alone.

    Python counts the references to an object in the object, so that a forked process that only calls a function copies
    the page that this is on. It never counts those to an immortal object (PEP 683); besides, that is never destroyed.
    This does nothing in interpreters whose objects may have another layout.
    """
    if _is_known():
        forever, count_at = _count(None).value, ctypes.c_uint32.from_address
        for each in _with_parts(values):
            count_at(id(each)).value = forever


def _is_known() -> bool:
    """Whether the layout of objects is the one that `_count` assumes."""
    ordinary = sys.implementation.name == "cpython" and sys.byteorder == "little" and sys.maxsize > 1 << 32
    counting = sys._is_gil_enabled() and not hasattr(sys, "gettotalrefcount")  # noqa: SLF001  # no debug build
    known = sys.version_info[:2] == _KNOWN_VERSION and ordinary and counting
    return known and _count(None).value == sys.getrefcount(None)


def _count(each: object) -> ctypes.c_uint32:
    return ctypes.c_uint32.from_address(id(each))


def _with_parts(values: Iterable[object]) -> Iterator[object]:
    seen: set[int] = set()
    pending = list(values)
    while pending:
        value = pending.pop()
        if id(value) not in seen:
            seen.add(id(value))
            parts = _PARTS.get(type(value)) or (_of_class if isinstance(value, type) else None)
            if parts is not None:
                pending += parts(value)
                yield value


def _of_class(value: Any) -> list[object]:
    return [value.__mro__, *(each for each in vars(value).values() if type(each) not in (str, tuple))]


def _in_cell(cell: CellType) -> tuple[object, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # it is empty
        return ()


_PARTS: Final[Mapping[type, Callable[[Any], Iterable[object]]]] = {
    CellType: _in_cell,
    CodeType: lambda code: code.co_consts,
    FunctionType: lambda function: (function.__code__, *(function.__closure__ or ())),
    MethodType: lambda method: (method.__func__, method.__self__),
    ModuleType: lambda module: (vars(module),),
    classmethod: lambda method: (method.__func__,),
    frozenset: lambda values: values,
    property: lambda attribute: (attribute.fget,),
    staticmethod: lambda function: (function.__func__,),
    tuple: lambda values: values,
    **dict.fromkeys(
        (
            *(BuiltinFunctionType, ClassMethodDescriptorType, GetSetDescriptorType, MemberDescriptorType),
            *(MethodDescriptorType, MethodWrapperType, WrapperDescriptorType),
            *(bytes, complex, dict, float, int, str),
        ),
        lambda _: (),
    ),
}
"""The parts of each kind of value that becomes immortal; the values in a dictionary do not."""
