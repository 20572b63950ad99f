"""The difference of two tables, row by row, in bounded memory; pure."""

import collections
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import attrs

from pivot_core.errors import list_names, suggest
from pivot_core.files.digest import canonical_json, digest_bytes
from pivot_core.progress import no_progress
from pivot_core.values import Value
from pivot_runtime.comparing.values import is_number
from pivot_runtime.errors import ContentError, RowKeyError

type Row = Mapping[str, Any]
type Rows = Callable[[], Iterator[Row]]
"""Begins to read the rows of a table, each as values by column."""

MOST_KEYS: Final = 2_000_000
"""The most rows of a table that are compared by keys, which are all kept in memory."""
_EXACT: Final = 1 << 53
_EVERY: Final = 10_000


@attrs.frozen(eq=False, repr=False)
class RowChange(Value):
    """A row that differs.

    Attributes:
        kind: Whether it is new, no longer there, or has other values.
        key: Its number from 1 in the last table that has it, or the values of its key columns.
        old: Its old values, of all columns that are displayed; empty if it is new.
        new: Its new values likewise.
    """

    kind: Literal["added", "removed", "changed"]
    key: tuple[Any, ...]
    old: Row = attrs.field(factory=dict)
    new: Row = attrs.field(factory=dict)


@attrs.frozen(eq=False, repr=False)
class TableDifference(Value):
    """The difference of two tables.

    Attributes:
        rows: The numbers of rows.
        added: The number of new rows.
        removed: The number of rows that are no longer there.
        changed: The number of rows with other values in a column that both tables have.
        columns_added: New columns.
        columns_removed: Columns that are no longer there.
        columns_retyped: By column, the types of its values, as far as they differ.
        keys: The columns by which rows are matched; by their position without any.
        examples: The first rows that differ.
    """

    rows: tuple[int, int]
    added: int
    removed: int
    changed: int
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    columns_retyped: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)
    keys: tuple[str, ...] = ()
    examples: tuple[RowChange, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both have the same rows and columns."""
        columns = self.columns_added or self.columns_removed or self.columns_retyped
        return not (self.added or self.removed or self.changed or columns)


def compare(
    old: Rows, new: Rows, keys: Sequence[str] = (), most: int = 20, progress: Callable[[int], object] = no_progress
) -> TableDifference:
    """Compare two tables, matching rows by their positions or by the values of key columns.

    Rows with one key are matched in their order. ``progress`` is called with numbers of rows read since the last call.

    Raises:
        RowKeyError: A table has no such column.
        ContentError: There are too many rows to be matched by keys.
    """
    before, after = (_profile(rows, progress) for rows in (old, new))
    for key in keys:
        lacking = next((each for each in (before, after) if key not in each.types), None)
        if lacking is not None:
            hint = suggest(key, lacking.types, most=3) or f"its columns are {list_names([*lacking.types], 10)}"
            raise RowKeyError(f"there is no column {key!r}", hint=hint)
    both = [name for name in after.types if name in before.types and name not in keys]
    matching = _by_keys(old, new, keys, both, progress) if keys else _by_position(old, new, both, progress)
    counts: collections.Counter[str] = collections.Counter()
    examples: list[RowChange] = []
    for change in matching:
        counts[change.kind] += 1
        if len(examples) < most:
            examples.append(change)
    if keys:
        examples = _with_old_values(old, keys, both, examples)
    return TableDifference(
        (before.count, after.count),
        counts["added"],
        counts["removed"],
        counts["changed"],
        tuple(name for name in after.types if name not in before.types),
        tuple(name for name in before.types if name not in after.types),
        {
            name: (before.types[name], kind)
            for name, kind in after.types.items()
            if name in before.types and "" not in (kind, before.types[name]) and kind != before.types[name]
        },
        tuple(keys),
        tuple(examples),
    )


@attrs.frozen(eq=False, repr=False)
class _Profile(Value):
    types: Mapping[str, str]
    count: int


def _profile(rows: Rows, progress: Callable[[int], object]) -> _Profile:
    """The columns of a table with the types of their values, and the number of rows."""
    types: dict[str, str] = {}
    count = 0
    for count, row in enumerate(_reported(rows(), progress), 1):  # noqa: B007  # the last number is the count
        for name, value in row.items():
            known = types.get(name)
            kind = type_of(value)
            if known is None:
                types[name] = kind
            elif kind and kind != known:
                types[name] = _joined(known, kind)
    return _Profile(types, count)


def type_of(value: Any) -> str:
    """The name of the type of a value; empty for a missing one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((int, "integer"), (float, "number"), (str, "text"), (list, "list"), (Mapping, "object")):
        if isinstance(value, kind):
            return name
    return type(value).__name__


def _joined(one: str, other: str) -> str:
    if not one:
        return other
    return "number" if {one, other} == {"integer", "number"} else "mixed"


def _reported(rows: Iterator[Row], progress: Callable[[int], object]) -> Iterator[Row]:
    for number, row in enumerate(rows, 1):
        yield row
        if number % _EVERY == 0:
            progress(_EVERY)


def _by_position(
    old: Rows, new: Rows, columns: Sequence[str], progress: Callable[[int], object]
) -> Iterator[RowChange]:
    pairs = itertools.zip_longest(old(), _reported(new(), progress))
    for number, (before, after) in enumerate(pairs, 1):
        if before is None:
            yield RowChange("added", (number,), new=after)
        elif after is None:
            yield RowChange("removed", (number,), old=before)
        elif before != after and _token(before, columns) != _token(after, columns):
            yield RowChange("changed", (number,), *_differing(before, after, columns))


def _by_keys(
    old: Rows, new: Rows, keys: Sequence[str], columns: Sequence[str], progress: Callable[[int], object]
) -> Iterator[RowChange]:
    """Yield the changes; of the old table, only digests are kept, so old values are not known yet."""
    known: dict[str, str] = {}
    for key, row in _numbered(old(), keys):
        if len(known) == MOST_KEYS:
            raise ContentError(f"more than {MOST_KEYS:,} rows cannot be matched by keys", hint="omit --key")
        known[key] = _token(row, columns)
    for key, row in _numbered(_reported(new(), progress), keys):
        values = tuple(row.get(name) for name in keys)
        token = known.pop(key, None)
        if token is None:
            yield RowChange("added", values, new=row)
        elif token != _token(row, columns):
            yield RowChange("changed", values, {_KEY: key}, row)
    for key in known:
        yield RowChange("removed", (), {_KEY: key})


_KEY: Final = "\0key"
"""Where a change holds the digest of its key until its old values are known."""


def _with_old_values(
    old: Rows, keys: Sequence[str], columns: Sequence[str], examples: list[RowChange]
) -> list[RowChange]:
    wanted = {change.old[_KEY]: index for index, change in enumerate(examples) if _KEY in change.old}
    found = list(examples)
    for key, row in _numbered(old(), keys) if wanted else ():
        index = wanted.get(key)
        if index is None:
            continue
        change = examples[index]
        values = tuple(row.get(name) for name in keys)
        if change.kind == "removed":
            found[index] = RowChange("removed", values, old=row)
        else:
            found[index] = RowChange("changed", values, *_differing(row, change.new, columns))
    return found


def _numbered(rows: Iterator[Row], keys: Sequence[str]) -> Iterator[tuple[str, Row]]:
    """Each row with a digest of its key and of the number of earlier rows with the same key."""
    counts: dict[str, int] = {}
    for row in rows:
        digest = digest_bytes(_token(row, keys).encode())
        count = counts[digest] = counts.get(digest, 0) + 1
        yield (digest if count == 1 else f"{digest}:{count}"), row


def _differing(before: Row, after: Row, columns: Sequence[str]) -> tuple[Row, Row]:
    names = [name for name in columns if _token(before, (name,)) != _token(after, (name,))]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def _token(row: Row, columns: Sequence[str]) -> str:
    """A text that is equal for equal values, such as 1 and 1.0, or NaN and NaN."""
    return canonical_json([_normal(row.get(name)) for name in columns])


def _normal(value: Any) -> Any:
    if isinstance(value, str) or value is None:
        return value
    if is_number(value):
        return float(value) if abs(value) <= _EXACT or isinstance(value, float) else value
    if isinstance(value, bool):
        return value
    if isinstance(value, list):
        return [_normal(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _normal(each) for key, each in value.items()}
    return [type(value).__name__, str(value)]
