"""One page of a table, whatever its format."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from pivot_core.values import Value
from pivot_runtime.previews.cells import cell, shortened

MOST_ROWS: Final = 200
"""The rows of the largest page."""
MOST_COLUMNS: Final = 200
"""The columns that are shown."""
_FARTHEST: Final = 1 << 48


def _offset(number: int) -> int:
    return max(0, min(number, _FARTHEST))


def _limit(number: int) -> int:
    return max(1, min(number, MOST_ROWS))


@attrs.frozen(eq=False, repr=False)
class Window(Value):
    """The part of a table or a directory that is asked for.

    Attributes:
        offset: The number of rows before it.
        limit: The most rows in it, up to `MOST_ROWS`.
    """

    offset: int = attrs.field(default=0, converter=_offset)
    limit: int = attrs.field(default=50, converter=_limit)

    @property
    def end(self) -> int:
        """The number of the first row after it."""
        return self.offset + self.limit


@attrs.frozen(eq=False, repr=False)
class TableColumn(Value):
    """A column of a table.

    Attributes:
        name: Its name.
        type: Its type, in the words of who reads the file.
    """

    name: str
    type: str


@attrs.frozen(eq=False, repr=False)
class TablePreview(Value):
    """One page of a table.

    Attributes:
        columns: The columns.
        rows: The rows, each with a scalar of JSON for each column.
        offset: The number of rows before them.
        more: Whether there are further rows.
        total: The number of all rows; None if it is unknown.
        reader: The library that has read it, or ``csv`` or ``json``.
        notes: Remarks on columns that are left out, and on odd rows.
    """

    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[Any, ...], ...]
    offset: int
    more: bool
    total: int | None
    reader: str
    notes: tuple[str, ...] = ()


def columns_of(names: Sequence[str], types: Sequence[str]) -> tuple[TableColumn, ...]:
    """The columns with these names and types."""
    return tuple(TableColumn(shortened(name), shortened(kind)) for name, kind in zip(names, types, strict=True))


def cells_of(row: Iterable[Any]) -> tuple[Any, ...]:
    """The cells of a row as scalars of JSON."""
    return tuple(map(cell, row))


def left_out(columns: int) -> tuple[str, ...]:
    """The note on the columns that are not shown, if there are any."""
    return (f"it has {columns} columns, of which the first {MOST_COLUMNS} are shown",) if columns > MOST_COLUMNS else ()
