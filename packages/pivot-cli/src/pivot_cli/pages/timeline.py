"""Puts a past run over time into a page: the loading of pipelines, the work of each stage, and the reasons; pure."""

import string
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pivot_cli.pages import page
from pivot_cli.terminal import formats
from pivot_cli.views import history
from pivot_cli.views.timeline import Bar, layout
from pivot_runtime.history.history import PastRun, PastStage

if TYPE_CHECKING:
    from pivot_runtime.tracing.usage import ResourceUsage


def timeline_page(run: PastRun) -> str:
    """Return the page."""
    title = f"Run {run.number}: {run.command}, {history.began(run)}"
    result = f"{run.state}: {run.problem or history.counts(run)}, {formats.seconds(run.seconds)}"
    body = string.Template(page.template("timeline")).substitute(
        title=page.escape(title), result=page.escape(result), rows="\n".join(_rows(run))
    )
    return page.build(title, body, timeline_data(run), parts=["timeline"])


def timeline_data(run: PastRun) -> dict[str, Any]:
    """Return the values for the script of the page: the bars of the command itself, and those of the stages."""
    bars = layout(run)
    own = [bar for bar in bars if not isinstance(bar.work, PastStage)]
    stages = [bar for bar in bars if isinstance(bar.work, PastStage)]
    return {
        "seconds": max([run.seconds, *(bar.end for bar in bars)]),
        "groups": [
            {"name": "Pivot", "kind": "phase", "bars": [_bar(bar) for bar in own]},
            {"name": "Stages", "kind": "stage", "bars": [_bar(bar) for bar in stages]},
        ],
    }


def _bar(bar: Bar) -> dict[str, Any]:
    facts = [
        ("state", bar.state),
        ("took", formats.seconds(bar.end - bar.start)),
        ("began", formats.seconds(bar.start)),
    ]
    if isinstance(bar.work, PastStage):
        facts += [("why", bar.why)] if bar.why else []
        usage = bar.work.usage
        facts += [] if usage is None else [("cpu", formats.seconds(usage.cpu)), ("memory", formats.size(usage.memory))]
    elif bar.why:
        facts.append(("libraries", bar.why))
    return {
        "name": formats.one_line(bar.name),
        "state": bar.state,
        "start": bar.start,
        "end": bar.end,
        "facts": [[name, formats.one_line(text)] for name, text in facts],
    }


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
    name, state, why = map(page.escape, (name, state, why))
    return f"<tr><td>{name}</td><td>{state}</td>{cells}<td>{why}</td></tr>"


def _in_order(stages: Sequence[PastStage]) -> list[PastStage]:
    return sorted(stages, key=lambda stage: (stage.began, stage.address))
