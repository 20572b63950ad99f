"""Charts: Vega-Lite specifications of plots, with their values, for one or several revisions; pure."""

import collections
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pivot_core.spec import PlotOptions
from pivot_runtime.comparing.plots import PlotSide
from pivot_runtime.comparing.series import Axes, Row, drawn, is_number

_SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"
_MOST_POINTS: Final = 5000
"""The points of one line or cloud; of more, evenly distributed ones are drawn."""
_FEW: Final = 60
"""The points of a line that are marked."""
_LEVEL: Final = 40
"""The characters that fit side by side below a narrow chart."""
_MARKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "line": {"type": "line", "interpolate": "linear"},
    "scatter": {"type": "point", "filled": True, "opacity": 0.7, "size": 40},
    "bar": {"type": "bar"},
}


def chart(path: str, options: PlotOptions, axes: Axes, sides: Sequence[PlotSide]) -> dict[str, Any]:
    """Return the specification of a plot; the values are in it under names that are the same for all plots.

    ``x`` and ``y`` are the coordinates, ``series`` the column or group, and ``revision`` the name of the revision.
    """
    if axes.kind == "confusion":
        return _matrix(path, options, axes, sides)
    values = [value for side in sides for value in _points(axes, side)]
    several = len({value["revision"] for value in values}) > 1, len({value["series"] for value in values}) > 1
    if axes.kind == "bar" and all(several):
        for value in values:
            value["series"] = f"{value['series']}, {value['revision']}"
    x_kind = "nominal" if axes.kind == "bar" else _kind([value["x"] for value in values])
    mark = dict(_MARKS[axes.kind])
    if axes.kind == "line":
        mark["point"] = len(values) <= _FEW * len({(value["revision"], value["series"]) for value in values})
    encoding: dict[str, Any] = {
        "x": {"field": "x", "type": x_kind, "title": options.x_label or axes.x or "row"},
        "y": {"field": "y", "type": "quantitative", "title": options.y_label or ", ".join(axes.y)},
    }
    if axes.kind != "bar":
        encoding["y"]["scale"] = {"zero": False}
        if x_kind == "quantitative":
            encoding["x"]["scale"] = {"zero": False, "nice": False}
            if all(isinstance(value["x"], int) for value in values):
                encoding["x"]["axis"] = {"tickMinStep": 1}
    if x_kind == "nominal":
        encoding["x"]["sort"] = None
        if sum(len(str(name)) + 2 for name in {value["x"] for value in values}) < _LEVEL:
            encoding["x"]["axis"] = {"labelAngle": 0}
    encoding |= _colours(axes.kind, sides, *several)
    encoding["tooltip"] = [
        {"field": name, "type": kind, "title": title}
        for name, kind, title, shown in (
            ("revision", "nominal", "revision", several[0]),
            ("series", "nominal", axes.group or "column", several[1]),
            ("x", x_kind, axes.x or "row", True),
            ("y", "quantitative", axes.y[0] if len(axes.y) == 1 else "value", True),
        )
        if shown
    ]
    return {
        "$schema": _SCHEMA,
        "title": options.title or path,
        "data": {"values": values},
        "mark": {**mark, "tooltip": True},
        "encoding": encoding,
        "width": "container",
        "height": 320,
    }


def notes(axes: Axes, sides: Sequence[PlotSide]) -> list[str]:
    """Return remarks on rows that are not drawn."""
    found = []
    for side in sides:
        count = len(side.rows or ())
        if axes.kind != "confusion" and count > _MOST_POINTS:
            found.append(f"{side.name}: {_MOST_POINTS} of {count} rows are drawn")
    return found


def _points(axes: Axes, side: PlotSide) -> Iterator[dict[str, Any]]:
    for number, row in _some(side.rows or ()):
        for column in axes.y:
            x = drawn(row.get(axes.x)) if axes.x else number
            y = drawn(row.get(column))
            if is_number(y) and x is not None:
                series = str(row.get(axes.group)) if axes.group else ""
                if len(axes.y) > 1:
                    series = f"{column}, {series}" if series else column
                yield {"x": x, "y": y, "series": series, "revision": side.name}


def _some(rows: Sequence[Row]) -> Iterator[tuple[int, Row]]:
    """Yield all rows with their numbers, or evenly distributed ones, of which the last is one."""
    if len(rows) <= _MOST_POINTS:
        yield from enumerate(rows)
        return
    step = (len(rows) - 1) / (_MOST_POINTS - 1)
    for number in range(_MOST_POINTS):
        at = round(number * step)
        yield at, rows[at]


def _kind(values: Sequence[Any]) -> str:
    if all(is_number(value) for value in values):
        return "quantitative"
    return "temporal" if all(_is_time(value) for value in values) else "nominal"


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) >= len("2026-01-01") and bool(dt.datetime.fromisoformat(value))
    except ValueError:
        return False


def _colours(kind: str, sides: Sequence[PlotSide], revisions: bool, series: bool) -> dict[str, Any]:  # noqa: FBT001
    """Return the channels for several revisions and several series; with both, lines of one series are dashed alike.

    The series of bars contain the revision then.
    """
    names = [side.name for side in sides]
    by_revision = {"field": "revision", "type": "nominal", "sort": names, "title": "revision"}
    by_series = {"field": "series", "type": "nominal", "sort": None, "title": None}
    if kind == "bar":
        channel = by_series if series else by_revision
        return {"color": channel, "xOffset": dict(channel)} if revisions or series else {}
    if revisions and series:
        dashed = {**by_series, "legend": {"symbolType": "stroke", "symbolSize": 300}}
        return {"color": by_revision, **({"strokeDash": dashed} if kind == "line" else {"shape": by_series})}
    return {"color": by_revision} if revisions else {"color": by_series} if series else {}


def _matrix(path: str, options: PlotOptions, axes: Axes, sides: Sequence[PlotSide]) -> dict[str, Any]:
    """Return a table of the number of rows for each pair of classes, and one for each revision."""
    values = []
    for side in sides:
        pairs = collections.Counter(
            (str(drawn(row.get(axes.x))), str(drawn(row.get(axes.y[0])))) for row in side.rows or ()
        )
        most = max(pairs.values(), default=1)
        values += [
            {"x": x, "y": y, "count": count, "share": count / most, "revision": side.name}
            for (x, y), count in sorted(pairs.items())
        ]
    channels = {
        "x": {
            "field": "x",
            "type": "nominal",
            "title": options.x_label or axes.x,
            "axis": {"orient": "top", "labelAngle": 0, "labelLimit": 54},
        },
        "y": {"field": "y", "type": "nominal", "title": options.y_label or axes.y[0]},
    }
    tooltip = [{"field": name, "title": title} for name, title in (("x", axes.x), ("y", axes.y[0]), ("count", "rows"))]
    shade = {"field": "share", "type": "quantitative", "scale": {"scheme": "blues", "domain": [0, 1]}, "legend": None}
    ink = {"condition": {"test": "datum.share > 0.5", "value": "white"}, "value": "black"}
    layers = {
        "layer": [
            {"mark": {"type": "rect"}, "encoding": {"color": shade, "tooltip": tooltip}},
            {"mark": {"type": "text"}, "encoding": {"text": {"field": "count"}, "color": ink, "tooltip": tooltip}},
        ],
        "encoding": channels,
        "width": {"step": 56},
        "height": {"step": 40},
    }
    head = {"$schema": _SCHEMA, "title": options.title or path, "data": {"values": values}}
    if len(sides) == 1:
        return head | layers
    facet = {"field": "revision", "type": "nominal", "sort": [side.name for side in sides], "title": None}
    return {**head, "facet": {"column": facet}, "spec": layers}
