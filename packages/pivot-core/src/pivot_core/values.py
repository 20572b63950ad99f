"""The common base of small value classes, with comparison and ``repr`` field by field."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

LATER: Final[Mapping[str, bool]] = {"pivot_fingerprint_later": True}
"""The metadata of a field that a public class got later: values with its default count as they did before."""
_LEAST_OF_A_TUPLE: Final = 2
_getters: Final[dict[type, Callable[[Any], tuple[Any, ...]]]] = {}
"""The getter of the compared fields of each class, made at its first comparison."""


class Value:
    """The base of classes made with ``@attrs.frozen(eq=False, repr=False)``; they behave as if both were true.

    attrs compiles these methods for each class at import, which took most of a short command's start-up time. Here, one
    method serves all classes; the ``eq`` and ``repr`` of fields count as usual.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        compared = _getters.get(self.__class__) or _getter(self.__class__)
        return compared(self) == compared(other)

    def __hash__(self) -> int:
        compared = _getters.get(self.__class__) or _getter(self.__class__)
        return hash((self.__class__, compared(self)))

    def __repr__(self) -> str:
        parts = (f"{field.name}={getattr(self, field.name)!r}" for field in _fields(self.__class__) if field.repr)
        return f"{self.__class__.__qualname__.rpartition('>.')[2]}({', '.join(parts)})"


def _getter(cls: type) -> Callable[[Any], tuple[Any, ...]]:
    """A getter of the compared fields of a class."""
    names = [field.name for field in _fields(cls) if field.eq]
    if len(names) < _LEAST_OF_A_TUPLE:
        return _getters.setdefault(cls, lambda value: tuple([getattr(value, name) for name in names]))
    return _getters.setdefault(cls, operator.attrgetter(*names))


def _fields(cls: Any) -> tuple[Any, ...]:
    fields: tuple[Any, ...] = cls.__attrs_attrs__
    return fields
