"""Puts a whole project into one page: status, runs, metrics, plots, tables, parameters, graph and environment; pure."""

import html
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from pivot_cli.comparing import tables
from pivot_cli.pages import page, plots
from pivot_cli.pages.graph import details, graph_page
from pivot_cli.pages.timeline import timeline_page
from pivot_cli.terminal import formats
from pivot_cli.views import history, phrases
from pivot_core.values import Value
from pivot_runtime.comparing.comparison import ComparedValues, Comparison
from pivot_runtime.comparing.heads import TableHead
from pivot_runtime.comparing.plots import PlotComparison
from pivot_runtime.comparing.values import Difference
from pivot_runtime.history.history import PastRun
from pivot_runtime.inspecting.overview import Overview
from pivot_runtime.inspecting.status import StageStatus, Status

_WIDEST = 60


@attrs.frozen(eq=False, repr=False)
class ReportFacts(Value):
    """The content of a report; whatever could not be found out is None, with its reason in ``problems``.

    Attributes:
        title: The title.
        sides: The names of the compared revisions.
        status: The status of all stages, with their statistics.
        overview: The graph of all stages.
        metrics: The metrics at the revisions.
        params: The parameters at the revisions.
        plots: The plots at the revisions.
        heads: The beginnings of the tables at the revisions.
        runs: The last runs, the newest first.
        environment: Pairs of a word and a text.
        problems: The reason for each missing part, with a hint or None.
    """

    title: str
    sides: tuple[str, ...]
    status: Status | None = None
    overview: Overview | None = None
    metrics: Comparison | None = None
    params: Comparison | None = None
    plots: PlotComparison | None = None
    heads: tuple[TableHead, ...] = ()
    runs: tuple[PastRun, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    problems: tuple[tuple[str, str | None], ...] = ()

    @property
    def all_problems(self) -> tuple[tuple[str, str | None], ...]:
        """Those of missing parts, and of metrics, parameters and plots that cannot be read; each once."""
        parts = [part for part in (self.metrics, self.params, self.plots) if part is not None]
        return tuple(dict.fromkeys((*self.problems, *(problem for part in parts for problem in part.problems))))


def report_page(facts: ReportFacts) -> str:
    """Return the page. Parts without content are left out; the graph and the timeline are pages in it."""
    drawn = plots.Sections("", []) if facts.plots is None else plots.sections(facts.plots)
    frames: list[str] = []
    parts = [
        ("problems", "Not in this report", "".join(_problem(problem) for problem, _ in facts.problems)),
        ("stages", "Stages", _stages(facts.status)),
        ("metrics", "Metrics", _values(facts.metrics, "file")),
        ("plots", "Plots", drawn.body and f'<div class="two">{drawn.body}</div>'),
        ("parameters", "Parameters", _values(facts.params, "stage")),
        ("tables", "Tables", _heads(facts)),
        ("graph", "Graph", _graph(facts, frames)),
        ("runs", "Runs", _runs(facts.runs, frames)),
        ("environment", "Environment", _pairs(facts.environment)),
    ]
    shown = [(name, title, body) for name, title, body in parts if body]
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title, _ in shown)
    compared = (
        f'<p class="faint">Compared: {page.escape(" and ".join(facts.sides))}</p>' if len(facts.sides) > 1 else ""
    )
    sections = "\n".join(f'<section id="{name}">\n<h2>{title}</h2>\n{body}\n</section>' for name, title, body in shown)
    body = (
        f'<header><h1>{page.escape(facts.title)}</h1><nav>{links}</nav><button id="theme"></button></header>\n'
        f"<main>\n{compared}{sections}\n</main>"
    )
    libraries = plots.LIBRARIES if drawn.specs else ()
    return page.build(
        facts.title, body, {"charts": drawn.specs}, parts=["charts", "report"], libraries=libraries, frames=frames
    )


def _problem(text: str) -> str:
    return f'<p class="problem">{page.escape(text)}</p>'


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], right: int = 99) -> str:
    """Return a table; columns from ``right`` on are numbers."""
    lines = []
    for row in rows:
        cells = "".join(
            f'<td class="number">{page.escape(cell)}</td>' if at >= right else f"<td>{page.escape(cell)}</td>"
            for at, cell in enumerate(row)
        )
        lines.append(f"<tr>{cells}</tr>")
    if not lines:
        return ""
    head = "".join(
        f'<th class="number">{page.escape(name)}</th>' if at >= right else f"<th>{page.escape(name)}</th>"
        for at, name in enumerate(header)
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{"\n".join(lines)}\n</tbody></table></div>'


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return _table(("", ""), pairs).replace("<thead><tr><th></th><th></th></tr></thead>", "")


def _stages(found: Status | None) -> str:
    return "" if found is None else _table(("stage", "status", "reason", "last run took"), map(_stage, found.stages), 3)


def _stage(stage: StageStatus) -> Sequence[str]:
    took = stage.stats.get("seconds")
    decision = stage.evaluation.decision
    return (
        stage.name,
        "cached" if stage.cached else phrases.action(decision.verdict).lower(),
        phrases.all_reasons(decision) if decision.reasons and not stage.cached else "",
        formats.seconds(took) if isinstance(took, int | float) else "",
    )


def _values(found: Comparison | None, subject: str) -> str:
    """Return the values at each revision, and the change from the first to the last; changed ones are marked."""
    if found is None:
        return ""
    several = len(found.sides) > 1
    rows = [row for each in found.subjects for row in _rows(each, several=several)]
    table = _table((subject, "name", *found.sides, *(["change"] if several else [])), rows, 2)
    return table + "".join(_problem(problem) for problem, _ in found.problems)


def _rows(subject: ComparedValues, *, several: bool) -> Iterator[Sequence[str]]:
    for value in subject.values:
        change = [tables.signed(value.change) or "changed" if value.changed else ""] if several else []
        yield (subject.name, value.name, *_shown(value), *change)


def _shown(value: Difference) -> Sequence[str]:
    if len(value.sides) == 2 and value.changed:  # noqa: PLR2004
        return tables.shown_apart(value.sides[0], value.sides[1])
    return [tables.shown(side) for side in value.sides]


def _heads(facts: ReportFacts) -> str:
    """Return the beginnings of tables, those of one table side by side unless they are equal."""
    names = dict.fromkeys(head.name for head in facts.heads)
    several = len(facts.sides) > 1
    every = [_once([head for head in facts.heads if head.name == name]) for name in names]
    rows = [[_head(head, several=several) for head in heads] for heads in every]
    return "\n".join(f'<div class="two">{"".join(f"<div>{each}</div>" for each in row)}</div>' for row in rows)


def _once(heads: Sequence[TableHead]) -> Sequence[TableHead]:
    """Return one beginning for equal ones at several revisions."""
    first = heads[0]
    if len(heads) > 1 and all(attrs.evolve(each, side=first.side) == first for each in heads):
        return [attrs.evolve(first, side=" and ".join(each.side for each in heads))]
    return heads


def _head(head: TableHead, *, several: bool) -> str:
    name = f"{head.name} at {head.side}" if several else head.name
    title = f"<h3>{page.escape(name)}</h3>"
    if head.problem:
        return title + _problem(head.problem)
    rows = [[_cell(row.get(column)) for column in head.columns] for row in head.rows]
    more = '<p class="faint">and more rows</p>' if head.more else ""
    return title + (_table(head.columns, rows) or '<p class="faint">It has no rows.</p>') + more


def _cell(value: Any) -> str:
    text = "" if value is None else tables.shown(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _graph(facts: ReportFacts, frames: list[str]) -> str:
    if facts.overview is None or not facts.overview.graph.stages:
        return ""
    known = {} if facts.status is None else details(facts.status.stages)
    return _frame(graph_page(facts.overview, known, "Graph"), "graph", frames)


def _runs(runs: Sequence[PastRun], frames: list[str]) -> str:
    if not runs:
        return ""
    rows = [
        (
            str(run.number),
            history.began(run),
            formats.seconds(run.seconds),
            f"{run.state}: {history.counts(run)}",
            run.command,
        )
        for run in runs
    ]
    return _table(("run", "began", "took", "result", "command"), rows) + _frame(
        timeline_page(runs[0]), "timeline", frames
    )


def _frame(text: str, name: str, frames: list[str]) -> str:
    frames.append(text)
    return f'<iframe class="{name}" title="{name}" srcdoc="{html.escape(text)}"></iframe>'
