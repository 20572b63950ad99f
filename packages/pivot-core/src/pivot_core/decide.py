"""The one decision function: the action for a stage, with reasons; pure, and shared by all commands."""

import enum
import itertools
from collections.abc import Iterable, Mapping
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
    FROZEN = "frozen"


class Reason(enum.Enum):
    """Reasons, the most important first; the value is the text for the user."""

    FORCED = "Forced"
    FROZEN = "Stage is frozen"
    NEVER_RUN = "No previous run"
    SCHEMA = "Fingerprint schema changed"
    CODE = "Code dependency changed"
    LIBRARY = "Library version changed"
    PARAM = "Parameter changed"
    ENV = "Environment variable changed"
    DEP = "Input data changed"
    OUT_SPEC = "Output declaration changed"
    EXPIRED = "Result expired"
    OUT_MISSING = "Output missing"
    OUT_MODIFIED = "Output modified"
    OUT_LOST = "Output not in the cache"
    UPSTREAM = "Upstream stage will run"
    ALWAYS = "Always runs"
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
class VariableChange(Value):
    """A variable of a ``pivot.yaml`` with another value than at a stage's last run.

    Attributes:
        name: Its name, with the keys of an item in it.
        old: Its value as JSON; None if the last run did not use it.
        new: The current one; None if the stage no longer uses it.
        place: The file, and the line if it is known, of the current one.
    """

    name: str
    old: str | None
    new: str | None
    place: str


@attrs.frozen(eq=False, repr=False)
class Decision(Value):
    """The verdict on a stage, with its reasons.

    Attributes:
        verdict: The action.
        reasons: The reasons, the most important first; empty if and only if the stage is up to date.
        changes: The facts behind the reasons, sorted by kind and key; for a blocked stage, also all other known
            differences.
        restore: For RESTORE, the earlier run whose outs are all available without a run; for a frozen stage, its outs
            as they will be, without a key, since they need not be those of one run.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    changes: tuple[FactChange, ...] = ()
    restore: RunRecord | None = None

    @property
    def holds(self) -> bool:
        """Whether the present outs count: nothing would run, or only a stage that always does."""
        return self.verdict in (Verdict.UP_TO_DATE, Verdict.FROZEN) or self.reasons == (Reason.ALWAYS,)


class Memory(Protocol):
    """The results of earlier runs that a decision may use."""

    def recorded(self, key: str) -> Iterable[RunRecord]:
        """The recorded runs with this inputs key of which all observed code is unchanged, the best first."""
        ...

    def has(self, artifact: Artifact) -> bool:
        """Whether all of this content is available without running anything."""
        ...


def decide(lock: StageLock | None, now: Observation, memory: Memory, *, force: bool = False) -> Decision:
    """The decision for a stage with the last run ``lock`` and the current facts ``now``.

    A frozen stage never runs, not even with ``force``. ``memory`` is used only if the stage is not up to date. Its
    answers must not change during the call.
    """
    changes = _changes(lock, now)
    reasons = list(dict.fromkeys(change.reason for change in changes))
    if lock is None:
        reasons.insert(0, Reason.NEVER_RUN)
    if now.frozen:
        return _frozen(lock, now, memory, (Reason.FROZEN, *reasons), changes)
    if now.missing or now.blocked or now.taken:
        return _blocked(now, changes)
    if now.upstream:
        reasons.append(Reason.UPSTREAM)
    if now.always:
        reasons.append(Reason.ALWAYS)
    if force:
        return Decision(Verdict.RUN, (Reason.FORCED, *reasons), changes)
    if not reasons:
        return Decision(Verdict.UP_TO_DATE)
    restore = None if now.upstream or now.always else _obtainable(lock, now, memory)
    verdict = Verdict.RUN if restore is None else Verdict.RESTORE
    return Decision(verdict, tuple(reasons), changes, restore)


def _frozen(
    lock: StageLock | None,
    now: Observation,
    memory: Memory,
    reasons: tuple[Reason, ...],
    changes: tuple[FactChange, ...],
) -> Decision:
    """Leave the outs that are in place; restore the others as the last run left them."""
    absent = [out.path for out in now.inputs.outs if now.outs.get(out.path) is None]
    if not absent:
        return Decision(Verdict.FROZEN, reasons, changes)
    last = {} if lock is None else lock.outs
    if all(path in last and path not in now.taken and memory.has(last[path]) for path in absent):
        outs = {out.path: now.outs.get(out.path) or last[out.path] for out in now.inputs.outs}
        return Decision(Verdict.RESTORE, reasons, changes, RunRecord("", outs))
    known = {change.key for change in changes if change.reason is Reason.OUT_MISSING}
    unknown = [FactChange(Reason.OUT_MISSING, path, None, None) for path in absent if path not in known]
    taken = [FactChange(Reason.OUT_TAKEN, path, None, now.taken[path]) for path in absent if path in now.taken]
    why = (Reason.FROZEN, *([Reason.OUT_TAKEN] if taken else []), Reason.OUT_MISSING)
    return Decision(Verdict.BLOCKED, why, (*taken, *unknown, *changes))


def _blocked(now: Observation, changes: tuple[FactChange, ...]) -> Decision:
    missing = tuple(FactChange(Reason.DEP_MISSING, path, None, None) for path in now.missing)
    taken = tuple(FactChange(Reason.OUT_TAKEN, path, None, what) for path, what in sorted(now.taken.items()))
    upstream = tuple(FactChange(Reason.UPSTREAM_BLOCKED, address, None, None) for address in now.blocked)
    why = (*missing, *taken, *upstream)
    return Decision(Verdict.BLOCKED, tuple(dict.fromkeys(change.reason for change in why)), (*why, *changes))


def _obtainable(lock: StageLock | None, now: Observation, memory: Memory) -> RunRecord | None:
    """A run with the current inputs whose outs are all available; a run without one of them does not count."""
    key = now.inputs.key()
    last = []
    if lock is not None and not _input_changes(lock.inputs, now):
        last.append(RunRecord(key, lock.outs, lock.inputs.observed, lock.ran_at))
    # The result of a stage that continues from its last out does not depend on its inputs alone.
    incremental = any(out.incremental for out in now.inputs.outs)
    recorded = () if incremental else memory.recorded(key)
    declared = {out.path for out in now.inputs.outs}
    for run in itertools.chain(last, recorded):
        if (
            not _expired(run.ran_at, now)
            and run.outs.keys() == declared
            and all(now.outs.get(path) == artifact or memory.has(artifact) for path, artifact in run.outs.items())
        ):
            return run
    return None


def _changes(lock: StageLock | None, now: Observation) -> tuple[FactChange, ...]:
    if lock is None:
        return ()
    return (*_input_changes(lock.inputs, now), *_expiry(lock.ran_at, now), *_out_changes(lock, now))


def _expired(ran_at: int | None, now: Observation) -> bool:
    """Whether a result is too old; one of unknown age is."""
    return now.oldest is not None and (ran_at is None or ran_at < now.oldest)


def _expiry(ran_at: int | None, now: Observation) -> list[FactChange]:
    if not _expired(ran_at, now):
        return []
    return [FactChange(Reason.EXPIRED, "ttl", None if ran_at is None else str(ran_at), str(now.oldest))]


def _input_changes(before: Inputs, now: Observation) -> list[FactChange]:
    if before.same_lines(now.inputs):
        return []
    old = _by_fact(before)
    new = _by_fact(now.inputs)
    unknown = {("param", name) for name in now.unknown_params}
    if now.upstream or now.missing or now.blocked:
        unknown |= {("dep", path) for path in before.deps if path not in now.inputs.deps}
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
