"""The first rows of the tables that stages have written: CSV, TSV, JSON and JSONL that are no plots or metrics."""

import os
from collections.abc import Sequence
from typing import Final

import attrs

from pivot_core.values import Value
from pivot_runtime.artifacts.records import Record
from pivot_runtime.comparing import series
from pivot_runtime.comparing.revisions import Revision, Revisions
from pivot_runtime.comparing.series import Row
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import ContentError

_BEGINNING: Final = 1 << 16
"""The bytes of a table that are read, except for JSON."""
_MOST_JSON: Final = 1 << 22
_LINES: Final = (".csv", ".jsonl", ".ndjson", ".tsv")
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
        return tuple(
            _head(context, revisions, side, record)
            for path in sorted({path for side in found for path in side.records.by_path})
            for side in found
            if (record := side.records.by_path.get(path)) is not None and _is_table(record)
        )


def _is_table(record: Record) -> bool:
    kind = series.suffix(record.path)
    return not (record.kind or record.artifact.tree or record.tracked) and kind in (*_LINES, ".json")


def _head(context: CommandContext, revisions: Revisions, side: Revision, record: Record) -> TableHead:
    name = context.project.from_cwd(record.path)
    try:
        data, whole = _beginning(revisions, side, record)
        rows = series.parse_rows(data, name)
    except ContentError as error:
        return TableHead(name, side.name, problem=str(error))
    except OSError as error:
        return TableHead(name, side.name, problem=f"{name} cannot be read: {error.strerror or error}")
    first = rows[:_ROWS]
    columns = tuple(dict.fromkeys(column for row in first for column in row))
    return TableHead(name, side.name, columns, first, more=not whole or len(rows) > len(first))


def _beginning(revisions: Revisions, side: Revision, record: Record) -> tuple[bytes, bool]:
    """The first complete lines of a file, and whether they are all; JSON is read completely."""
    if series.suffix(record.path) not in _LINES or not (record.cache or side.is_workspace):
        return revisions.content(side, record, _MOST_JSON).data, True
    file = revisions.workspace_file(record) if side.is_workspace else revisions.object_file(record)
    if file is None or not os.path.isfile(file):
        return revisions.content(side, record, _BEGINNING).data, True  # which says why it is not there
    with open(file, "rb") as opened:
        data = opened.read(_BEGINNING)
    if len(data) < _BEGINNING:
        return data, True
    return data[: data.rfind(b"\n") + 1], False
