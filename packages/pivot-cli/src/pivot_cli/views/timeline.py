"""Puts the work of a past run over time into lanes, and formats it as Trace Event JSON; pure."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from pivot_cli.views import history
from pivot_runtime.history.history import PastPhase, PastRun, PastStage


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
        **({"worker": work.worker} if work.worker else {}),
    }
