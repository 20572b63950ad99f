"""The first rows of the tables that stages have written: outs with rows that are no plots or metrics."""

import itertools
from collections.abc import Generator, Iterable, Sequence
from typing import Final

import attrs

from pivot_core.values import Value
from pivot_runtime.artifacts.records import Record
from pivot_runtime.comparing import row_files, series
from pivot_runtime.comparing.revisions import Revision, Revisions
from pivot_runtime.comparing.series import Row
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import ContentError, MissingLibraryError

_MOST: Final = 1 << 22
"""The bytes of the largest file that is read as a whole."""
_ROWS: Final = 10


@attrs.frozen(eq=False, repr=False)
class TableHead(Value):
    """The beginning of a table at a revision.

    Attributes:
        name: The path of the file, relative to the directory of the command.
        side: The name of the revision.
        columns: Its columns.
        rows: Its first rows.
        more: Whether there are more.
        problem: Why they cannot be read; empty if they can.
    """

    name: str
    side: str
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    more: bool = False
    problem: str = ""


def table_heads(context: CommandContext, sides: Sequence[str | None]) -> tuple[TableHead, ...]:
    """The beginnings of all tables, by path, at each revision that has them; None is the workspace.

    Raises:
        RevisionError: There is no such revision.
        PivotError: Git fails.
    """
    with Revisions.opened(context) as revisions:
        found = [revisions.read(side) for side in sides]
        heads = (
            _head(context, revisions, side, record)
            for path in sorted({path for side in found for path in side.records.by_path})
            for side in found
            if (record := side.records.by_path.get(path)) is not None and _may_be_table(record)
        )
        return tuple(head for head in heads if head is not None)


def _may_be_table(record: Record) -> bool:
    suffix = series.suffix(record.path)
    if record.kind or record.artifact.tree or record.tracked:
        return False
    return row_files.is_table(suffix) or (suffix == ".json" and record.artifact.size <= _MOST)


def _head(context: CommandContext, revisions: Revisions, side: Revision, record: Record) -> TableHead | None:
    """The beginning of a table; None for JSON that contains no rows."""
    name = context.project.from_cwd(record.path)
    try:
        read = _rows(revisions, side, record, name)
        found = list(itertools.islice(read, _ROWS + 1))
        if isinstance(read, Generator):
            read.close()
    except (ContentError, MissingLibraryError) as error:
        return TableHead(name, side.name, problem=f"{name}: {error}")
    except OSError as error:
        return TableHead(name, side.name, problem=f"{name} cannot be read: {error.strerror or error}")
    rows = tuple(found[:_ROWS])
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    if not rows and series.suffix(record.path) == ".json":
        return None
    return TableHead(name, side.name, columns, rows, more=len(found) > _ROWS)


def _rows(revisions: Revisions, side: Revision, record: Record, name: str) -> Iterable[Row]:
    suffix = series.suffix(record.path)
    if suffix == ".json" or not (record.cache or side.is_workspace):  # JSON is read as a whole, and so is what git has
        data = revisions.content(side, record, _MOST).data
        try:
            return series.parse_rows(data, name)
        except ContentError:
            return ()
    file = revisions.workspace_file(record) if side.is_workspace else None
    return row_files.rows_of(revisions.object_file(record) if file is None else file, suffix)()
