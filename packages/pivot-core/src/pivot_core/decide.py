"""The one decision function: the action for a stage, with reasons; pure, and shared by all commands."""

import enum
from collections.abc import Mapping
from typing import Protocol

import attrs

from pivot_core.lock import Artifact, InputLine, Inputs, Observation, RunRecord, StageLock
from pivot_core.spec import Location
from pivot_core.values import Value


class Verdict(enum.Enum):
    """The action for a stage."""

    UP_TO_DATE = "up_to_date"
    RESTORE = "restore"
    RUN = "run"
    BLOCKED = "blocked"


class Reason(enum.Enum):
    """Reasons, the most important first; the value is the text for the user."""

    FORCED = "Forced"
    NEVER_RUN = "No previous run"
    SCHEMA = "Fingerprint schema changed"
    CODE = "Code dependency changed"
    LIBRARY = "Library version changed"
    PARAM = "Parameter changed"
    ENV = "Environment variable changed"
    DEP = "Input data changed"
    OUT_SPEC = "Output declaration changed"
    OUT_MISSING = "Output missing"
    OUT_MODIFIED = "Output modified"
    OUT_LOST = "Output not in the cache"
    UPSTREAM = "Upstream stage will run"
    DEP_MISSING = "Input missing"
    OUT_TAKEN = "Output path is taken"
    UPSTREAM_BLOCKED = "Upstream stage cannot run"


_BY_KIND: Mapping[str, Reason] = {
    "code": Reason.CODE,
    "observed": Reason.CODE,
    "library": Reason.LIBRARY,
    "param": Reason.PARAM,
    "env": Reason.ENV,
    "dep": Reason.DEP,
    "out": Reason.OUT_SPEC,
}
_KIND_RANK: Mapping[str, int] = {kind: rank for rank, kind in enumerate(_BY_KIND)}


@attrs.frozen(eq=False, repr=False)
class FactChange(Value):
    """A fact that differs between the last run and now; None on the side where it does not exist."""

    reason: Reason
    key: str
    old: str | None
    new: str | None
    location: Location | None = None


@attrs.frozen(eq=False, repr=False)
class Decision(Value):
    """The verdict on a stage, with its reasons.

    Attributes:
        verdict: The action.
        reasons: The reasons, the most important first; empty if and only if the stage is up to date.
        changes: The facts behind the reasons, sorted by kind and key; for a blocked stage, also all other known
            differences.
        restore: For RESTORE, the earlier run whose outs are all available without a run.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    changes: tuple[FactChange, ...] = ()
    restore: RunRecord | None = None


class Memory(Protocol):
    """The results of earlier runs that a decision may use."""

    def recorded(self, key: str) -> RunRecord | None:
        """The recorded run with this inputs key, if all code that it observed is unchanged."""
        ...

    def has(self, artifact: Artifact) -> bool:
        """Whether all of this content is available without running anything."""
        ...


def decide(lock: StageLock | None, now: Observation, memory: Memory, *, force: bool = False) -> Decision:
    """The decision for a stage with the last run ``lock`` and the current facts ``now``.

    ``memory`` is used only if the stage is not up to date. Its answers must not change during the call.
    """
    changes = _changes(lock, now)
    reasons = list(dict.fromkeys(change.reason for change in changes))
    if now.missing or now.blocked or now.taken:
        return _blocked(now, changes)
    if lock is None:
        reasons.insert(0, Reason.NEVER_RUN)
    if now.upstream:
        reasons.append(Reason.UPSTREAM)
    if force:
        return Decision(Verdict.RUN, (Reason.FORCED, *reasons), changes)
    if not reasons:
        return Decision(Verdict.UP_TO_DATE)
    restore = None if now.upstream else _obtainable(lock, now, memory)
    verdict = Verdict.RUN if restore is None else Verdict.RESTORE
    return Decision(verdict, tuple(reasons), changes, restore)


def _blocked(now: Observation, changes: tuple[FactChange, ...]) -> Decision:
    missing = tuple(FactChange(Reason.DEP_MISSING, path, None, None) for path in now.missing)
    taken = tuple(FactChange(Reason.OUT_TAKEN, path, None, what) for path, what in sorted(now.taken.items()))
    upstream = tuple(FactChange(Reason.UPSTREAM_BLOCKED, address, None, None) for address in now.blocked)
    why = (*missing, *taken, *upstream)
    return Decision(Verdict.BLOCKED, tuple(dict.fromkeys(change.reason for change in why)), (*why, *changes))


def _obtainable(lock: StageLock | None, now: Observation, memory: Memory) -> RunRecord | None:
    """A run with the current inputs whose outs are all available; a run without one of them does not count."""
    key = now.inputs.key()
    candidates = []
    if lock is not None and not _input_changes(lock.inputs, now):
        candidates.append(RunRecord(key, lock.outs, lock.inputs.observed))
    # The result of a stage that continues from its last out does not depend on its inputs alone.
    incremental = any(out.incremental for out in now.inputs.outs)
    recorded = None if incremental else memory.recorded(key)
    if recorded is not None:
        candidates.append(recorded)
    declared = {out.path for out in now.inputs.outs}
    for run in candidates:
        if run.outs.keys() == declared and all(
            now.outs.get(path) == artifact or memory.has(artifact) for path, artifact in run.outs.items()
        ):
            return run
    return None


def _changes(lock: StageLock | None, now: Observation) -> tuple[FactChange, ...]:
    if lock is None:
        return ()
    return (*_input_changes(lock.inputs, now), *_out_changes(lock, now))


def _input_changes(before: Inputs, now: Observation) -> list[FactChange]:
    if before.same_lines(now.inputs):
        return []
    old = _by_fact(before)
    new = _by_fact(now.inputs)
    unknown = (
        set()
        if not (now.upstream or now.missing or now.blocked)
        else {("dep", path) for path in before.deps if path not in now.inputs.deps}
    )
    changes = []
    code = set()
    if before.schema != now.inputs.schema:
        changes.append(FactChange(Reason.SCHEMA, "schema", str(before.schema), str(now.inputs.schema)))
    for fact in sorted(old.keys() | new.keys(), key=lambda fact: (_KIND_RANK[fact[0]], fact[1])):
        was, is_ = old.get(fact), new.get(fact)
        if fact in unknown or (was is not None and is_ is not None and was.value == is_.value):
            continue
        if fact[0] == "code":
            code.add(fact[1])
        elif fact[0] == "observed" and fact[1] in code:
            continue  # code that was only observed before, and is now followed, is shown once
        entry = is_ if is_ is not None else was
        changes.append(
            FactChange(
                reason=_BY_KIND[fact[0]],
                key=fact[1],
                old=None if was is None else was.value,
                new=None if is_ is None else is_.value,
                location=None if entry is None else entry.location,
            )
        )
    return changes


def _by_fact(inputs: Inputs) -> dict[tuple[str, str], InputLine]:
    return {(line.kind, line.key): line for line in inputs.lines()}


def _out_changes(lock: StageLock, now: Observation) -> list[FactChange]:
    if now.outs == lock.outs and not now.lost:
        return []
    before = {out.path for out in lock.inputs.outs}
    changes = []
    for path in sorted(out.path for out in now.inputs.outs if out.path in before):
        locked, found = lock.outs.get(path), now.outs.get(path)
        if found is None:
            changes.append(FactChange(Reason.OUT_MISSING, path, None if locked is None else locked.digest, None))
        elif found != locked:
            changes.append(
                FactChange(Reason.OUT_MODIFIED, path, None if locked is None else locked.digest, found.digest)
            )
    changes.sort(key=lambda change: change.reason is Reason.OUT_MODIFIED)
    return [*changes, *(FactChange(Reason.OUT_LOST, path, lock.outs[path].digest, None) for path in now.lost)]
