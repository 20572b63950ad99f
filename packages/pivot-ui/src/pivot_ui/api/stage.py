"""One stage: why it is stale or what was compared, its code, deps, outs, parameters and earlier runs."""

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pivot_cli.views import phrases
from pivot_cli.views.status import fingerprint_json, stage_json
from pivot_core.decide import FactChange, Reason
from pivot_core.files.digest import canonical_json
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.lock import Artifact
from pivot_runtime.history import history
from pivot_runtime.inspecting.status import StageStatus
from pivot_runtime.project.project import Project
from pivot_ui.api.definitions import Definition, definition_of
from pivot_ui.api.graph import stage_kind
from pivot_ui.api.query import Query
from pivot_ui.api.status import stage_state
from pivot_ui.errors import UnknownStageError
from pivot_ui.project import ProjectService

__all__ = ["read_stage"]

_MOST_RUNS: Final = 50
_MOST_FACTS: Final = 2000
"""Of each list of facts, these are shown."""
_MOST_TEXT: Final = 1 << 21
"""Characters of edited source in one answer."""
_LONGEST_VALUE: Final = 2000


def read_stage(service: ProjectService, query: Query) -> dict[str, Any]:
    """Return everything about the stage with an ``address``, as it was at the last evaluation.

    Raises:
        UnknownStageError: There is no such stage.
    """
    address = query.text("address")
    seen = service.evaluated()
    stage = seen.stage(address)
    if stage is None:
        raise UnknownStageError(address, seen.problem)
    loaded = stage.evaluation.stage
    kind = stage_kind(loaded)
    project = service.context().project
    defined = definition_of(project.root, loaded, kind)
    runs = list(_runs(project, address))
    return {
        "address": address,
        "name": stage.name,
        "desc": loaded.spec.desc,
        "doc": "" if defined is None else defined.doc,
        "signature": "" if defined is None else defined.signature,
        "kind": kind,
        "command": defined.text if defined is not None and kind == "shell" else None,
        "source": None if defined is None else _source(defined),
        "state": stage_state(stage),
        "explanation": stage_json(stage, seen.status, explain=True),
        "changes": list(_changes(stage)),
        "compared": [
            {
                "kind": fact.kind,
                "key": fact.key,
                "value": _cut(phrases.fact(fact.kind, fact.value)),
                "file": None if fact.location is None else fact.location.file,
                "line": None if fact.location is None else fact.location.line,
                "how": "seen when it ran" if fact.kind == "observed" else "",
            }
            for fact in itertools.islice(stage.compared(), _MOST_FACTS)
        ],
        "fingerprint": {
            name: value[:_MOST_FACTS] if isinstance(value, list) else value
            for name, value in fingerprint_json(stage).items()
        },
        "deps": list(itertools.islice(_deps(stage, seen.overview.graph), _MOST_FACTS)),
        "outs": [_out(stage, path) for path in sorted(out.path for out in loaded.spec.outs)],
        "params": {name: _cut(text) for name, text in _params(stage)},
        "history": runs,
        "undeclared": next((each["undeclared"] for each in runs if each["state"] in ("ran", "failed")), []),
        "variables_read": list(stage.stats.get("variables", ())),
    }


def _source(defined: Definition) -> dict[str, Any]:
    return {
        "file": defined.file,
        "line": defined.line,
        "text": defined.text,
        "cells": [{"number": cell.number, "text": cell.text} for cell in defined.cells],
    }


def _changes(stage: StageStatus) -> Iterator[dict[str, Any]]:
    """Yield each change of code with its text before and now, as far as the answer stays small."""
    left = _MOST_TEXT
    changes = stage.evaluation.decision.changes
    names = phrases.keys(changes)
    for change in itertools.islice((each for each in changes if each.reason is Reason.CODE), _MOST_FACTS):
        edit = stage.edits.get(change.key)
        size = 0 if edit is None else 2 * (len(edit.before or "") + len(edit.now or ""))
        if size > left:
            edit = None
        left -= 0 if edit is None else size
        loaded = stage.evaluation.stage
        yield {
            "key": change.key,
            "name": names[change],
            "file": None if change.location is None else change.location.file,
            "line": None if change.location is None else change.location.line,
            "via": list(loaded.path(change.key)) if change.key in loaded.code else [],
            "reason": change.reason.value,
            "old_text": None if edit is None else edit.before,
            "new_text": None if edit is None else edit.now,
            "diff": (stage.diffs.get(change.key) or None) if edit is not None else None,
            "known": edit is not None and _is_known(change, edit.before, edit.now),
        }


def _is_known(change: FactChange, before: str | None, now: str | None) -> bool:
    """Return whether the text of each side is known that exists."""
    return (change.old is None or before is not None) and (change.new is None or now is not None)


def _deps(stage: StageStatus, graph: Graph) -> Iterator[dict[str, Any]]:
    """Yield each dep with its state: as in the last run, or not, or unknown since a stage upstream will run."""
    evaluation = stage.evaluation
    spec, now = evaluation.stage.spec, evaluation.observation.inputs.deps
    before = {} if evaluation.lock is None else evaluation.lock.inputs.deps
    missing = set(evaluation.observation.missing)
    named = {path for path in spec.deps if path in missing or graph.writers(path) or path in spec.uncounted}
    for path in sorted({*now, *before, *missing, *named}):
        found, recorded = now.get(path), before.get(path)
        if path in missing:
            state = "missing"
        elif found is not None:
            state = _state(found, recorded)
        elif path in spec.uncounted:
            state = "uncounted"
        elif evaluation.observation.upstream or evaluation.observation.blocked:
            state = "unknown"
        else:
            state = "gone"
        yield {
            "path": path,
            "state": state,
            **_digests(found, recorded),
            "writer": next(iter(sorted(graph.writers(path))), None),
        }


def _out(stage: StageStatus, path: ArtifactPath) -> dict[str, Any]:
    evaluation = stage.evaluation
    spec = next(out for out in evaluation.stage.spec.outs if out.path == path)
    found = evaluation.observation.outs.get(path)
    recorded = None if evaluation.lock is None else evaluation.lock.outs.get(path)
    return {
        "path": path,
        "state": "missing" if found is None else _state(found, recorded),
        **_digests(found, recorded),
        "view": spec.kind or None,
        "cache": spec.cache,
        "directory": spec.directory,
    }


def _state(found: Artifact, recorded: Artifact | None) -> str:
    if recorded is None:
        return "new"
    return "same" if found == recorded else "changed"


def _digests(found: Artifact | None, recorded: Artifact | None) -> dict[str, Any]:
    return {
        "digest": None if found is None else found.digest,
        "recorded": None if recorded is None else recorded.digest,
        "size": None if found is None else found.size,
    }


def _params(stage: StageStatus) -> Iterable[tuple[str, str]]:
    known = {**stage.evaluation.observation.inputs.params, **stage.evaluation.stage.uncounted_params}
    return ((name, phrases.param(canonical_json(value))) for name, value in sorted(known.items()))


def _runs(project: Project, address: str) -> Iterator[dict[str, Any]]:
    """Yield the result of a stage in each of the newest runs."""
    for run in itertools.islice(history.runs(project), _MOST_RUNS):
        for stage in run.stages:
            if stage.address == address:
                yield {
                    "run": run.number,
                    "began": dt.datetime.fromtimestamp(run.time + stage.began, dt.UTC).isoformat(),
                    "state": stage.state,
                    "seconds": stage.seconds,
                    "cpu": None if stage.usage is None else stage.usage.cpu,
                    "memory": None if stage.usage is None else stage.usage.memory,
                    "combination": stage.combination or None,
                    "problem": stage.problem,
                    "undeclared": list(stage.undeclared),
                }


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
