"""Formats the status of stages and tracked data as text and as the documented JSON; pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pivot_cli.terminal import formats
from pivot_cli.views import phrases, untracked
from pivot_core.decide import FactChange, Reason, Verdict
from pivot_core.errors import list_names
from pivot_core.lock import CodeEntry, UnresolvedCode
from pivot_core.spec import Location
from pivot_runtime.artifacts.obstacles import ways_out
from pivot_runtime.inspecting.status import StageStatus, Status, TrackedFile, TrackedState

if TYPE_CHECKING:
    from pivot_runtime.project.project import Project

_DIRECT = 2
"""The length of the path from a stage to an entry that it names itself."""

_STATES = {
    TrackedState.CLEAN: "clean",
    TrackedState.MODIFIED: "modified",
    TrackedState.MISSING: "missing",
    TrackedState.PARTIAL: "partly here",
    TrackedState.LOST: "not in the cache",
    TrackedState.OTHER: "other version",
}
_DRY: dict[Verdict, str] = {
    Verdict.UP_TO_DATE: "cached",
    Verdict.RUN: "would run",
    Verdict.RESTORE: "would restore",
    Verdict.BLOCKED: "blocked",
    Verdict.FROZEN: "frozen",
}


def status_text(found: Status) -> str:
    """Return one line per stage: its name, ``cached`` or ``stale``, and the most important reason."""
    if not found.stages:
        return "No stages are registered.\n"
    lines = stage_lines(found)
    stale = sum(not stage.cached for stage in found.stages)
    blocked = sum(stage.evaluation.decision.verdict is Verdict.BLOCKED for stage in found.stages)
    total = formats.counted(len(found.stages), "stage")
    if stale:
        way = "run 'pivot repro'" if blocked < stale else _provide(found)
        lines += ["", f"{total}, {stale} stale: {way}"]
    else:
        lines += ["", f"{total}, {'all cached' if all(map(_is_plain, found.stages)) else 'none stale'}"]
    if found.uncommitted:
        lines.append(_uncommitted(found))
    where = found.sync_state
    if where is not None:
        counts = {
            "in sync": where.synced,
            "to push": where.to_push,
            "to fetch": where.to_fetch,
            "missing": where.missing,
        }
        parts = [f"{count} {what}" for what, count in counts.items() if count]
        lines.append(f"{where.remote!r}: {', '.join(parts) or 'nothing is recorded'}")
    return formats.one_per_line(lines)


def stage_lines(found: Status) -> list[str]:
    """Return one line per stage: its name, ``cached`` or ``stale``, and the most important reason."""
    width = max((len(stage.name) for stage in found.stages), default=0)
    return [f"{stage.name:<{width}}  {_word(stage):<6}  {_detail(stage, found)}".rstrip() for stage in found.stages]


def _word(stage: StageStatus) -> str:
    """Return the state of a stage in one word."""
    if not stage.cached:
        return "stale"
    if stage.evaluation.stage.spec.frozen:
        return "frozen"
    return "cached" if _is_plain(stage) else "always"


def _is_plain(stage: StageStatus) -> bool:
    """Return whether nothing would happen to a stage, and nothing is special about that."""
    return stage.evaluation.decision.verdict in (Verdict.UP_TO_DATE, Verdict.RESTORE)


def _uncommitted(found: Status) -> str:
    which = list_names(list(found.uncommitted))
    return f"{which} ran with --no-commit, and nothing was recorded: 'pivot commit' records it"


def _provide(found: Status) -> str:
    """Return hints if no stage can run."""
    for stage in found.stages:
        for path, obstacle in sorted(stage.evaluation.observation.taken.items()):
            return ways_out(path, obstacle)
    return "provide the missing files"


def _detail(stage: StageStatus, found: Status) -> str:
    """Return why a stage is stale; for a cached stage, which of its outs are missing here, and where they are."""
    if not stage.cached or not _is_plain(stage):
        return _because(stage, found)
    if stage.evaluation.unless and not stage.absent:
        upstream = list_names([found.names.get(each, each) for each in stage.evaluation.unless])
        return f"unless {upstream} {'writes' if len(stage.evaluation.unless) == 1 else 'write'} something else"
    absent: dict[str, list[str]] = {}
    remote = "" if found.sync_state is None else found.sync_state.remote
    for path, place in sorted(stage.absent.items()):
        where = "in the cache" if place.value == "cache" else f"on {remote!r}"
        absent.setdefault(where, []).append(path)
    return "; ".join(f"not here, but {where}: {list_names(paths)}" for where, paths in absent.items())


def planned_runs(planned: Status) -> str:
    """Return one line per stage: the action of a run, and the most important reason."""
    if not planned.stages:
        return "No stages are registered.\n"
    width = max(len(stage.name) for stage in planned.stages)
    lines = []
    for stage in planned.stages:
        verb = _DRY[stage.evaluation.decision.verdict]
        why = _because(stage, planned) or _detail(stage, planned)
        lines.append(f"{verb:<13}  {stage.name:<{width}}  {why}".rstrip())
    return formats.one_per_line(lines)


def explanations(found: Status, *, why_not: bool = False, verbose: bool = False, diff: bool = False) -> str:
    """Return a block per stage: status, reason, every change with old and new, and untracked code.

    With ``diff``, it also says which edits cannot be shown; with ``why_not``, it also lists for each cached stage the
    compared facts; with ``verbose``, every place of untracked code.
    """
    if not found.stages:
        return "No stages are registered.\n"
    return "\n".join(
        formats.one_per_line(_explained(stage, found, why_not=why_not, verbose=verbose, diff=diff))
        for stage in found.stages
    )


def _explained(stage: StageStatus, found: Status, *, why_not: bool, verbose: bool, diff: bool) -> Iterator[str]:
    decision = stage.evaluation.decision
    spec = stage.evaluation.stage.spec
    yield f"Stage: {stage.name}"
    if verbose and spec.desc:
        yield f"  About: {spec.desc}"
    yield f"  Status: {phrases.action(decision.verdict)}"
    if decision.reasons:
        yield f"  Reason: {phrases.all_reasons(decision)}"
    text = phrases.describe_rerun(stage.stats.get("rerun"))
    if text:
        yield f"  Rerun: It {text}"
    upstream = stage.evaluation.observation.upstream
    if upstream:
        yield f"  Upstream: {', '.join(found.names.get(address, address) for address in upstream)}"
    if decision.changes:
        yield ""
        yield "  Changes:"
        names = phrases.keys(decision.changes)
        for change in decision.changes:
            yield from _changed(change, names[change], stage, diff=diff)
            if change.key in stage.differences and change.reason in (Reason.OUT_MISSING, Reason.OUT_MODIFIED):
                yield f"      {phrases.describe_difference(stage.differences[change.key], change.key)}"
        yield from _changed_variables(stage)
    if why_not and stage.cached:
        yield ""
        yield "  Compared, and equal:"
        yield from _compared(stage)
    yield from _not_declared(stage, verbose=verbose)


def _not_declared(stage: StageStatus, *, verbose: bool) -> Iterator[str]:
    """Return the dependencies of a stage that Pivot does not track."""
    variables = stage.stats.get("variables", ())
    if variables:
        yield ""
        yield "  Environment read, but not declared:"
        yield from (f"    {name}" for name in variables)
    lost = untracked.edges(stage)
    if lost:
        yield ""
        yield "  Not tracked:"
        yield from untracked.explanation_lines(lost, verbose=verbose)


def _changed_variables(stage: StageStatus) -> Iterator[str]:
    """Yield a block for each variable of a ``pivot.yaml`` that differs from the last run's."""
    for each in stage.variables:
        yield f"    var:{each.name}"
        yield f"      Old: {phrases.value(Reason.PARAM, each.old)}"
        yield f"      New: {phrases.value(Reason.PARAM, each.new)}"
        if each.place:
            yield f"      File: {each.place}"


def _compared(stage: StageStatus) -> Iterator[str]:
    for fact in stage.compared():
        kind = "" if fact.kind in ("code", "observed") else f"{fact.kind}:"
        at = f"  {fact.location}" if fact.location is not None else ""
        seen = "  seen when it ran" if fact.kind == "observed" else ""
        yield f"    {kind}{fact.key}  {phrases.fact(fact.kind, fact.value)}{at}{seen}"


def _changed(change: FactChange, key: str, stage: StageStatus, *, diff: bool) -> Iterator[str]:
    yield f"    {key}"
    if change.reason in (Reason.DEP_MISSING, Reason.UPSTREAM_BLOCKED):
        yield f"      {change.reason.value}"
        return
    if change.reason is Reason.OUT_TAKEN:
        yield f"      {change.reason.value}: {change.new}"
        yield f"      Solution: {ways_out(change.key, change.new or '')}"
        return
    yield f"      Old: {phrases.value(change.reason, change.old)}"
    yield f"      New: {phrases.value(change.reason, change.new)}"
    if change.location is not None:
        yield f"      File: {change.location}"
    path = stage.evaluation.stage.path(change.key)
    if change.reason is Reason.CODE and len(path) > _DIRECT:
        yield f"      Via: {phrases.chain(path)}"
    if diff and change.reason is Reason.CODE and change.old is not None and change.key not in stage.diffs:
        yield "      Diff: not known, since this computer has no copy of that code as of the last run"
    if stage.diffs.get(change.key):
        yield "      Diff:"
        for line in stage.diffs[change.key].splitlines():
            yield f"        {line}"


def fingerprints(found: Status, *, verbose: bool = False) -> str:
    """Return a block per stage: every entry with digest and place, libraries with versions, and untracked code."""
    return "\n".join(formats.one_per_line(_fingerprint(stage, verbose=verbose)) for stage in found.stages)


def _fingerprint(stage: StageStatus, *, verbose: bool) -> Iterator[str]:
    loaded, observation = stage.evaluation.stage, stage.evaluation.observation
    entries = {**loaded.code, **observation.inputs.observed}
    width = max(map(len, entries), default=0)
    yield f"Stage: {stage.name}"
    yield "  Tracked:"
    for key, entry in sorted(entries.items()):
        seen = "" if key in loaded.code else "  seen when it ran"
        at = f"  {entry.location}" if entry.location is not None else ""
        yield f"    {key:<{width}}  {entry.digest[:8]}{at}{seen}"
    if loaded.libraries:
        yield "  Libraries:"
        for name, use in sorted(loaded.libraries.items()):
            yield f"    {name} {use.version}  {list_names(use.names, 5)}"
    if loaded.unresolved:
        yield "  Not tracked:"
        yield from untracked.fingerprint_lines(loaded.unresolved, verbose=verbose)


def _because(stage: StageStatus, found: Status) -> str:
    decision = stage.evaluation.decision
    text = phrases.main_reason(decision, found.names, stage.evaluation.observation.upstream)
    if decision.reasons[:1] in ((Reason.OUT_MISSING,), (Reason.OUT_MODIFIED,)):
        differs = (phrases.describe_difference(each, path) for path, each in stage.differences.items())
        return f"{text} ({'; '.join(differs)})" if stage.differences else text
    return text


def tracked_states(found: Sequence[TrackedFile], project: "Project") -> Iterator[str]:
    """Return a line for each tracked path, and hints for those that are not clean."""
    width = max((len(project.from_cwd(each.path)) for each in found), default=0)
    words = max((len(_STATES[each.state]) for each in found), default=0)
    for each in found:
        path = formats.one_line(project.from_cwd(each.path))
        differs = phrases.describe_difference(each.difference, path)
        yield f"{path:<{width}}  {_STATES[each.state]:<{words}}  {formats.size(each.size):<8}  {differs}".rstrip()
    yield from advice(found)


def advice(found: Iterable[TrackedFile]) -> Iterator[str]:
    """Return hints for tracked data that are not clean, the most likely first."""
    states: dict[TrackedState, bool] = {}
    for each in found:
        states[each.state] = states.get(each.state, True) and each.in_cache
    for state, what, otherwise in (
        (
            TrackedState.OTHER,
            "restore the recorded data: the current ones are another version",
            "'pivot track' records the current ones",
        ),
        (TrackedState.MISSING, "restore missing data", ""),
        (TrackedState.PARTIAL, "restore the missing part", "'pivot track' records only the rest"),
    ):
        if state in states:
            way = "run 'pivot checkout' to" if states[state] else "run 'pivot pull' to fetch and"
            other = otherwise if states[state] else otherwise.replace("track'", "track --force'")
            yield f"{way} {what}{f'; {other}' if other else ''}"
    if TrackedState.LOST in states:
        yield "run 'pivot track' on data that are not in the cache to store them again"
    if TrackedState.MODIFIED in states:
        undo = "checkout" if states[TrackedState.MODIFIED] else "pull"
        yield f"run 'pivot track' on modified data to record them, or 'pivot {undo} --force' to undo the changes"


_OUT_REASONS = frozenset({Reason.OUT_SPEC, Reason.OUT_MISSING, Reason.OUT_MODIFIED, Reason.OUT_LOST, Reason.OUT_TAKEN})


def status_json(found: Status, *, explain: bool, stages_only: bool) -> dict[str, Any]:
    """Return ``stages``, ``tracked_files`` and ``suggestions``; the last two are empty with ``stages_only``.

    If the remote was asked, add ``remote`` and the location of everything that is missing here.
    """
    plain: dict[str, Any] = {
        "stages": [stage_json(stage, found, explain=explain) for stage in found.stages],
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
    yield from (suggestion for which, suggestion in _OF_TRACKED if not states.isdisjoint(which))
    where = found.sync_state
    if where is not None and where.to_push:
        yield f"Run 'pivot push' to share {formats.counted(where.to_push, 'file')} that only the cache has"
    if where is not None and where.to_fetch:
        yield f"Run 'pivot pull' to fetch {formats.counted(where.to_fetch, 'file')} that only {where.remote!r} has"
    if found.uncommitted:
        yield f"Run 'pivot commit' to record what {list_names(list(found.uncommitted))} wrote with --no-commit"
    blocked = [stage for stage in found.stages if stage.evaluation.decision.verdict is Verdict.BLOCKED]
    stale = sum(not stage.cached for stage in found.stages) - len(blocked)
    if stale:
        yield f"Run 'pivot repro' to update {formats.counted(stale, 'stale stage')}"
    for stage in blocked:
        for path in stage.evaluation.observation.missing:
            yield f"Provide {path}, which {stage.name} reads"
        for path, obstacle in sorted(stage.evaluation.observation.taken.items()):
            yield f"Clear {path} for {stage.name}: {obstacle}; {ways_out(path, obstacle)}"


def stage_json(stage: StageStatus, found: Status, *, explain: bool) -> dict[str, Any]:
    """Return a stage as in `status_json`."""
    evaluation = stage.evaluation
    decision = evaluation.decision
    plain: dict[str, Any] = {
        "name": stage.name,
        "address": evaluation.stage.spec.address,
        "status": "cached" if stage.cached else "stale",
        **({"runs": "never"} if evaluation.stage.spec.frozen else {}),
        **({"runs": "always"} if evaluation.stage.spec.always and not evaluation.stage.spec.frozen else {}),
        "reason": ""
        if stage.cached and _is_plain(stage)
        else phrases.main_reason(decision, found.names, evaluation.observation.upstream),
    }
    if found.sync_state is not None:
        plain["not_here"] = [{"path": path, "where": place.value} for path, place in sorted(stage.absent.items())]
    if explain:
        plain |= {
            **_definition(evaluation.stage.spec.location),
            "summary": _summary(stage, found),
            "will_run": decision.verdict is Verdict.RUN,
            "action": decision.verdict.value,
            "reasons": [reason.value for reason in decision.reasons],
            "code_changes": [
                _change(change, "key") | {"via": list(_via(change, stage)), "diff": stage.diffs.get(change.key) or None}
                for change in decision.changes
                if change.reason is Reason.CODE
            ],
            "library_changes": [
                _change(change, "name") for change in decision.changes if change.reason is Reason.LIBRARY
            ],
            "param_changes": [_change(change, "key") for change in decision.changes if change.reason is Reason.PARAM],
            "variable_changes": [
                {"name": each.name, "old": each.old, "new": each.new, "place": each.place} for each in stage.variables
            ],
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
            "upstream_always": [found.names.get(address, address) for address in evaluation.unless],
            "upstream_stale": [
                found.names.get(address, address)
                for address in (*evaluation.observation.upstream, *evaluation.observation.blocked)
            ],
            "unresolved": [_edge(edge) for edge in untracked.edges(stage)],
            "variables_read": list(stage.stats.get("variables", ())),
            "rerun": phrases.rerun_json(stage.stats.get("rerun")),
        }
    return plain


def _summary(stage: StageStatus, found: Status) -> str:
    """Return the state of a stage, and why it is not simply cached, in a few words."""
    evaluation = stage.evaluation
    upstream = evaluation.observation.upstream
    word = _word(stage)
    if word in ("cached", "always"):
        return "cached" if word == "cached" else "always runs"
    why = phrases.summary(evaluation.decision, found.names, upstream, evaluation.stage.via)
    return f"{word}: {why}" if why else word


def _via(change: FactChange, stage: StageStatus) -> tuple[str, ...]:
    loaded = stage.evaluation.stage
    return loaded.path(change.key) if change.key in loaded.code else ()


def fingerprint_json(stage: StageStatus) -> dict[str, Any]:
    """Return the tracked code of a stage, the code that its last run was observed to use, and untracked code."""
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


def _definition(location: Location) -> dict[str, Any]:
    """Return where a stage is defined; a function that was made at run time has no file."""
    known = not location.file.startswith("<")
    return {"file": location.file if known else None, "line": location.line or None if known else None}


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
