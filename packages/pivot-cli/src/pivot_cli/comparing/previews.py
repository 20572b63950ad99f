"""Formats previews of artifacts as JSON data; pure."""

from typing import Any

from pivot_runtime.previews.preview import (
    AbsentContent,
    BinaryPreview,
    Detail,
    DirectoryPreview,
    DocumentPreview,
    ImagePreview,
    PlotPreview,
    Preview,
    TablePreview,
    TextPreview,
    TooLarge,
)

__all__ = ["PlotPreview", "preview_json"]


def preview_json(found: Preview) -> dict[str, Any]:
    """Return a preview as JSON data; a plot has its rows and columns, and no drawing."""
    kind, detail = _detail(found.detail)
    return {
        "path": found.path,
        "side": found.side,
        "kind": kind,
        "size": found.size,
        "digest": found.digest,
        "title": found.title,
        "problem": {"error": found.problem, "hint": found.hint} if found.problem else None,
        **detail,
    }


def _detail(detail: Detail) -> tuple[str, dict[str, Any]]:  # noqa: PLR0911  # one return per kind
    match detail:
        case TablePreview():
            return "table", _table(detail)
        case DocumentPreview():
            return "json", {"value": detail.value, "cut": detail.cut}
        case TextPreview():
            return "text", {"text": detail.text, "cut": detail.cut, "encoding": detail.encoding}
        case ImagePreview():
            return "image", {"media": detail.media, "width": detail.width, "height": detail.height}
        case PlotPreview():
            axes = detail.axes
            return "plot", {"chart": axes.kind, "x": axes.x, "y": list(axes.y), "group": axes.group}
        case DirectoryPreview():
            entries = [{"name": each.name, "kind": each.kind, "size": each.size} for each in detail.entries]
            return "directory", {"entries": entries, "offset": detail.offset, "total": detail.total}
        case BinaryPreview():
            return "binary", {"head": detail.head.hex()}
        case AbsentContent():
            return "absent", {"where": detail.where, "command": detail.command}
        case TooLarge():
            return "too_large", {"bound": detail.most}


def _table(table: TablePreview) -> dict[str, Any]:
    return {
        "columns": [{"name": each.name, "type": each.type} for each in table.columns],
        "rows": [list(row) for row in table.rows],
        "offset": table.offset,
        "total": table.total,
        "more": table.more,
        "reader": table.reader,
        "notes": list(table.notes),
    }
