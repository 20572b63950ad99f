"""Makes functions immortal, so that forked processes share the memory of their reference counts."""

import ctypes
import gc
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
        for each in _with_parts(values):
            _mark(each)


def _mark(values: tuple[object, ...]) -> None:
    """Make these values immortal; audit hooks are called at each look at an address, so this looks at one."""
    counts = (ctypes.POINTER(ctypes.c_uint32) * len(values)).from_address(id(values) + tuple.__basicsize__)
    forever = _count(None).value
    for count in counts:
        count[0] = forever


def _is_known() -> bool:
    """Whether the layout of objects is the one that `_count` assumes."""
    ordinary = sys.implementation.name == "cpython" and sys.byteorder == "little" and sys.maxsize > 1 << 32
    counting = sys._is_gil_enabled() and not hasattr(sys, "gettotalrefcount")  # noqa: SLF001  # no debug build
    known = sys.version_info[:2] == _KNOWN_VERSION and ordinary and counting
    return known and _count(None).value == sys.getrefcount(None)


def _count(each: object) -> ctypes.c_uint32:
    return ctypes.c_uint32.from_address(id(each))


def _with_parts(values: Iterable[object]) -> Iterator[tuple[object, ...]]:
    """The mortal ones among these values, and then, once those are immortal, those among their parts, and so on."""
    forever = _count(None).value
    classes: set[object] = set()
    pending = list(values)
    while pending:
        found = tuple(each for each in pending if sys.getrefcount(each) != forever and _becomes_immortal(each))
        functions = {each for each in found if type(each) is FunctionType}
        new = {each for each in pending if isinstance(each, type)} - classes
        pending = [each for each in gc.get_referents(*functions) if type(each) in (CodeType, tuple)]
        for cls in new:
            pending += _of_class(cls)
        for each in found:
            pending += _PARTS.get(type(each), _none)(each)
        classes |= new
        yield found


def _becomes_immortal(value: object) -> bool:
    return type(value) in _PARTS or isinstance(value, type)


def _none(_: object) -> tuple[object, ...]:
    return ()


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
    FunctionType: _none,  # see `_with_parts`: audit hooks are called at each look at its code
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
        _none,
    ),
}
"""The parts of each kind of value that becomes immortal; the values in a dictionary do not."""
