"""Formats past runs as text and as the documented JSON; pure."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from pivot_cli.terminal import formats
from pivot_cli.views import phrases
from pivot_core.errors import list_names
from pivot_runtime.history.history import PastRun, PastStage

_WORDS = {"failed": "FAILED", "blocked": "BLOCKED", "inputs_changed": "edited"}


def runs_text(found: Sequence[PastRun]) -> str:
    """Return one line per run."""
    if not found:
        return "No run has been recorded.\n"
    rows = [("RUN", "BEGAN", "TOOK ", "RESULT", "COMMAND")]  # a fixed width that fits most times
    rows += [
        (str(each.number), began(each), formats.seconds(each.seconds), f"{each.state}: {counts(each)}", each.command)
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
    acted = [stage for stage in found.stages if stage.state != "cached"]
    if acted:
        lines += ["", *_table(sorted(acted, key=lambda stage: stage.began))]
    cached = [stage.name for stage in found.stages if stage.state == "cached"]
    if cached:
        lines += ["", f"cached: {list_names(cached, 10)}"]
    return formats.one_per_line(lines)


def _table(stages: Sequence[PastStage]) -> Iterator[str]:
    width = max(len(stage.name) for stage in stages)
    for stage in stages:
        took = "" if stage.seconds is None else formats.seconds(stage.seconds)
        cpu = memory = ""
        if stage.usage is not None:
            cpu = f"{formats.seconds(stage.usage.cpu)} cpu"
            memory = formats.size(stage.usage.memory)
        state = _WORDS.get(stage.state, stage.state)
        yield f"{state:<11}  {stage.name:<{width}}  {took:>6}  {cpu:>10}  {memory:>7}  {why(stage)}".rstrip()
        if stage.undeclared:
            yield f"{'':<11}  {'':<{width}}  undeclared: {list_names(stage.undeclared)}"


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
    }


def _stage(stage: PastStage) -> dict[str, Any]:
    return {
        "name": stage.name,
        "address": stage.address,
        "state": stage.state,
        "began": stage.began,
        "seconds": stage.seconds,
        "reasons": list(stage.reasons),
        "changes": [{"reason": reason, "key": key} for reason, key in stage.changes],
        "cpu": None if stage.usage is None else stage.usage.cpu,
        "memory": None if stage.usage is None else stage.usage.memory,
        "problem": stage.problem,
        "undeclared": list(stage.undeclared),
    }
