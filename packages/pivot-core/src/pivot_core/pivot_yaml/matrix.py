"""Matrix expansion: all combinations of the values of its dimensions, each with the name of its variant; pure."""

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
    """A matrix does not determine the names of its variants.

    Attributes:
        dimension: The dimension with the problem.
    """

    def __init__(self, message: str, dimension: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.dimension = dimension


@attrs.frozen(eq=False, repr=False)
class Combination(Value):
    """One combination: the name of the variant, and the value for each dimension."""

    variant: str
    values: Mapping[str, Any]


def combinations(matrix: Mapping[str, Sequence[Any] | Mapping[str, Any]]) -> list[Combination]:
    """All combinations, with the last dimension changing fastest.

    A dimension is a list of values, or a mapping from the name of each value to the value. The name of a variant
    consists of the names of its values, joined by ``_``.

    Raises:
        MatrixError: A value has no name, two have the same, or there are too many combinations.
    """
    named = []
    many = 1
    for dimension, values in matrix.items():
        many *= len(values)
        if many > MOST:
            raise MatrixError(
                f"with {dimension!r} there are more than {MOST:,} stages", dimension, hint="name fewer values"
            )
        named.append(_named(dimension, values))
    cells = [
        Combination("_".join(name for name, _ in cell), dict(zip(matrix, (value for _, value in cell), strict=True)))
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


def _named(dimension: str, values: Sequence[Any] | Mapping[str, Any]) -> list[tuple[str, Any]]:
    if isinstance(values, Mapping):
        pairs = list(values.items())
    else:
        pairs = [(_name(dimension, value), value) for value in values]
    if not pairs:
        raise MatrixError(
            f"{dimension!r} has no values", dimension, hint="name at least one value, or remove the dimension"
        )
    times = Counter(name for name, _ in pairs)
    twice = next((name for name in times if times[name] > 1), None)
    if twice is not None:
        raise MatrixError(
            f"two values of {dimension!r} have the name {twice!r}",
            dimension,
            hint=f"write each once, or give them names: {dimension}: {{name: value}}",
        )
    return pairs


def _name(dimension: str, value: Any) -> str:
    text = text_of(value)
    name = _NOT_IN_NAMES.sub("-", text) if text is not None else ""
    if not name:
        raise MatrixError(
            f"a value of {dimension!r} has no name that a stage could have",
            dimension,
            hint=f"give each a name: {dimension}: {{name: value}}",
        )
    return name
