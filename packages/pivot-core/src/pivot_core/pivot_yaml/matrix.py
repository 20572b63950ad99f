"""The variants of a stage, each with its name: all combinations of a matrix, or one for each value; pure."""

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from pivot_core.errors import DefinitionError
from pivot_core.stages.interpolation import text_of
from pivot_core.values import Value

MOST = 10_000
"""The maximum number of stages that a matrix may create."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_=,+-]+")


class MatrixError(DefinitionError):
    """The names of the variants are not determined.

    Attributes:
        dimension: The dimension with the problem; None if there is only one.
    """

    def __init__(self, message: str, dimension: str | None, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.dimension = dimension


@attrs.frozen(eq=False, repr=False)
class Combination(Value):
    """One combination.

    Attributes:
        variant: The name of the variant.
        key: The names of its values as they are written, joined by ``-``.
        values: The value for each dimension.
        at: The key or the position of each of these values among those of its dimension.
    """

    variant: str
    key: str
    values: Mapping[str, Any]
    at: Mapping[str, str | int]


@attrs.frozen(eq=False, repr=False)
class _Named(Value):
    """One value of a dimension: its key or position, its name as written, and that as part of the name of a stage."""

    at: str | int
    written: str
    name: str
    value: Any


def combinations(matrix: Mapping[str, Sequence[Any] | Mapping[str, Any]]) -> list[Combination]:
    """All combinations, with the last dimension changing fastest.

    A dimension is a list of values, or a mapping from the name of each value to the value; a mapping or a list in a
    list has the name of the dimension and its position. The name of a variant consists of the names of its values,
    joined by ``_``, with ``-`` for what a name cannot contain.

    Raises:
        MatrixError: A value has no name, two have the same, or there are too many combinations.
    """
    if not matrix:
        raise MatrixError("'matrix' has no dimensions", None, hint="name at least one, or remove the matrix")
    named = []
    many = 1
    for dimension, values in matrix.items():
        many *= len(values)
        if many > MOST:
            raise MatrixError(
                f"with {dimension!r} there are more than {MOST:,} stages", dimension, hint="name fewer values"
            )
        named.append(_named(repr(dimension), values, dimension, dimension))
        if not values:
            raise MatrixError(
                f"{dimension!r} has no values", dimension, hint="name at least one value, or remove the dimension"
            )
    cells = [
        Combination(
            "_".join(each.name for each in cell),
            "-".join(each.written for each in cell),
            dict(zip(matrix, (each.value for each in cell), strict=True)),
            dict(zip(matrix, (each.at for each in cell), strict=True)),
        )
        for cell in itertools.product(*named)
    ]
    seen: dict[str, Combination] = {}
    for cell in cells:
        other = seen.setdefault(cell.variant, cell)
        if other is not cell:
            raise MatrixError(
                f"two combinations have the name {cell.variant!r}",
                next(name for name in matrix if cell.values[name] != other.values[name]),
                hint="rename the values with a mapping from name to value",
            )
    return cells


def each_of(values: Sequence[Any] | Mapping[str, Any]) -> list[Combination]:
    """One combination for each value, which is its ``item``; the name of a value in a mapping is its ``key``.

    A value of a list is its own name, unless a mapping or a list is among them: then their positions are the names.

    Raises:
        MatrixError: A value has no name, two have the same, or there are too many.
    """
    if len(values) > MOST:
        raise MatrixError(f"there are more than {MOST:,} stages", None, hint="name fewer values")
    mapping = isinstance(values, Mapping)
    if not mapping and any(isinstance(value, list | Mapping) for value in values):
        values = {str(at): value for at, value in enumerate(values)}
    return [
        Combination(
            each.name,
            each.written,
            {"item": each.value, **({"key": each.written} if mapping else {})},
            {"item": each.at if mapping else number},
        )
        for number, each in enumerate(_named("'foreach'", values, None, "foreach"))
    ]


def _named(whose: str, values: Sequence[Any] | Mapping[str, Any], dimension: str | None, label: str) -> list[_Named]:
    if isinstance(values, Mapping):
        written: list[tuple[str | int, str, Any]] = [(name, str(name), value) for name, value in values.items()]
    else:
        written = [(at, _written(value, at, label), value) for at, value in enumerate(values)]
    found = [_Named(at, name, _NOT_IN_NAMES.sub("-", name), value) for at, name, value in written]
    if not all(each.name for each in found):
        raise MatrixError(
            f"a value of {whose} has no name that a stage could have",
            dimension,
            hint=f"give each a name: {label}: {{name: value}}",
        )
    times = Counter(each.name for each in found)
    twice = next((name for name in times if times[name] > 1), None)
    if twice is not None:
        raise MatrixError(
            f"two values of {whose} have the name {twice!r}",
            dimension,
            hint=f"write each once, or give them names: {label}: {{name: value}}",
        )
    return found


def _written(value: Any, at: int, label: str) -> str:
    if isinstance(value, list | Mapping):
        return f"{label}{at}"
    return "None" if value is None else text_of(value) or ""
