"""Formats a past run over time as a page without scripts or network, and as Trace Event JSON."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pivot_cli.terminal import formats
from pivot_cli.views import history, pages
from pivot_runtime.history.history import PastPhase, PastRun, PastStage

if TYPE_CHECKING:
    from pivot_runtime.tracing.usage import ResourceUsage

_COLOURS = {
    "ran": "#3b7a57",
    "restored": "#4a7fb5",
    "failed": "#b33a3a",
    "inputs_changed": "#c08a2d",
    "loading": "#6b5b95",
    "importing": "#8e7cc3",
    "fetching": "#4a7fb5",
    "storing": "#4f7f8c",
    "recording": "#6f97a3",
}
_OTHER = "#888888"
_NARROWEST = 0.15
"""Percent: Keeps the shortest bars visible."""


class Bar(NamedTuple):
    """A stage at work, or a phase: its begin and end in seconds after the run began, and its lane."""

    work: PastStage | PastPhase
    start: float
    end: float
    lane: int

    @property
    def name(self) -> str:
        """Return its label."""
        work = self.work
        return work.name if isinstance(work, PastStage) else f"{work.kind} {work.subject}".rstrip()

    @property
    def state(self) -> str:
        """Return the state of the stage, or the kind of the phase."""
        return self.work.state if isinstance(self.work, PastStage) else self.work.kind

    @property
    def why(self) -> str:
        """Return the reason of the stage, or the libraries of an import."""
        return history.why(self.work) if isinstance(self.work, PastStage) else history.libraries(self.work)


def layout(run: PastRun) -> list[Bar]:
    """Return a bar for each phase and for each stage that was worked on, by its beginning, in the first free lane.

    The lanes of the phases come first.
    """
    phases = _in_lanes(((each.began, each.began + each.seconds, each) for each in run.phases), 0)
    return phases + _in_lanes(_spans(run), lane_count(phases))


def lane_count(bars: Iterable[Bar]) -> int:
    """Return the number of lanes down to the last of these bars."""
    return max((bar.lane for bar in bars), default=-1) + 1


def _in_lanes(spans: Iterable[tuple[float, float, PastStage | PastPhase]], first: int) -> list[Bar]:
    free: list[float] = []
    bars = []
    for start, end, work in sorted(spans, key=lambda span: (span[0], span[1], _key(span[2]))):
        lane = next((number for number, until in enumerate(free) if until <= start), len(free))
        if lane == len(free):
            free.append(end)
        else:
            free[lane] = end
        bars.append(Bar(work, start, end, first + lane))
    return bars


def _key(work: PastStage | PastPhase) -> str:
    return work.address if isinstance(work, PastStage) else f"{work.kind} {work.subject}"


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
    title = f"Run {run.number}: {run.command}, {history.began(run)}"
    steps = [formats.seconds(whole * step / 4) if step else "0" for step in range(5)]
    values = {
        "title": pages.escape(title),
        "result": pages.escape(f"{run.state}: {run.problem or history.counts(run)}, {formats.seconds(run.seconds)}"),
        "height": str(max(1, lane_count(bars)) * 26),
        "bars": "\n".join(_bar(bar, whole) for bar in bars),
        "axis": "".join(f"<span>{step}</span>" for step in steps),
        "rows": "\n".join(_rows(run)),
    }
    return pages.fill("timeline.html", values)


def _bar(bar: Bar, whole: float) -> str:
    left, width = 100 * bar.start / whole, max(_NARROWEST, 100 * (bar.end - bar.start) / whole)
    tooltip = f"{bar.name}: {bar.state}, {formats.seconds(bar.end - bar.start)}. {bar.why}"
    style = (
        f"left:{left:.3f}%;width:{width:.3f}%;top:{2 + 26 * bar.lane}px;background:{_COLOURS.get(bar.state, _OTHER)}"
    )
    return f'<div class="bar" style="{style}" title="{pages.escape(tooltip)}">{pages.escape(bar.name)}</div>'


def _rows(run: PastRun) -> Iterable[str]:
    """Yield a row for each phase before the stages, and for each stage."""
    for phase in run.phases:
        if phase.kind in history.BEFORE_STAGES:
            yield _row(phase.subject, phase.kind, phase.began, phase.seconds, history.libraries(phase))
    for stage in _in_order(run.stages):
        yield _row(stage.name, stage.state, stage.began, stage.seconds, history.why(stage), stage.usage)


def _row(  # a cell each
    name: str, state: str, began: float, seconds: float | None, why: str, usage: "ResourceUsage | None" = None
) -> str:
    numbers = (
        formats.seconds(began),
        "" if seconds is None else formats.seconds(seconds),
        "" if usage is None else formats.seconds(usage.cpu),
        "" if usage is None else formats.size(usage.memory),
    )
    cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
    name, state, why = map(pages.escape, (name, state, why))
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
            "name": bar.name,
            "cat": bar.state,
            "ph": "X",
            "ts": round(bar.start * 1e6),
            "dur": round((bar.end - bar.start) * 1e6),
            "pid": run.number,
            "tid": bar.lane + 1,
            "args": _arguments(bar.work),
        }
        for bar in bars
    ]
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _arguments(work: PastStage | PastPhase) -> dict[str, Any]:
    if isinstance(work, PastPhase):
        return {"libraries": dict(work.libraries)}
    return {
        "address": work.address,
        "state": work.state,
        "why": history.why(work),
        "cpu": None if work.usage is None else work.usage.cpu,
        "memory": None if work.usage is None else work.usage.memory,
    }
