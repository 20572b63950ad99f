"""Transitions of watch: the whole table, and properties of any order of runs, edits and other commands."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.decide import Verdict
from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_runtime.running.run_result import RunResult
from pivot_runtime.running.watch_states import (
    TORN_ROUNDS,
    ChangedPaths,
    Debounce,
    FailedLook,
    Look,
    Round,
    StageLook,
    Verdicts,
    WatchEvent,
    WatchPhase,
    WatchState,
    next_state,
)

P = WatchPhase


def looked(
    verdict: Verdict = Verdict.UP_TO_DATE, key: str = "1", *, since: ChangedPaths | None = None, always: bool = False
) -> Look:
    """A look at a project of one stage."""
    verdicts = Verdicts((StageLook("p.a", verdict, key, ("/dep",), always=always),))
    return Look(verdicts, ("/out",), since or ChangedPaths())


def chained(verdict: Verdict, *, since: ChangedPaths) -> Look:
    """A look at a stage, another one that reads the same file, and one that reads what that writes."""
    stages = (
        StageLook("p.a", verdict, "2", ("/dep",)),
        StageLook("p.b", verdict, "2", ("/dep",), {"/b": None}),
        StageLook("p.c", verdict, "2", ("/b",)),
    )
    return Look(Verdicts(stages), ("/b",), since)


RAN = Round(RunResult(ran={"p.a"}))
FAILED = Round(RunResult(failed={"p.a"}, tried={"p.a": "1"}))
BLOCKED = Round(RunResult(blocked={"p.a"}))
UNSTARTED = Round(RunResult(unstarted={"p.a"}))
TORN = Round(RunResult(torn={"p.a"}))
NO_RUN = Round(None, PivotError("no such target"))

CURRENT = looked()
STALE = looked(Verdict.RUN)
EDIT = ChangedPaths(("/in",), ("/in",))
OWN = ChangedPaths(("/out",))
OF_COMMAND = ChangedPaths(("/out",), command_at_work=True)
COMMAND_ENDED = ChangedPaths()


def looking(run: Round, *, torn_rounds: int = 0, failure: tuple[str, Verdicts] | None = None) -> WatchState:
    """After a run; before it, so many in a row were torn."""
    return WatchState(P.LOOKING, run, torn_rounds={"p.a": torn_rounds}, failure=failure)


def at(phase: WatchPhase, look: Look | None = CURRENT, changed: tuple[str, ...] = ()) -> WatchState:
    """Some time after a run without a fault."""
    return WatchState(phase, RAN, look, changed=changed)


KNOWN_FAILURE = ("no such target", CURRENT.verdicts)
TABLE: dict[str, tuple[WatchState, WatchEvent, WatchPhase]] = {
    "the first run ends": (WatchState(), RAN, P.LOOKING),
    "a run ends": (at(P.RUNNING), FAILED, P.LOOKING),
    "a run cannot start": (at(P.RUNNING), NO_RUN, P.LOOKING),
    "all is up to date": (looking(RAN), CURRENT, P.WAITING),
    "a stage always runs": (looking(RAN), looked(Verdict.RUN, always=True), P.WAITING),
    "a stage is frozen": (looking(RAN), looked(Verdict.FROZEN), P.WAITING),
    "edited during the run": (looking(RAN), STALE, P.SETTLING),
    "an out is gone since the run": (looking(RAN), looked(Verdict.RESTORE), P.SETTLING),
    "a stage failed": (looking(FAILED), STALE, P.WAITING),
    "a stage failed, and its outs were put back": (looking(FAILED), looked(Verdict.RUN, since=OWN), P.WAITING),
    "a stage failed, and there was an edit": (looking(FAILED), looked(Verdict.RUN, since=EDIT), P.SETTLING),
    "a stage failed, and another command changed its input": (
        looking(FAILED),
        looked(Verdict.RUN, "2", since=OWN),
        P.SETTLING,
    ),
    "a stage is blocked": (looking(BLOCKED), STALE, P.WAITING),
    "a stage has not started": (looking(UNSTARTED), STALE, P.WAITING),
    "a stage changed its own input": (looking(TORN), STALE, P.SETTLING),
    "a stage changed its own input once more": (looking(TORN, torn_rounds=TORN_ROUNDS - 2), STALE, P.SETTLING),
    "a stage changed its own input too often": (
        looking(TORN, torn_rounds=TORN_ROUNDS - 1),
        looked(Verdict.RUN, since=ChangedPaths(("/dep/of", "/out"), ("/dep/of",))),
        P.WAITING,
    ),
    "a stage changed its own input too often, and its code was edited": (
        looking(TORN, torn_rounds=TORN_ROUNDS - 1),
        looked(Verdict.RUN, since=ChangedPaths(("/dep", "/code"), ("/dep", "/code"))),
        P.SETTLING,
    ),
    "another stage reads what a stage changed too often": (
        looking(Round(RunResult(torn={"p.a"}, ran={"p.b", "p.c"})), torn_rounds=TORN_ROUNDS - 1),
        chained(Verdict.RUN, since=ChangedPaths(("/dep",), ("/dep",))),
        P.WAITING,
    ),
    "another stage reads it, and failed": (
        looking(Round(RunResult(torn={"p.a"}, failed={"p.b"}, tried={"p.b": "1"})), torn_rounds=TORN_ROUNDS - 1),
        chained(Verdict.RUN, since=ChangedPaths(("/dep",), ("/dep",))),
        P.WAITING,
    ),
    "another stage reads it, and its code was edited": (
        looking(Round(RunResult(torn={"p.a"}, ran={"p.b", "p.c"})), torn_rounds=TORN_ROUNDS - 1),
        chained(Verdict.RUN, since=ChangedPaths(("/dep", "/code"), ("/dep", "/code"))),
        P.SETTLING,
    ),
    "the first error": (looking(NO_RUN), CURRENT, P.SETTLING),
    "the same error, and the same verdicts": (looking(NO_RUN, failure=KNOWN_FAILURE), CURRENT, P.WAITING),
    "the same error, but other verdicts": (looking(NO_RUN, failure=KNOWN_FAILURE), STALE, P.SETTLING),
    "another error": (looking(NO_RUN, failure=("full", CURRENT.verdicts)), CURRENT, P.SETTLING),
    "broken since the run": (looking(RAN), FailedLook(), P.SETTLING),
    "broken, and the run could not start": (looking(NO_RUN), FailedLook(), P.WAITING_FOR_FIX),
    "broken, and edited since the run": (looking(NO_RUN), FailedLook(EDIT), P.SETTLING),
    "the edits have ended": (at(P.SETTLING), Debounce(), P.RUNNING),
    "an edit": (at(P.WAITING), EDIT, P.RUNNING),
    "a file that runs write": (at(P.WAITING), OWN, P.COMPARING),
    "a change that is undone": (at(P.WAITING), ChangedPaths(), P.COMPARING),
    "another command at work": (at(P.WAITING), OF_COMMAND, P.WAITING_FOR_COMMAND),
    "it goes on": (at(P.WAITING_FOR_COMMAND), OF_COMMAND, P.WAITING_FOR_COMMAND),
    "it ends": (at(P.WAITING_FOR_COMMAND), COMMAND_ENDED, P.COMPARING),
    "an edit while it works": (at(P.WAITING_FOR_COMMAND), EDIT, P.RUNNING),
    "perhaps the fix": (at(P.WAITING_FOR_FIX, None), EDIT, P.RUNNING),
    "perhaps the fix, by a command": (at(P.WAITING_FOR_FIX, None), OWN, P.RUNNING),
    "nothing differs": (at(P.COMPARING), CURRENT, P.WAITING),
    "a verdict differs": (at(P.COMPARING), STALE, P.RUNNING),
    "an input differs": (at(P.COMPARING), looked(key="2"), P.RUNNING),
    "broken by another command": (at(P.COMPARING), FailedLook(), P.RUNNING),
}


@pytest.mark.parametrize(("state", "event", "phase"), TABLE.values(), ids=TABLE)
def test_each_transition(state: WatchState, event: WatchEvent, phase: WatchPhase) -> None:
    assert next_state(state, event).phase is phase


def test_no_other_event_ends_a_phase() -> None:
    events: tuple[WatchEvent, ...] = (RAN, CURRENT, FailedLook(), Debounce(), EDIT)
    possible = {(state.phase, type(event)) for state, event, _ in TABLE.values()}
    for phase, event in itertools.product(P, events):
        if (phase, type(event)) not in possible:
            with pytest.raises(ValueError, match=phase.name):
                next_state(at(phase), event)


def test_the_reasons_of_a_run_are_the_changes_of_one_wait() -> None:
    state = next_state(next_state(at(P.WAITING), OF_COMMAND), EDIT)
    assert state.changed == ("/out", "/in")
    assert next_state(state, RAN).changed == ()
    assert next_state(next_state(at(P.WAITING), OWN), STALE).changed == ("/out",)
    assert next_state(next_state(at(P.WAITING), OWN), CURRENT) == at(P.WAITING)
    assert next_state(at(P.WAITING_FOR_FIX, None), EDIT).changed == ("/in",)


def test_a_look_replaces_the_last_one() -> None:
    moved = Look(CURRENT.verdicts, ("/elsewhere",))
    assert next_state(at(P.COMPARING), moved).look is moved
    assert next_state(looking(FAILED), STALE).look is STALE
    broken = next_state(WatchState(P.LOOKING, NO_RUN, CURRENT, KNOWN_FAILURE), FailedLook())
    assert (broken.look, broken.failure) == (None, None)


def test_only_before_the_end_of_a_run_it_is_the_first() -> None:
    assert WatchState().first
    assert not next_state(WatchState(), RAN).first
    assert not next_state(WatchState(), NO_RUN).first


class _StoppedError(Exception):
    """The user wants no more."""


CODE, DISK = "code", "disk"
GREEDY = "greedy"
STAGES = ("a", "b", GREEDY)
OUTS = tuple(f"out/{stage}" for stage in STAGES)
FAILING = 3
"""A stage fails with each such version of its input."""
MOST_STEPS = 60

EDITS = st.sampled_from(["in/a", "in/b", "touch/a", "touch/b", "out/a", "out/b", CODE, DISK])
ACTIONS = st.one_of(EDITS, st.sampled_from(["command begins", "command writes", "command ends", "command runs"]))
INTERRUPTIONS = st.lists(st.lists(EDITS, max_size=2), max_size=12)


class World:
    """A project of three stages, of which one may change its own input, and everybody who works in it.

    Each stage reads one file, with a version, and writes one. Broken code lets neither a run nor a look begin; a full
    disk no run. Versions only grow, so that a stage has a reason to run once with each of them.
    """

    def __init__(self, actions: list[str], interruptions: list[list[str]], *, greedy: bool) -> None:
        self.actions = actions
        self.interruptions = interruptions
        self.greedy = greedy
        self.versions = dict.fromkeys(STAGES, 1)
        self.recorded = dict.fromkeys(STAGES, 0)
        self.outs = dict.fromkeys(STAGES, 0)
        self.broken = self.full = self.at_work = False
        self.clock = self.edits = self.changes = self.idle_steps = 0
        self.stamps: dict[str, int] = {}
        self.run_reads: dict[str, int] = {}
        self.look_reads: dict[str, int] = {}
        self.executions: list[tuple[str, int, str, int]] = []
        self.rounds: list[tuple[int, Round]] = []
        self.state = WatchState()

    def write(self, path: str) -> None:
        self.clock += 1
        self.stamps[path] = self.clock

    def edit(self, name: str) -> None:
        """An edit by the user; nobody sees that a disk is full, so an input is edited, too."""
        self.edits += 1
        self.changes += 1
        kind, _, stage = name.partition("/")
        match kind:
            case "in":
                self.versions[stage] += 1
            case "out":
                self.outs[stage] = -1
            case "code":
                self.broken = not self.broken
            case "disk":
                self.full = not self.full
                self.versions["a"] += 1
        self.write({"touch": f"in/{stage}", "disk": "in/a"}.get(kind, name))

    def interrupted(self) -> None:
        """Whatever the user edits meanwhile."""
        for name in self.interruptions.pop() if self.interruptions else ():
            self.edit(name)

    def changed(self, reads: dict[str, int]) -> tuple[str, ...]:
        return tuple(path for path, stamp in self.stamps.items() if reads.get(path) != stamp)

    def run(self) -> Round:
        self.at_work = False  # a run waits for the guard
        self.run_reads = dict(self.stamps)
        changes = self.changes
        done = self._run(self.edits)
        self.rounds.append((changes, done))
        return done

    def _run(self, edits: int) -> Round:
        if self.broken or self.full:
            error = PivotError("broken" if self.broken else "full")
            self.interrupted()
            return Round(None, error)
        result, before = RunResult(), dict(self.versions)
        for stage in STAGES:
            if self.recorded[stage] == before[stage]:
                if self.outs[stage] == before[stage]:
                    result.cached.add(stage)
                else:
                    self._record(stage)
                    result.restored.add(stage)
                continue
            self.write(f"out/{stage}")
            self.interrupted()
            if stage == GREEDY and self.greedy:
                self.versions[stage] += 1
                self.write(f"in/{stage}")
            ended = self._end(stage, before[stage])
            getattr(result, ended).add(stage)
            if ended == "failed":
                result.tried[stage] = str(before[stage])
            self.executions.append((stage, before[stage], ended, edits))
        return Round(result)

    def _end(self, stage: str, version: int) -> str:
        if self.versions[stage] != version:
            return "torn"
        if version % FAILING == 0:
            return "failed"
        self._record(stage)
        return "ran"

    def _record(self, stage: str) -> None:
        self.recorded[stage] = self.outs[stage] = self.versions[stage]
        self.write(f"out/{stage}")

    def look(self) -> Look | FailedLook:
        self.at_work = False  # a look waits for it, too
        reads, broken, verdicts = dict(self.stamps), self.broken, self.verdicts()
        self.interrupted()
        paths = self.changed(self.run_reads)
        if broken:
            self.look_reads = {**self.look_reads, **reads}
            return FailedLook(ChangedPaths(paths))
        self.look_reads = reads
        return Look(verdicts, OUTS, ChangedPaths(paths, self.edited(paths)))

    def edited(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(path for path in paths if path not in OUTS)

    def verdicts(self) -> Verdicts:
        stages = []
        for stage, version in self.versions.items():
            recorded = self.recorded[stage] == version
            verdict = Verdict.RUN
            if recorded:
                verdict = Verdict.UP_TO_DATE if self.outs[stage] == version else Verdict.RESTORE
            out = (ArtifactPath(f"v{self.outs[stage]}"),)
            stages.append(StageLook(stage, verdict, f"{version}", (f"in/{stage}",), missing=out))
        return Verdicts(tuple(stages))

    def wait(self) -> ChangedPaths:
        for_command = self.state.phase is P.WAITING_FOR_COMMAND
        while not (paths := self.changed(self.look_reads)) and (self.at_work or not for_command):
            self.idle_steps = 0
            self.act()
        self.look_reads = dict(self.stamps)
        edited = self.edited(paths)
        return ChangedPaths(paths, edited, command_at_work=not edited and self.at_work)

    def act(self) -> None:
        """The user, or another command, does the next thing."""
        if not self.actions:
            if self.at_work:
                self.at_work = False
                return
            raise _StoppedError
        match self.actions.pop():
            case "command begins":
                self.at_work = True
            case "command ends":
                self.at_work = False
            case "command writes":  # and puts back
                self.changes += 1
                self.write("out/b")
            case "command runs":
                self.edits += 1
                self.changes += 1
                self._end("a", self.versions["a"])
            case name:
                self.edit(name)

    def watch(self) -> None:
        """Watch until nobody does anything any more."""
        try:
            while True:
                self.idle_steps += 1
                assert self.idle_steps < MOST_STEPS, "it never waits"
                self.state = next_state(self.state, self.step())
        except _StoppedError:
            assert self.state.phase in {P.WAITING, P.WAITING_FOR_FIX}

    def step(self) -> WatchEvent:
        match self.state.phase:
            case P.RUNNING:
                return self.run()
            case P.LOOKING | P.COMPARING:
                return self.look()
            case P.SETTLING:
                self.interrupted()
                return Debounce()
            case _:
                return self.wait()


worlds = st.builds(World, st.lists(ACTIONS, max_size=12), INTERRUPTIONS, greedy=st.booleans())


@given(worlds)
def test_no_edit_is_lost(world: World) -> None:
    """In the end each stage is as its input wants it, or was tried with that."""
    world.watch()
    if world.broken:
        assert world.state.phase is P.WAITING_FOR_FIX
        return
    assert world.state.phase is P.WAITING
    _, last = world.rounds[-1]
    if world.full:
        assert str(last.error) == "full"
        return
    assert last.outcome is not None
    for stage in STAGES:
        if world.state.torn_rounds.get(stage, 0) >= TORN_ROUNDS:  # by itself, as far as anybody can see
            continue
        version = world.versions[stage]
        if version % FAILING == 0 and world.recorded[stage] != version:
            assert last.outcome.tried[stage] == str(version)
        else:
            assert world.recorded[stage] == world.outs[stage] == version


@given(worlds)
def test_no_stage_runs_twice_without_a_change(world: World) -> None:
    world.watch()
    stages: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for stage, version, ended, edits in world.executions:
        stages.setdefault((stage, version), []).append((ended, edits))
    for runs in stages.values():
        assert [ended for ended, _ in runs].count("ran") <= 1
        failed = [edits for ended, edits in runs if ended == "failed"]
        if not world.greedy:  # whose rounds are rounds for all stages
            assert sorted(set(failed)) == failed


@given(worlds)
def test_no_round_begins_without_a_change_but_after_an_error_or_a_torn_stage(world: World) -> None:
    world.watch()
    for changes, rounds in itertools.groupby(world.rounds, key=lambda each: each[0]):
        same = [done for _, done in rounds]
        errors = [done for done in same if done.outcome is None]
        torn = [done for done in same if done.outcome is not None and done.outcome.torn]
        assert len(errors) <= 2, changes
        assert len(torn) <= TORN_ROUNDS, changes
        assert len(same) <= len(errors) + len(torn) + 1, changes
