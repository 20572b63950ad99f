"""Formats a past run over time as a page without scripts or network, and as Trace Event JSON."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pivot_cli.terminal import formats
from pivot_cli.views import history, pages
from pivot_runtime.history.history import PastRun, PastStage

_COLOURS = {"ran": "#3b7a57", "restored": "#4a7fb5", "failed": "#b33a3a", "inputs_changed": "#c08a2d"}
_OTHER = "#888888"
_NARROWEST = 0.15
"""Percent: Keeps the shortest bars visible."""


class Bar(NamedTuple):
    """A stage at work: its begin and end in seconds after the run began, and its lane."""

    stage: PastStage
    start: float
    end: float
    lane: int


def layout(run: PastRun) -> list[Bar]:
    """Return a bar for each stage that was worked on, by its beginning, in the first free lane."""
    free: list[float] = []
    bars = []
    for start, end, stage in sorted(_spans(run), key=lambda span: (span[0], span[1], span[2].address)):
        lane = next((number for number, until in enumerate(free) if until <= start), len(free))
        if lane == len(free):
            free.append(end)
        else:
            free[lane] = end
        bars.append(Bar(stage, start, end, lane))
    return bars


def _spans(run: PastRun) -> Iterable[tuple[float, float, PastStage]]:
    for stage in run.stages:
        if stage.state in ("interrupted", "running"):  # its end is unknown
            yield stage.began, max(stage.began, run.seconds), stage
        elif stage.seconds is not None:
            yield stage.began, stage.began + stage.seconds, stage


def page(run: PastRun) -> str:
    """Return one self-contained HTML page."""
    bars = layout(run)
    whole = max([run.seconds, *(bar.end for bar in bars)]) or 1.0
    lanes = max((bar.lane for bar in bars), default=-1) + 1
    title = f"Run {run.number}: {run.command}, {history.began(run)}"
    steps = [formats.seconds(whole * step / 4) if step else "0" for step in range(5)]
    values = {
        "title": pages.escape(title),
        "result": pages.escape(f"{run.state}: {run.problem or history.counts(run)}, {formats.seconds(run.seconds)}"),
        "height": str(max(1, lanes) * 26),
        "bars": "\n".join(_bar(bar, whole) for bar in bars),
        "axis": "".join(f"<span>{step}</span>" for step in steps),
        "rows": "\n".join(_row(stage) for stage in _in_order(run.stages)),
    }
    return pages.fill("timeline.html", values)


def _bar(bar: Bar, whole: float) -> str:
    stage = bar.stage
    left, width = 100 * bar.start / whole, max(_NARROWEST, 100 * (bar.end - bar.start) / whole)
    tooltip = f"{stage.name}: {stage.state}, {formats.seconds(bar.end - bar.start)}. {history.why(stage)}"
    style = (
        f"left:{left:.3f}%;width:{width:.3f}%;top:{2 + 26 * bar.lane}px;background:{_COLOURS.get(stage.state, _OTHER)}"
    )
    return f'<div class="bar" style="{style}" title="{pages.escape(tooltip)}">{pages.escape(stage.name)}</div>'


def _row(stage: PastStage) -> str:
    usage = stage.usage
    numbers = (
        formats.seconds(stage.began),
        "" if stage.seconds is None else formats.seconds(stage.seconds),
        "" if usage is None else formats.seconds(usage.cpu),
        "" if usage is None else formats.size(usage.memory),
    )
    cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
    name, state, why = map(pages.escape, (stage.name, stage.state, history.why(stage)))
    return f"<tr><td>{name}</td><td>{state}</td>{cells}<td>{why}</td></tr>"


def _in_order(stages: Sequence[PastStage]) -> list[PastStage]:
    return sorted(stages, key=lambda stage: (stage.began, stage.address))


def chrome_trace(run: PastRun) -> dict[str, Any]:
    """Return Trace Event JSON for Perfetto and ``chrome://tracing``; each lane is a thread."""
    bars = layout(run)
    events: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": run.number, "args": {"name": f"{run.command} (run {run.number})"}}
    ]
    events += [
        {
            "name": bar.stage.name,
            "cat": bar.stage.state,
            "ph": "X",
            "ts": round(bar.start * 1e6),
            "dur": round((bar.end - bar.start) * 1e6),
            "pid": run.number,
            "tid": bar.lane + 1,
            "args": {
                "address": bar.stage.address,
                "state": bar.stage.state,
                "why": history.why(bar.stage),
                "cpu": None if bar.stage.usage is None else bar.stage.usage.cpu,
                "memory": None if bar.stage.usage is None else bar.stage.usage.memory,
            },
        }
        for bar in bars
    ]
    return {"traceEvents": events, "displayTimeUnit": "ms"}
