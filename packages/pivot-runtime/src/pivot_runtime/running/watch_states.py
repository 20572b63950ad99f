"""States of `pivot repro --watch` and the function that leads from one to the next: pure, with no files and no clock.

`running.watch` does the work of each phase and passes the result to `next_state`. `docs/architecture.md` draws the same
phases and arrows.
"""

import enum
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Final

import attrs

from pivot_core.decide import Verdict
from pivot_core.errors import PivotError
from pivot_core.files.paths import touches
from pivot_core.values import Value

if TYPE_CHECKING:
    from pivot_core.files.paths import ArtifactPath
    from pivot_core.lock import Artifact
    from pivot_runtime.running.run_result import RunResult

TORN_ROUNDS: Final = 3
"""After so many rounds in a row, a stage whose own inputs change while it runs waits for another edit."""


class WatchPhase(enum.Enum):
    """The work of watch at one time, and the event that ends it.

    Attributes:
        RUNNING: The stages run, until a `Round` has ended.
        LOOKING: After a run, all stages are evaluated: a `Look`, or a `FailedLook`.
        SETTLING: Edits may still go on; the next run starts after a `Debounce`.
        WAITING: There is nothing to do until `ChangedPaths`.
        WAITING_FOR_FIX: The stages cannot be evaluated, and there is nothing to do until `ChangedPaths`.
        WAITING_FOR_COMMAND: Files that runs write have changed, and another command is at work: `ChangedPaths` are an
            edit, or its end.
        COMPARING: Only files that runs write have changed: a `Look` says whether that makes a difference.
    """

    RUNNING = enum.auto()
    LOOKING = enum.auto()
    SETTLING = enum.auto()
    WAITING = enum.auto()
    WAITING_FOR_FIX = enum.auto()
    WAITING_FOR_COMMAND = enum.auto()
    COMPARING = enum.auto()


@attrs.frozen(eq=False, repr=False)
class Round(Value):
    """The end of one run.

    Attributes:
        outcome: The outcome of each stage; None if the run could not start.
        error: Why it could not.
    """

    outcome: "RunResult | None"
    error: PivotError | None = None

    @property
    def complete(self) -> bool:
        """The run has left no stage to be run again."""
        return self.outcome is not None and self.outcome.complete


@attrs.frozen(eq=False, repr=False)
class ChangedPaths(Value):
    """The end of a wait, or a check of the paths that a run has read.

    Attributes:
        paths: The absolute paths whose stamps have changed; none if only another command has ended, or a
            result has expired.
        edits: Those of them that runs do not write.
        command_at_work: Another command holds the guard; only asked if there are no edits.
    """

    paths: tuple[str, ...] = ()
    edits: tuple[str, ...] = ()
    command_at_work: bool = False


@attrs.frozen(eq=False, repr=False)
class StageLook(Value):
    """The state of one stage, as a look found it.

    Attributes:
        address: The stage.
        verdict: The action that a run would take.
        inputs_key: The key of its inputs.
        deps: The absolute paths of its deps.
        outs: The content at the absolute path of each of its outs.
        missing: Its missing deps.
        always: It would run only because it always does.
    """

    address: str
    verdict: Verdict
    inputs_key: str = ""
    deps: tuple[str, ...] = ()
    outs: "Mapping[str, Artifact | None]" = attrs.field(factory=dict)
    missing: "tuple[ArtifactPath, ...]" = ()
    always: bool = False

    @property
    def stale(self) -> bool:
        """Whether something has changed, so that a run would not skip it."""
        return self.verdict not in (Verdict.UP_TO_DATE, Verdict.FROZEN) and not self.always


@attrs.frozen(eq=False, repr=False)
class Verdicts(Value):
    """Everything that decides what a run would do and report.

    Attributes:
        stages: The selected stages, each after those whose outs it reads.
        broken: The file and the error of each pipeline that cannot be loaded.
    """

    stages: tuple[StageLook, ...] = ()
    broken: tuple[tuple[str, str], ...] = ()

    @property
    def stale(self) -> set[str]:
        """The stages that a run would not skip."""
        return {each.address for each in self.stages if each.stale}

    @property
    def inputs_keys(self) -> dict[str, str]:
        """The key of the inputs of each stage."""
        return {each.address: each.inputs_key for each in self.stages}

    def deps(self, addresses: Container[str]) -> list[str]:
        """The absolute paths of the deps of some stages."""
        return [dep for each in self.stages if each.address in addresses for dep in each.deps]

    def readers(self, paths: Iterable[str]) -> set[str]:
        """The stages that read one of these absolute paths, and all stages downstream of them."""
        found, written = set(), list(paths)
        for each in self.stages:
            if any(touches(dep, path) for dep in each.deps for path in written):
                found.add(each.address)
                written += each.outs
        return found


@attrs.frozen(eq=False, repr=False)
class Look(Value):
    """A look at all stages.

    Attributes:
        verdicts: The verdicts on the stages.
        written: The absolute paths that runs write: outs, locks and objects.
        since_run: After a run that is not complete, the paths that have changed since that run read them.
    """

    verdicts: Verdicts
    written: tuple[str, ...] = ()
    since_run: ChangedPaths = ChangedPaths()


@attrs.frozen(eq=False, repr=False)
class FailedLook(Value):
    """A look at stages that could not be evaluated.

    Attributes:
        since_run: As of a `Look`.
    """

    since_run: ChangedPaths = ChangedPaths()


@attrs.frozen(eq=False, repr=False)
class Debounce(Value):
    """The pause before a run is over."""


type WatchEvent = Round | Look | FailedLook | Debounce | ChangedPaths


@attrs.frozen(eq=False, repr=False)
class WatchState(Value):
    """Everything that watch remembers; it begins with a run.

    Attributes:
        phase: The present work.
        run: The last run that has ended; before the first has, neither an outcome nor an error.
        look: The look after it; None if it failed.
        failure: If the run could not start: its error, and the verdicts after it.
        torn_rounds: For each stage whose inputs changed while it ran, in how many runs in a row they did.
        changed: The paths that have changed since the wait began; the next run starts because of them.
    """

    phase: WatchPhase = WatchPhase.RUNNING
    run: Round = Round(None)
    look: Look | None = None
    failure: tuple[str, Verdicts] | None = None
    torn_rounds: Mapping[str, int] = attrs.field(factory=dict)
    changed: tuple[str, ...] = ()

    @property
    def first(self) -> bool:
        """No run has ended yet."""
        return self.run == Round(None)

    @property
    def given_up(self) -> frozenset[str]:
        """The stages whose inputs changed in so many runs in a row that only another edit starts the next."""
        return frozenset(stage for stage, rounds in self.torn_rounds.items() if rounds >= TORN_ROUNDS)


def next_state(now: WatchState, event: WatchEvent) -> WatchState:  # noqa: PLR0911  # the whole table in one place
    """The state after an event; its phase is the next thing to do.

    Raises:
        ValueError: No such event ends this phase.
    """
    match now.phase, event:
        case WatchPhase.RUNNING, Round():
            return attrs.evolve(now, phase=WatchPhase.LOOKING, run=event, changed=())
        case WatchPhase.LOOKING, Look():
            return _after_look(now, event)
        case WatchPhase.LOOKING, FailedLook():
            again = now.run.outcome is not None or bool(event.since_run.paths)
            phase = WatchPhase.SETTLING if again else WatchPhase.WAITING_FOR_FIX
            return attrs.evolve(now, phase=phase, look=None, failure=None)
        case WatchPhase.SETTLING, Debounce():
            return attrs.evolve(now, phase=WatchPhase.RUNNING)
        case WatchPhase.WAITING_FOR_FIX, ChangedPaths():
            return attrs.evolve(now, phase=WatchPhase.RUNNING, changed=event.paths)
        case WatchPhase.WAITING | WatchPhase.WAITING_FOR_COMMAND, ChangedPaths():
            return attrs.evolve(now, phase=_after_change(event), changed=now.changed + event.paths)
        case WatchPhase.COMPARING, Look() if now.look is not None and event.verdicts == now.look.verdicts:
            return attrs.evolve(now, phase=WatchPhase.WAITING, look=event, changed=())
        case WatchPhase.COMPARING, Look() | FailedLook():
            return attrs.evolve(now, phase=WatchPhase.RUNNING)
    raise ValueError(f"{event!r} cannot end {now.phase}")


def _after_look(now: WatchState, look: Look) -> WatchState:
    outcome = now.run.outcome
    if outcome is None:  # the reason may be gone by now; but not if the same comes out twice
        after = attrs.evolve(now, look=look, failure=(str(now.run.error), look.verdicts))
        again = after.failure != now.failure
    else:
        torn_rounds = {stage: now.torn_rounds.get(stage, 0) + 1 for stage in outcome.torn}
        after = attrs.evolve(now, look=look, failure=None, torn_rounds=torn_rounds)
        again = _has_work(outcome, look, after.given_up)
    return attrs.evolve(after, phase=WatchPhase.SETTLING if again else WatchPhase.WAITING)


def _has_work(outcome: "RunResult", look: Look, given_up: frozenset[str]) -> bool:
    """Whether another run would do more than the one with this outcome.

    Stages that are given up do not count, nor does anything that depends on their deps: each run changes these.
    """
    unsteady = look.verdicts.deps(given_up)
    passed_over = given_up | look.verdicts.readers(unsteady)
    unfinished = outcome.failed | outcome.blocked | outcome.unstarted | passed_over
    if look.verdicts.stale - unfinished:
        return True
    if not unfinished or not look.since_run.paths:
        return False
    if any(not any(touches(path, dep) for dep in unsteady) for path in look.since_run.edits):
        return True
    keys = look.verdicts.inputs_keys
    return any(keys.get(stage, key) != key for stage, key in outcome.tried.items() if stage not in passed_over)


def _after_change(change: ChangedPaths) -> WatchPhase:
    if change.edits:
        return WatchPhase.RUNNING
    return WatchPhase.WAITING_FOR_COMMAND if change.command_at_work else WatchPhase.COMPARING
