"""Makes functions immortal, so that forked processes share the memory of their reference counts."""

import ctypes
import sys
from collections.abc import Iterable, Iterator
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
_ATTRIBUTES: Final = frozenset({str, tuple})
"""The types of attributes of classes that no call uses."""
_PLAIN: Final = frozenset(
    {
        *(str, bytes, int, float, complex, BuiltinFunctionType, ClassMethodDescriptorType),
        *(GetSetDescriptorType, MemberDescriptorType, MethodDescriptorType, MethodWrapperType, WrapperDescriptorType),
    }
)


def make_immortal(values: Iterable[object]) -> None:
    """Make the modules, classes and functions among these values immortal, with their methods, code and constants.

    Other values are left alone, but for tuples, texts and numbers, which nobody notices.

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
        value: Any = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        kind = type(value)
        if kind is FunctionType:
            pending += (value.__code__, *(value.__closure__ or ()))
        elif kind is CodeType:
            pending += value.co_consts
        elif kind is tuple or kind is frozenset:
            pending += value
        elif isinstance(value, type):
            pending += (each for each in vars(value).values() if type(each) not in _ATTRIBUTES)
            yield value.__mro__
        elif kind is property:
            pending.append(value.fget)
        elif kind is staticmethod or kind is classmethod:
            pending.append(value.__func__)
        elif kind is CellType:
            pending += _content(value)
        elif kind is MethodType:
            pending += (value.__func__, value.__self__)
        elif kind is ModuleType:
            yield vars(value)
        elif kind not in _PLAIN:
            continue
        yield value


def _content(cell: CellType) -> tuple[object, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()
