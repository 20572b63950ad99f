"""Records as text for a person; pure, so that what a command prints can be tested without running it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pivot_cli.terminal import formats, sanitize
from pivot_cli.views import phrases, untracked
from pivot_core.decide import FactChange, Reason, Verdict
from pivot_runtime.artifacts.obstacles import ways_out
from pivot_runtime.inspecting.status import StageStatus, Status

if TYPE_CHECKING:
    from pivot_runtime.running.repro import RunResult  # start-up time: only a run has one
    from pivot_runtime.sharing.remote_view import SyncState

_DIRECT = 2
"""The length of the path from a stage to what it names itself."""

_DRY: dict[Verdict, str] = {
    Verdict.UP_TO_DATE: "cached",
    Verdict.RUN: "would run",
    Verdict.RESTORE: "would restore",
    Verdict.BLOCKED: "blocked",
}


def status(found: Status) -> str:
    """One line per stage: its name, ``cached`` or ``stale``, and the weightiest reason."""
    if not found.stages:
        return "No stages are registered.\n"
    width = max(len(stage.name) for stage in found.stages)
    lines = [
        f"{stage.name:<{width}}  {'cached' if stage.cached else 'stale':<6}  {_told(stage, found)}".rstrip()
        for stage in found.stages
    ]
    stale = sum(not stage.cached for stage in found.stages)
    blocked = sum(stage.evaluation.decision.verdict is Verdict.BLOCKED for stage in found.stages)
    total = formats.counted(len(found.stages), "stage")
    if stale:
        way = "run 'pivot repro'" if blocked < stale else _provide(found)
        lines += ["", f"{total}, {stale} stale: {way}"]
    else:
        lines += ["", f"{total}, all cached"]
    if found.sync_state is not None:
        lines.append(_synced(found.sync_state))
    return _text(lines)


def _provide(found: Status) -> str:
    """Hints if no stage can run."""
    for stage in found.stages:
        for path, told in sorted(stage.evaluation.observation.taken.items()):
            return ways_out(path, told)
    return "provide what is missing"


def _told(stage: StageStatus, found: Status) -> str:
    """Why a stage is stale; of one that is cached, which of its outs are not here, and where they are."""
    if not stage.cached:
        return _because(stage, found)
    absent: dict[str, list[str]] = {}
    remote = "" if found.sync_state is None else found.sync_state.remote
    for path, place in sorted(stage.absent.items()):
        where = "in the cache" if place.value == "cache" else f"on {remote!r}"
        absent.setdefault(where, []).append(path)
    return "; ".join(f"not here, but {where}: {phrases.listed(paths)}" for where, paths in absent.items())


def _synced(where: "SyncState") -> str:
    counts = {"in sync": where.synced, "to push": where.to_push, "to fetch": where.to_fetch, "missing": where.missing}
    told = [f"{count} {what}" for what, count in counts.items() if count]
    return f"{where.remote!r}: {', '.join(told) or 'nothing is recorded'}"


def planned_runs(planned: Status) -> str:
    """One line per stage: what a run would do with it, and the weightiest reason."""
    if not planned.stages:
        return "No stages are registered.\n"
    width = max(len(stage.name) for stage in planned.stages)
    lines = []
    for stage in planned.stages:
        verb = _DRY[stage.evaluation.decision.verdict]
        why = _because(stage, planned) or _told(stage, planned)
        lines.append(f"{verb:<13}  {stage.name:<{width}}  {why}".rstrip())
    return _text(lines)


def explanations(found: Status, *, why_not: bool = False, verbose: bool = False) -> str:
    """A block per stage: status, reason, every change with old and new, and what is not tracked.

    With ``why_not`` also, for each stage that is cached, what was compared and found equal; with ``verbose`` every
    place of what is not tracked.
    """
    if not found.stages:
        return "No stages are registered.\n"
    return "\n".join(_text(_explained(stage, found, why_not=why_not, verbose=verbose)) for stage in found.stages)


def _explained(stage: StageStatus, found: Status, *, why_not: bool, verbose: bool) -> Iterator[str]:
    decision = stage.evaluation.decision
    yield f"Stage: {stage.name}"
    yield f"  Status: {phrases.action(decision.verdict)}"
    if decision.reasons:
        yield f"  Reason: {phrases.reasons(decision)}"
    told = phrases.rerun(stage.stats.get("rerun"))
    if told:
        yield f"  Rerun: It {told}"
    upstream = stage.evaluation.observation.upstream
    if upstream:
        yield f"  Upstream: {', '.join(found.names.get(address, address) for address in upstream)}"
    if decision.changes:
        yield ""
        yield "  Changes:"
        shown = phrases.keys(decision.changes)
        for change in decision.changes:
            yield from _changed(change, shown[change], stage)
            if change.key in stage.differences and change.reason in (Reason.OUT_MISSING, Reason.OUT_MODIFIED):
                yield f"      {phrases.difference(stage.differences[change.key], change.key)}"
    if why_not and stage.cached:
        yield ""
        yield "  Compared, and equal:"
        yield from _compared(stage)
    yield from _not_declared(stage, verbose=verbose)


def _not_declared(stage: StageStatus, *, verbose: bool) -> Iterator[str]:
    """Dependencies of a stage that Pivot does not track."""
    variables = stage.stats.get("variables", ())
    if variables:
        yield ""
        yield "  Environment read, but not declared:"
        yield from (f"    {name}" for name in variables)
    lost = untracked.edges(stage)
    if lost:
        yield ""
        yield "  Not tracked:"
        yield from untracked.explained(lost, verbose=verbose)


def _compared(stage: StageStatus) -> Iterator[str]:
    observation = stage.evaluation.observation
    for line in observation.inputs.lines():
        at = f"  {line.location}" if line.location is not None else ""
        if line.kind in ("code", "observed"):
            seen = "" if line.kind == "code" else "  seen when it ran"
            yield f"    {line.key}  {line.value[:8]}{at}{seen}"
        elif line.kind == "dep":
            yield f"    dep:{line.key}  {line.value[:8]}"
        elif line.kind == "env":
            yield f"    env:{line.key}  {phrases.value(Reason.ENV, line.value)}"
        elif line.kind != "out":
            shown = phrases.param(line.value) if line.kind == "param" else line.value
            yield f"    {line.kind}:{line.key}  {shown}"
    for path, artifact in sorted(observation.outs.items()):
        yield f"    out:{path}  {artifact.digest[:8] if artifact is not None else ''}"


def _changed(change: FactChange, key: str, stage: StageStatus) -> Iterator[str]:
    yield f"    {key}"
    if change.reason in (Reason.DEP_MISSING, Reason.UPSTREAM_BLOCKED):
        yield f"      {change.reason.value}"
        return
    if change.reason is Reason.OUT_TAKEN:
        yield f"      {change.reason.value}: {change.new}"
        yield f"      Way out: {ways_out(change.key, change.new or '')}"
        return
    yield f"      Old: {phrases.value(change.reason, change.old)}"
    yield f"      New: {phrases.value(change.reason, change.new)}"
    if change.location is not None:
        yield f"      File: {change.location}"
    path = stage.evaluation.stage.path(change.key)
    if change.reason is Reason.CODE and len(path) > _DIRECT:
        yield f"      Via: {phrases.way(path)}"
    if change.key in stage.diffs:
        yield "      Diff:"
        for line in stage.diffs[change.key].splitlines():
            yield f"        {line}"


def fingerprints(found: Status, *, verbose: bool = False) -> str:
    """A block per stage: every entry with digest and place, libraries with versions, and what is not tracked."""
    return "\n".join(_text(_fingerprint(stage, verbose=verbose)) for stage in found.stages)


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
            yield f"    {name} {use.version}  {phrases.listed(use.names, 5)}"
    if loaded.unresolved:
        yield "  Not tracked:"
        yield from untracked.listed(loaded.unresolved, verbose=verbose)


def summary(outcome: "RunResult") -> str:
    """The line at the end of a run."""
    parts = [
        f"{len(addresses)} {word}"
        for word, addresses in (
            ("failed", outcome.failed),
            ("blocked", outcome.blocked),
            ("not recorded", outcome.torn),
            ("not started", outcome.unstarted),
            ("ran", outcome.ran),
            ("restored", outcome.restored),
            ("cached", outcome.cached),
        )
        if addresses
    ]
    duration = formats.seconds(outcome.seconds)
    if not parts:
        return "Nothing to do: no stages are registered"
    if outcome.cached and len(parts) == 1:
        return f"Everything is up to date: {formats.counted(len(outcome.cached), 'stage')} cached ({duration})"
    return f"{'Done' if outcome.complete else 'Not done'}: {', '.join(parts)} ({duration})"


def _because(stage: StageStatus, found: Status) -> str:
    decision = stage.evaluation.decision
    told = phrases.because(decision, found.names, stage.evaluation.observation.upstream)
    if decision.reasons[:1] in ((Reason.OUT_MISSING,), (Reason.OUT_MODIFIED,)):
        differs = (phrases.difference(each, path) for path, each in stage.differences.items())
        return f"{told} ({'; '.join(differs)})" if stage.differences else told
    return told


def _text(lines: Iterator[str] | list[str]) -> str:
    return sanitize.lines(lines)
