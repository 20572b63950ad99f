"""Formats sweeps and recorded results as text, as Markdown and as the documented JSON; pure."""

import datetime as dt
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pivot_cli.comparing import tables
from pivot_cli.terminal import formats
from pivot_core.errors import list_names
from pivot_runtime.comparing.values import MISSING, flatten, is_number, readable, same
from pivot_runtime.sweeps import events
from pivot_runtime.sweeps.apply import ApplyReport
from pivot_runtime.sweeps.events import SweepCombination
from pivot_runtime.sweeps.results import ResultRow, metrics_by_name, short_ids

_NONE = "No results are recorded: 'pivot repro' records those of pipelines with parameters or metrics.\n"


def label(combination: SweepCombination) -> str:
    """Return the values of a combination: ``train.rate=0.1, train.layers=[32]``."""
    shown = ", ".join(f"{name}={tables.shown(readable(value))}" for name, value in combination.values.items())
    return f"{combination.number}: {shown}" if "***" in shown else shown


def plan_text(found: Iterable[SweepCombination], names: Mapping[str, str]) -> str:
    """Return a line for each combination, with the stages that would run."""
    every = list(found)
    width = max((len(label(each)) for each in every), default=0)
    return formats.one_per_line(f"{label(each):<{width}}  {_plan(each, names)}" for each in every)


def _plan(combination: SweepCombination, names: Mapping[str, str]) -> str:
    if combination.blocked:
        return f"blocked: {combination.blocked}"
    running = [names[address] for address in combination.stages]
    return f"would run {list_names(running, 10)}" if running else "cached"


def sweep_table(ended: Sequence[events.CombinationEnded]) -> str:
    """Return the table of a sweep: a row for each combination that has ended."""
    shorts = short_ids({each.id for each in ended if each.id})
    given = [_flat(each.combination.values) for each in ended]
    found = [metrics_by_name(each.metrics) for each in ended]
    params, metrics = _names(given), _names(found)
    cells = [
        [shorts.get(each.id, "-"), *_cells(given[row], params), *_cells(found[row], metrics), each.state]
        for row, each in enumerate(ended)
    ]
    right = _numeric(given, params, 1) | _numeric(found, metrics, 1 + len(params))
    return tables.text_table(("ID", *params, *metrics, "STATE"), cells, right)


def results_table(rows: Sequence[ResultRow], precision: int, *, every: bool = False, markdown: bool = False) -> str:
    """Return the table of results; parameters that are equal in all rows are left out unless ``every``."""
    if not rows:
        return _NONE
    params = [name for name in _names(row.params for row in rows) if every or _differs(name, rows)]
    metrics = _names(row.metrics for row in rows)
    states = [_state(row) for row in rows]
    header = ("ID", "RECORDED", *params, *metrics, *(["STATE"] if any(states) else []))
    cells = [
        [
            row.short or "-",
            _moment(row.time) if row.id else "-",
            *_cells(row.params, params, precision),
            *_cells(row.metrics, metrics, precision),
            *([state] if any(states) else []),
        ]
        for row, state in zip(rows, states, strict=True)
    ]
    right = _numeric([row.params for row in rows], params, 2)
    right |= _numeric([row.metrics for row in rows], metrics, 2 + len(params))
    return (tables.markdown_table if markdown else tables.text_table)(header, cells, right)


def _state(row: ResultRow) -> str:
    """Return whether a result is in the workspace, and what has changed since."""
    stale = f"stale: {list_names(row.stale)}" if row.stale else ""
    return ", ".join(filter(None, ("workspace" if row.current else "", stale)))


def results_json(rows: Iterable[ResultRow]) -> dict[str, Any]:
    """Return results as the documented JSON."""
    return {
        "results": [
            {
                "id": row.id or None,
                "recorded": dt.datetime.fromtimestamp(row.time, dt.UTC).isoformat() if row.id else None,
                "seconds": row.seconds or None,
                "current": row.current,
                "stale": list(row.stale),
                "params": tables.plain(row.params),
                "metrics": tables.plain(row.metrics),
                "stages": list(row.stages),
            }
            for row in rows
        ]
    }


def apply_text(done: ApplyReport, *, dry_run: bool) -> str:
    """Return a line for each changed parameter, and one with the restored files and the stages."""
    verbs = ("Would set", "would restore") if dry_run else ("Set", "restored")
    lines = [f"{verbs[0]} {each.name} to {tables.shown(each.value)} in {each.file}" for each in done.params]
    restored = formats.counted(done.checkout.files, "file")
    lines.append(f"{'Would apply' if dry_run else 'Applied'} {list_names(done.stages, 10)}: {verbs[1]} {restored}")
    return formats.one_per_line(lines)


def event_line(event: events.SweepEvent, began: float) -> dict[str, Any]:
    """Return the line of an event of a sweep for ``--jsonl``; the command ``began`` then, by the monotonic clock."""
    at = round(time.monotonic() - began, 6)
    match event:
        case events.SweepStarted(combinations=found, names=names):
            listed = [{**_combination(each), "stages": list(each.stages), "blocked": each.blocked} for each in found]
            return {"event": "sweep_started", "at": at, "names": dict(names), "combinations": listed}
        case events.CombinationStarted(combination=combination):
            return {"event": "combination_started", "at": at, "combination": combination.number}
        case events.CombinationEvent(combination=combination, line=line):
            return {**line, "at": at, "combination": combination.number}
        case events.CombinationEnded():
            return {
                "event": "combination_ended",
                "at": at,
                **_combination(event.combination),
                "state": event.state,
                "id": event.id or None,
                "metrics": tables.plain(metrics_by_name(event.metrics)),
                "seconds": round(event.seconds, 6),
                "problem": event.problem,
                "hint": event.hint,
            }
        case events.SweepInterrupted(running=running):
            return {"event": "sweep_interrupted", "at": at, "combinations": [each.number for each in running]}
        case events.SweepEnded(seconds=seconds, complete=complete):
            return {"event": "sweep_ended", "at": at, "seconds": round(seconds, 6), "complete": complete}


def _combination(combination: SweepCombination) -> dict[str, Any]:
    return {"combination": combination.number, "params": tables.plain(_flat(combination.values))}


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: each for name, value in values.items() for key, each in flatten(readable(value), name).items()}


def _names(found: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for each in found for name in each))


def _differs(name: str, rows: Sequence[ResultRow]) -> bool:
    first = rows[0].params.get(name, MISSING)
    return not all(same(first, row.params.get(name, MISSING)) for row in rows)


def _cells(values: Mapping[str, Any], names: Iterable[str], precision: int = tables.PRECISION) -> list[str]:
    return [tables.shown(values.get(name, MISSING), precision) for name in names]


def _numeric(found: Sequence[Mapping[str, Any]], names: Sequence[str], first: int) -> set[int]:
    """Return the columns, from the first on, whose values are numbers."""
    return {first + column for column, name in enumerate(names) if all(is_number(each.get(name, 0)) for each in found)}


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
