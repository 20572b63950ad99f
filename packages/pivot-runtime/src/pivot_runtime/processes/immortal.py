"""Makes functions immortal, so that forked processes share the memory of their reference counts."""

import ctypes
import sys
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodDescriptorType, ModuleType, WrapperDescriptorType
from typing import Any, Final

_KNOWN_VERSION: Final = (3, 13)
"""The version of CPython whose objects begin with a reference count of 32 bits, as `_count` assumes."""
_METHODS: Final = (BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType)


def make_immortal(values: Iterable[object]) -> None:
    """Make the modules, classes and functions among these values immortal, with their methods and code.

    Python counts the references to an object in the object, so that a forked process that only calls a function copies
    the page that this is on. It never counts those to an immortal object (PEP 683); besides, that is never destroyed.
    This does nothing in interpreters whose objects may have another layout.
    """
    if _is_known():
        forever = _count(None).value
        for each in _with_parts(values):
            _count(each).value = forever


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
    for value in values:
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, type):
            yield value
            for each in vars(value).values():
                yield from _function(each)
        elif isinstance(value, ModuleType):
            yield value
        else:
            yield from _function(value)


def _function(value: Any) -> Iterator[object]:
    """A function, with its code and what wraps it as an attribute of a class; nothing for other values."""
    if isinstance(value, property | staticmethod | classmethod):
        yield value
        value = value.fget if isinstance(value, property) else value.__func__
    if isinstance(value, FunctionType):
        yield value
        yield from _nested(value.__code__)
    elif isinstance(value, _METHODS):
        yield value


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
