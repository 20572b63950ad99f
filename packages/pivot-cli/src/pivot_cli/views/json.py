"""Records as the documented JSON; pure."""

from collections.abc import Iterator
from typing import Any

from pivot_cli.terminal import formats
from pivot_cli.views import phrases, untracked
from pivot_core.decide import FactChange, Reason, Verdict
from pivot_core.lock import CodeEntry, UnresolvedCode
from pivot_core.spec import Location
from pivot_runtime.artifacts.obstacles import ways_out
from pivot_runtime.artifacts.tracked import TrackedFile, TrackedState
from pivot_runtime.inspecting.status import StageStatus, Status

_OUT_REASONS = frozenset({Reason.OUT_SPEC, Reason.OUT_MISSING, Reason.OUT_MODIFIED, Reason.OUT_LOST, Reason.OUT_TAKEN})


def status(found: Status, *, explain: bool, stages_only: bool) -> dict[str, Any]:
    """``stages``, ``tracked_files`` and ``suggestions``; the last two are empty with ``stages_only``.

    Where the remote was asked, also ``remote``, and of everything that is not here where it is.
    """
    plain: dict[str, Any] = {
        "stages": [_stage(stage, found, explain=explain) for stage in found.stages],
        "tracked_files": [_tracked(each, found) for each in found.tracked],
        "suggestions": [] if stages_only else list(_suggestions(found)),
    }
    where = found.sync_state
    if where is not None:
        plain["remote"] = {
            "name": where.remote,
            "synced": where.synced,
            "to_push": where.to_push,
            "to_fetch": where.to_fetch,
            "missing": where.missing,
        }
    return plain


def _tracked(file: TrackedFile, found: Status) -> dict[str, Any]:
    plain: dict[str, Any] = {"path": file.path, "status": file.state.value, "size": file.size}
    differs = file.difference
    if differs.changed or differs.added or differs.absent:
        names = {"changed": differs.changed, "added": differs.added, "not_here": differs.absent}
        plain["differs"] = {what: list(each) for what, each in names.items()}
    if found.sync_state is not None:
        place = found.sync_state.absent.get(file.path)
        plain["where"] = "workspace" if place is None else place.value
    return plain


_OF_TRACKED = (
    ((TrackedState.OTHER, TrackedState.PARTIAL), "Run 'pivot checkout' to restore tracked files as they are recorded"),
    ((TrackedState.LOST,), "Run 'pivot track' on tracked files that the cache does not have"),
    ((TrackedState.MODIFIED,), "Run 'pivot track' on modified tracked files to record them"),
    ((TrackedState.MISSING,), "Run 'pivot checkout' to restore missing tracked files"),
)


def _suggestions(found: Status) -> Iterator[str]:
    states = {each.state for each in found.tracked}
    yield from (told for which, told in _OF_TRACKED if not states.isdisjoint(which))
    where = found.sync_state
    if where is not None and where.to_push:
        yield f"Run 'pivot push' to share {formats.counted(where.to_push, 'file')} that only the cache has"
    if where is not None and where.to_fetch:
        yield f"Run 'pivot pull' to fetch {formats.counted(where.to_fetch, 'file')} that only {where.remote!r} has"
    blocked = [stage for stage in found.stages if stage.evaluation.decision.verdict is Verdict.BLOCKED]
    stale = sum(not stage.cached for stage in found.stages) - len(blocked)
    if stale:
        yield f"Run 'pivot repro' to update {formats.counted(stale, 'stale stage')}"
    for stage in blocked:
        for path in stage.evaluation.observation.missing:
            yield f"Provide {path}, which {stage.name} reads"
        for path, told in sorted(stage.evaluation.observation.taken.items()):
            yield f"Free {path} for {stage.name}: {told}; {ways_out(path, told)}"


def _stage(stage: StageStatus, found: Status, *, explain: bool) -> dict[str, Any]:
    evaluation = stage.evaluation
    decision = evaluation.decision
    plain: dict[str, Any] = {
        "name": stage.name,
        "address": evaluation.stage.spec.address,
        "status": "cached" if stage.cached else "stale",
        "reason": "" if stage.cached else phrases.because(decision, found.names, evaluation.observation.upstream),
    }
    if found.sync_state is not None:
        plain["not_here"] = [{"path": path, "where": place.value} for path, place in sorted(stage.absent.items())]
    if explain:
        plain |= {
            "will_run": decision.verdict is Verdict.RUN,
            "action": decision.verdict.value,
            "reasons": [reason.value for reason in decision.reasons],
            "code_changes": [
                _change(change, "key") | {"via": list(_via(change, stage)), "diff": stage.diffs.get(change.key)}
                for change in decision.changes
                if change.reason is Reason.CODE
            ],
            "package_changes": [
                _change(change, "name") for change in decision.changes if change.reason is Reason.PACKAGE
            ],
            "param_changes": [_change(change, "key") for change in decision.changes if change.reason is Reason.PARAM],
            "env_changes": [_change(change, "name") for change in decision.changes if change.reason is Reason.ENV],
            "dep_changes": [
                _change(change, "path")
                for change in decision.changes
                if change.reason in (Reason.DEP, Reason.DEP_MISSING)
            ],
            "out_changes": [
                _change(change, "path")
                for change in decision.changes
                if change.reason
                in (Reason.OUT_SPEC, Reason.OUT_MISSING, Reason.OUT_MODIFIED, Reason.OUT_LOST, Reason.OUT_TAKEN)
            ],
            "upstream_stale": [
                found.names.get(address, address)
                for address in (*evaluation.observation.upstream, *evaluation.observation.blocked)
            ],
            "unresolved": [_edge(edge) for edge in untracked.edges(stage)],
            "variables_read": list(stage.stats.get("variables", ())),
            "rerun": phrases.rerun_plain(stage.stats.get("rerun")),
        }
    return plain


def _via(change: FactChange, stage: StageStatus) -> tuple[str, ...]:
    loaded = stage.evaluation.stage
    return loaded.path(change.key) if change.key in loaded.code else ()


def fingerprint(stage: StageStatus) -> dict[str, Any]:
    """The tracked code of a stage, the code that its last run was observed to use, and untracked code."""
    evaluation = stage.evaluation
    loaded = evaluation.stage
    return {
        "name": stage.name,
        "address": loaded.spec.address,
        "entries": [_entry(key, entry) | {"via": list(loaded.path(key))} for key, entry in sorted(loaded.code.items())],
        "observed": [_entry(key, entry) for key, entry in sorted(evaluation.observation.inputs.observed.items())],
        "libraries": [
            {"name": name, "version": use.version, "names": list(use.names)}
            for name, use in sorted(loaded.libraries.items())
        ],
        "unresolved": [_edge(edge) for edge in loaded.unresolved],
    }


def _entry(key: str, entry: CodeEntry) -> dict[str, Any]:
    return {"key": key, "digest": entry.digest, **_place(entry.location)}


def _edge(edge: UnresolvedCode) -> dict[str, Any]:
    return {"reason": edge.reason, **_place(edge.location)}


def _place(location: Location | None) -> dict[str, Any]:
    return {
        "file": None if location is None else location.file,
        "line": None if location is None else location.line,
    }


def _change(change: FactChange, subject: str) -> dict[str, Any]:
    plain: dict[str, Any] = {subject: change.key, "reason": change.reason.value, "old": change.old, "new": change.new}
    if change.reason is Reason.PARAM:
        plain |= {side: None if plain[side] is None else phrases.param(plain[side]) for side in ("old", "new")}
    if change.reason is Reason.ENV:
        plain |= {side: phrases.value(Reason.ENV, plain[side]) for side in ("old", "new")}
    if change.reason is Reason.CODE:
        plain["name"] = phrases.short_key(change.key)
        plain |= _place(change.location)
    return plain
