"""Puts plots at one or several revisions into a page, or into JSON with their Vega-Lite specifications; pure."""

import base64
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pivot_cli.pages import charts, page
from pivot_runtime.comparing.plots import PlotComparison, PlotSide, PlotSubject

LIBRARIES = ("vega", "vega-lite", "vega-embed")
"""The libraries that draw charts."""
_NONE = "No plots are recorded: stages write them to pivot.Plot(...) outs."


class Sections(NamedTuple):
    """Plots as a part of a page: HTML, and the specifications that the script draws into it."""

    body: str
    specs: list[dict[str, Any]]


def plots_page(found: PlotComparison, title: str) -> str:
    """Return a page with all plots."""
    drawn = sections(found)
    header = f'<header><h1>{page.escape(title)}</h1><button id="theme"></button></header>'
    body = f"{header}\n<main>\n{drawn.body or f'<p>{_NONE}</p>'}\n</main>"
    libraries = LIBRARIES if drawn.specs else ()
    return page.build(title, body, {"charts": drawn.specs}, parts=["charts"], libraries=libraries)


def sections(found: PlotComparison) -> Sections:
    """Return a part of a page with all plots."""
    specs: list[dict[str, Any]] = []
    return Sections("\n".join(_section(plot, specs) for plot in found.plots), specs)


def _section(plot: PlotSubject, specs: list[dict[str, Any]]) -> str:
    """Return the HTML of a plot, and add its specification, if it has one."""
    sides = different(plot.sides)
    lines = [f"<h2>{page.escape(plot.options.title or plot.name)}</h2>"]
    said = [plot.name] if plot.options.title else []
    said += [f"stage {plot.stage}"]
    said += ["equal in all revisions"] if len(sides) < len(plot.sides) else []
    said += [] if plot.axes is None else charts.notes(plot.axes, sides)
    lines.append(f'<p class="faint">{page.escape("; ".join(said))}</p>')
    lines += [f'<p class="problem">{page.escape(problem)}</p>' for problem, _ in plot.problems]
    if plot.media and sides:
        lines.append(f'<div class="images">{"".join(_figure(plot, side) for side in sides)}</div>')
    elif plot.axes is not None and any(side.rows for side in sides):
        lines.append(f'<div class="chart" id="chart-{len(specs)}"></div>')
        specs.append(charts.chart(plot.name, plot.options, plot.axes, sides))
    elif plot.axes is not None:
        lines.append('<p class="faint">It has no rows.</p>')
    return f'<section class="plot">\n{"\n".join(lines)}\n</section>'


def different(sides: Sequence[PlotSide]) -> Sequence[PlotSide]:
    """Return the last side alone if all are equal."""
    first, *others = sides or (None,)
    if first is not None and others and all((each.rows, each.image) == (first.rows, first.image) for each in others):
        return sides[-1:]
    return sides


def _figure(plot: PlotSubject, side: PlotSide) -> str:
    name = page.escape(f"{plot.name} at {side.name}")
    return (
        f'<figure><img alt="{name}" src="{_data_uri(plot, side)}">'
        f"<figcaption>{page.escape(side.name)}</figcaption></figure>"
    )


def _data_uri(plot: PlotSubject, side: PlotSide) -> str:
    return f"data:{plot.media};base64,{base64.b64encode(side.image or b'').decode()}"


def plots_json(found: PlotComparison) -> dict[str, Any]:
    """Return all plots as the documented JSON."""
    return {
        "revisions": list(found.sides),
        "plots": [
            {
                "path": plot.path,
                "stage": plot.stage,
                "stale": plot.stale,
                "spec": None if plot.axes is None else charts.chart(plot.name, plot.options, plot.axes, plot.sides),
                "images": {side.name: _data_uri(plot, side) for side in plot.sides} if plot.media else None,
                "problems": [problem for problem, _ in plot.problems],
            }
            for plot in found.plots
        ],
    }


def plot_notes(found: PlotComparison) -> Iterator[tuple[str, str | None]]:
    """Return remarks for people on the plots, each with a hint or None."""
    for side in found.empty:
        hint = "'pivot repro' runs the stages" if side == "workspace" else "commit .pivot/stages/*.lock after a run"
        where = "in the workspace" if side == "workspace" else f"at {side}"
        yield f"no run is recorded {where}: there are no lock files", hint
    if not found.plots and len(found.empty) < len(found.sides):
        yield _NONE.rstrip(".")[0].lower() + _NONE.rstrip(".")[1:], None
    for plot in found.plots:
        if any(side.edited for side in plot.sides):
            yield f"{plot.name} is not what the last run wrote: it was edited since", None
    stale = sorted({plot.stage for plot in found.plots if plot.stale})
    if stale:
        verb, whose = ("is", "its") if len(stale) == 1 else ("are", "their")
        text = f"{', '.join(stale)} {verb} stale: {whose} plots are those of the last run"
        yield text, "'pivot repro' runs what is stale"
