"""Formats past runs as text and as the documented JSON; pure."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from pivot_cli.terminal import formats, imports
from pivot_cli.views import phrases
from pivot_core.errors import list_names
from pivot_runtime.history.history import PastPhase, PastRun, PastStage

LOADING: Final = ("loading", "importing")
"""The phases before stages run, and the imports for their processes."""
BEFORE_STAGES: Final = ("waiting", *LOADING)
STORING: Final = ("storing", "recording")
"""The phases after stages have run."""
_WORDS = {"failed": "FAILED", "blocked": "BLOCKED", "inputs_changed": "edited"}


def runs_text(found: Sequence[PastRun]) -> str:
    """Return one line per run."""
    if not found:
        return "No run has been recorded.\n"
    rows = [("RUN", "BEGAN", "TOOK ", "LOADING", "STORING", "RESULT", "COMMAND")]  # widths that fit most times
    rows += [
        (
            str(each.number),
            began(each),
            formats.seconds(each.seconds),
            _seconds(each.time_in(*LOADING)),
            _seconds(each.time_in(*STORING)),
            f"{each.state}: {counts(each)}",
            each.command,
        )
        for each in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "".join(
        "  ".join((row[0].rjust(widths[0]), *(row[i].ljust(widths[i]) for i in range(1, len(widths))), row[-1])) + "\n"
        for row in rows
    )


def run_text(found: PastRun) -> str:
    """Return the stages of a run in the order in which they began, with reasons, times and resources."""
    lines = [
        f"Run {found.number}: {found.command}, {began(found)}, took {formats.seconds(found.seconds)}",
        f"{found.state}: {found.problem or counts(found)}",
    ]
    acted = sorted((stage for stage in found.stages if stage.state != "cached"), key=lambda stage: stage.began)
    rows = [*_before(found), *(row for stage in acted for row in _rows(stage)), *_after(found)]
    if rows:
        width = max(len(row.name) for row in rows)
        lines += ["", *(row.text(width) for row in rows)]
    cached = [stage.name for stage in found.stages if stage.state == "cached"]
    if cached:
        lines += ["", f"cached: {list_names(cached, 10)}"]
    return formats.one_per_line(lines)


class _Row(NamedTuple):
    """A row of the table of a run."""

    state: str
    name: str = ""
    took: str = ""
    cpu: str = ""
    memory: str = ""
    rest: str = ""

    def text(self, width: int) -> str:
        """Return the row with names of this width."""
        state, name, took, cpu, memory, rest = self
        if not (state or took):
            return f"{'':<11}  {'':<{width}}  {rest}"
        return f"{state:<11}  {name:<{width}}  {took:>6}  {cpu:>10}  {memory:>7}  {rest}".rstrip()


def _before(found: PastRun) -> Iterator[_Row]:
    """Yield a row for a wait, for the loading of all pipelines, and for the import of each, often a part of it."""
    for phase in found.phases:
        if phase.kind in BEFORE_STAGES:
            yield _Row(phase.kind, phase.subject, formats.seconds(phase.seconds), rest=libraries(phase))


def _rows(stage: PastStage) -> Iterator[_Row]:
    cpu = memory = ""
    if stage.usage is not None:
        cpu = f"{formats.seconds(stage.usage.cpu)} cpu"
        memory = formats.size(stage.usage.memory)
    rest = f"{why(stage)}  (on {stage.worker})" if stage.worker else why(stage)
    yield _Row(_WORDS.get(stage.state, stage.state), stage.name, _seconds(stage.seconds), cpu, memory, rest)
    if stage.undeclared:
        yield _Row("", rest=f"undeclared: {list_names(stage.undeclared)}")


def _after(found: PastRun) -> Iterator[_Row]:
    """Yield a row for the fetching of all inputs, and for the storing of all outs and records."""
    for name, seconds in (("fetching", found.time_in("fetching")), ("storing", found.time_in(*STORING))):
        if seconds is not None:
            yield _Row(name, took=formats.seconds(seconds))


def _seconds(duration: float | None) -> str:
    return "" if duration is None else formats.seconds(duration)


def libraries(phase: PastPhase) -> str:
    """Return the libraries that took most of an import: ``pandas 2.1 s, sklearn 3.4 s``."""
    return imports.longest(phase.libraries)


def why(stage: PastStage) -> str:
    """Return the error of a stage, else the reason of its run, in one line."""
    if stage.problem or not stage.reasons:
        return stage.problem
    first = stage.reasons[0]
    keys = [phrases.short_key(key) for reason, key in stage.changes if reason == first]
    return f"{first}: {list_names(keys)}" if keys else first


def counts(found: PastRun) -> str:
    """Return ``2 ran, 1 cached``."""
    words = {"inputs_changed": "not recorded"}
    return ", ".join(f"{count} {words.get(state, state)}" for state, count in found.counts().items())


def began(found: PastRun) -> str:
    """Return the start of a run in local time."""
    return dt.datetime.fromtimestamp(found.time).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def run_json(found: PastRun) -> dict[str, Any]:
    """Return a run as the documented JSON."""
    return {
        "run": found.number,
        "began": dt.datetime.fromtimestamp(found.time, dt.UTC).isoformat(),
        "command": found.command,
        "state": found.state,
        "problem": found.problem,
        "seconds": found.seconds,
        "counts": found.counts(),
        "stages": [_stage(stage) for stage in found.stages],
        "phases": [_phase(phase) for phase in found.phases],
    }


def _phase(phase: PastPhase) -> dict[str, Any]:
    return {
        "phase": phase.kind,
        "of": phase.subject,
        "began": phase.began,
        "seconds": phase.seconds,
        "libraries": dict(phase.libraries),
    }


def _stage(stage: PastStage) -> dict[str, Any]:
    return {
        "name": stage.name,
        "address": stage.address,
        "combination": stage.combination or None,
        "state": stage.state,
        "began": stage.began,
        "seconds": stage.seconds,
        "reasons": list(stage.reasons),
        "changes": [{"reason": reason, "key": key} for reason, key in stage.changes],
        "cpu": None if stage.usage is None else stage.usage.cpu,
        "memory": None if stage.usage is None else stage.usage.memory,
        "problem": stage.problem,
        "undeclared": list(stage.undeclared),
        "worker": stage.worker or None,
    }
