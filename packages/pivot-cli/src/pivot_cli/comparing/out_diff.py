"""Formats the difference of a file or directory between revisions as text, Markdown and the documented JSON; pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pivot_cli.comparing import tables
from pivot_cli.terminal import formats
from pivot_core.errors import list_names
from pivot_core.lock import Artifact
from pivot_runtime.comparing.diff import LineDifference, OutDifference, TreeDifference
from pivot_runtime.comparing.row_diff import RowChange, TableDifference
from pivot_runtime.comparing.values import MISSING, Absent, Difference

_MOST_NAMES: Final = 10


def to_text(found: OutDifference, most: int, precision: int, *, markdown: bool = False) -> str:
    """Return a summary and, for tables, values, lines and files, the first differences."""
    head = [*_summary(found), *([found.note] if found.note else [])]
    body = _Body(found.sides, most, precision, markdown=markdown)
    detail = found.detail
    if isinstance(detail, TableDifference):
        head += list(_columns(detail, found.sides))
        text = body.rows(detail)
    elif isinstance(detail, LineDifference):
        text = body.lines(detail)
    elif isinstance(detail, TreeDifference):
        text = body.files(detail)
    else:
        text = body.values(detail or ())
    lines = formats.one_per_line(tables.markdown_cell(line) if markdown else line for line in head)
    return f"{lines}\n{text}" if text else lines


def to_json(found: OutDifference, most: int) -> dict[str, Any]:
    """Return the documented JSON; ``kind`` says which other fields there are."""
    old, new = found.artifacts
    detail = found.detail
    return {
        "path": found.path,
        "from": found.sides[0],
        "to": found.sides[1],
        "same": found.same,
        "old": _artifact_json(old),
        "new": _artifact_json(new),
        **({"note": found.note} if found.note else {}),
        **_detail_json(detail, most),
    }


def _detail_json(detail: object, most: int) -> dict[str, Any]:
    match detail:
        case TableDifference():
            return {
                "kind": "table",
                "rows": {"old": detail.rows[0], "new": detail.rows[1]},
                "added": detail.added,
                "removed": detail.removed,
                "changed": detail.changed,
                "columns_added": list(detail.columns_added),
                "columns_removed": list(detail.columns_removed),
                "columns_retyped": {
                    name: {"old": old, "new": new} for name, (old, new) in detail.columns_retyped.items()
                },
                "key": list(detail.keys),
                "examples": [_row_json(change, detail.keys) for change in detail.examples],
            }
        case LineDifference():
            return {
                "kind": "text",
                "added": detail.added,
                "removed": detail.removed,
                "lines": list(detail.lines),
                "more": detail.more,
            }
        case TreeDifference():
            names = {"added": detail.added, "removed": detail.absent, "changed": detail.changed}
            return {
                "kind": "directory",
                **{kind: len(found) for kind, found in names.items()},
                "files": {kind: list(found[:most]) for kind, found in names.items()},
            }
        case tuple():
            return {"kind": "values", "values": [_value_json(each) for each in detail[:most]], "count": len(detail)}
    return {"kind": "bytes"}


def _row_json(change: RowChange, keys: Sequence[str]) -> dict[str, Any]:
    key = dict(zip(keys, change.key, strict=True)) if keys else change.key[0]
    return {
        "change": change.kind,
        "key" if keys else "row": tables.plain(key),
        **({"old": tables.plain(change.old)} if change.kind != "added" else {}),
        **({"new": tables.plain(change.new)} if change.kind != "removed" else {}),
    }


def _value_json(value: Difference) -> dict[str, Any]:
    old, new = value.sides
    return {
        "name": value.name,
        **({} if isinstance(old, Absent) else {"old": tables.plain(old)}),
        **({} if isinstance(new, Absent) else {"new": tables.plain(new)}),
    }


def _artifact_json(artifact: Artifact | None) -> dict[str, Any] | None:
    if artifact is None:
        return None
    return {"digest": artifact.digest, "size": artifact.size, "directory": artifact.tree}


def _where(side: str) -> str:
    return "in the workspace" if side == "workspace" else f"at {side}"


def _summary(found: OutDifference) -> Iterator[str]:
    (old, new), (one, other) = found.artifacts, map(_where, found.sides)
    detail = found.detail
    if old is None or new is None:
        there, gone = (other, one) if old is None else (one, other)
        only = new if old is None else old
        size = "" if only is None else f" ({formats.size(only.size)})"
        yield f"{found.name} is not there {gone}{f', and is {there}{size}' if only is not None else f' nor {there}'}"
    elif found.same:
        yield f"{found.name} is the same {one} and {other}"
    elif isinstance(detail, TableDifference):
        counts = f"{detail.added} added, {detail.removed} removed, {detail.changed} changed"
        rows = [formats.counted(number, "row") for number in detail.rows]
        yield f"{found.name}: {rows[0]} {one}, {rows[1]} {other}: {counts}"
        if detail.same:
            yield "the rows and columns are the same; only the bytes differ"
    elif isinstance(detail, LineDifference):
        yield f"{found.name}: {formats.counted(detail.added, 'line')} added, {detail.removed} removed"
    elif isinstance(detail, TreeDifference):
        counts = f"{len(detail.added)} added, {len(detail.absent)} removed, {len(detail.changed)} changed"
        yield f"{found.name}: {formats.counted(detail.listed, 'file')} {one}: {counts}"
    elif isinstance(detail, tuple):
        yield f"{found.name}: {formats.counted(len(detail), 'value')} changed"
    else:
        sizes = [f"{formats.size(each.size)} ({each.digest[:8]}) {where}" for each, where in ((old, one), (new, other))]
        yield f"{found.name}: {sizes[0]}, {sizes[1]}"


def _columns(detail: TableDifference, sides: Sequence[str]) -> Iterator[str]:
    if detail.columns_added:
        yield f"columns added: {list_names(detail.columns_added, _MOST_NAMES)}"
    if detail.columns_removed:
        yield f"columns removed: {list_names(detail.columns_removed, _MOST_NAMES)}"
    for name, (old, new) in list(detail.columns_retyped.items())[:_MOST_NAMES]:
        yield f"column {name}: {old} {_where(sides[0])}, {new} {_where(sides[1])}"


class _Body:
    """Formats details in one of both forms."""

    def __init__(self, sides: Sequence[str], most: int, precision: int, *, markdown: bool) -> None:
        self._sides = tuple(sides)
        self._most = most
        self._precision = precision
        self._markdown = markdown

    def rows(self, detail: TableDifference) -> str:
        """The first rows that differ, one line for each value."""
        keys = detail.keys or ("row",)
        lines = []
        for change in detail.examples:
            key = tuple(self._shown(each) for each in change.key)
            if change.kind == "changed":
                for number, name in enumerate(change.new):
                    pair = tables.shown_apart(change.old.get(name), change.new[name], self._precision)
                    lines.append(((change.kind, *key) if number == 0 else ("",) * (len(key) + 1)) + (name, *pair))
            else:
                old, new = (self._row(row) for row in (change.old, change.new))
                lines.append((change.kind, *key, "", old, new))
        left = detail.added + detail.removed + detail.changed - len(detail.examples)
        return self._table(("change", *keys, "column", *self._sides), lines, left, "row")

    def values(self, detail: Sequence[Difference]) -> str:
        """The first values that differ."""
        lines = [
            (
                each.name,
                *tables.shown_apart(each.sides[0], each.sides[-1], self._precision),
                tables.signed(each.change, self._precision),
            )
            for each in detail[: self._most]
        ]
        return self._table(("name", *self._sides, "change"), lines, len(detail) - len(lines), "value")

    def files(self, detail: TreeDifference) -> str:
        """The first files that differ."""
        names = {"added": detail.added, "removed": detail.absent, "changed": detail.changed}
        lines = [(kind, name) for kind, found in names.items() for name in found]
        return self._table(("change", "file"), lines[: self._most], len(lines) - self._most, "file")

    def lines(self, detail: LineDifference) -> str:
        """The first lines of a unified diff."""
        text = formats.one_per_line(detail.lines)
        text += f"… {formats.counted(detail.more, 'more line')}\n" if detail.more else ""
        return f"```diff\n{text.replace('```', '` ` `')}```\n" if self._markdown else text

    def _table(self, header: Sequence[str], lines: Sequence[Sequence[str]], left: int, noun: str) -> str:
        more = f"… {formats.counted(left, f'more {noun}')}\n" if left > 0 else ""
        if not lines:
            return more
        if self._markdown:
            return tables.markdown_table(header, lines) + (f"\n{more}" if more else "")
        own = [name if name in self._sides else name.upper() for name in header]
        return tables.text_table(own, lines) + more

    def _shown(self, value: Any) -> str:
        return tables.shown(value, self._precision)

    def _row(self, row: Mapping[str, Any]) -> str:
        if not row:
            return self._shown(MISSING)
        text = ", ".join(f"{name}={self._shown(value)}" for name, value in row.items())
        return text if len(text) <= tables.WIDEST else f"{text[: tables.WIDEST - 1]}…"
