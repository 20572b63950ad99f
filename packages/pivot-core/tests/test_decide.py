"""One decision: silent where nothing changed, and never silent where anything did."""

import math
from collections.abc import Mapping, Sized

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.decide import Decision, FactChange, Memory, Reason, Verdict, decide
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, CodeEntry, Inputs, Observation, RunRecord, StageLock, UnresolvedCode
from pivot_core.spec import Location, OutSpec

DIGESTS = [character * 32 for character in "abc"]

paths = st.sampled_from(["a", "b", "c/d"]).map(ArtifactPath)
artifacts = st.builds(Artifact, st.sampled_from(DIGESTS), st.integers(0, 1), st.booleans())
locations = st.none() | st.builds(Location, st.just("pipeline.py"), st.integers(1, 2))
code = st.dictionaries(st.sampled_from(["func:f", "func:g"]), st.builds(CodeEntry, st.sampled_from(DIGESTS), locations))
plain = st.recursive(
    st.none() | st.booleans() | st.sampled_from([0, 1, -1, 0.0, -0.0, 1.0, math.nan, math.inf, "", "1", "nan"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=3,
)
params = st.dictionaries(st.sampled_from(["alpha", "beta"]), plain, max_size=2)
outs = st.lists(st.builds(OutSpec, paths, st.booleans()), unique_by=lambda out: out.path, max_size=3).map(tuple)
packages = st.dictionaries(st.sampled_from(["numpy", "pandas"]), st.sampled_from(["1", "2"]), max_size=2)
env = st.dictionaries(st.sampled_from(["URL", "TOKEN"]), st.sampled_from(["", *DIGESTS]), max_size=2)
deps = st.dictionaries(paths, artifacts, max_size=2)
inputs = st.builds(Inputs, st.integers(1, 2), code, params, deps, outs, code, packages, env)


@attrs.frozen
class Remembered:
    """The results of earlier runs: a `Memory` that is a few dicts."""

    records: Mapping[str, RunRecord] = attrs.field(factory=dict)
    objects: frozenset[str] = frozenset()

    def recorded(self, key: str) -> list[RunRecord]:
        return [self.records[key]] if key in self.records else []

    def has(self, artifact: Artifact) -> bool:
        return artifact.digest in self.objects


class Unasked:
    """A `Memory` for decisions that must not ask for anything."""

    def recorded(self, key: str) -> list[RunRecord]:
        raise AssertionError(key)

    def has(self, artifact: Artifact) -> bool:
        raise AssertionError(artifact)


NOTHING = Remembered()


@st.composite
def ran(draw: st.DrawFn, of: st.SearchStrategy[Inputs] = inputs) -> StageLock:
    """The lock of a run that left every declared out."""
    rested_on = draw(of)
    return StageLock(rested_on, {out.path: draw(artifacts) for out in rested_on.outs})


@st.composite
def observations(draw: st.DrawFn, of: st.SearchStrategy[Inputs] = inputs) -> Observation:
    now = draw(of)
    return Observation(now, {out.path: draw(st.none() | artifacts) for out in now.outs})


@st.composite
def pairs(draw: st.DrawFn) -> tuple[StageLock, Observation]:
    """A lock and an observation that often differ in one place only."""
    lock = draw(ran())
    now = Observation(lock.inputs, lock.outs)
    part = draw(st.sampled_from(["nothing", "schema", "code", "params", "deps", "outs", "env", "content", "all"]))
    if part == "all":
        return lock, draw(observations())
    if part == "content" and lock.outs:
        path = draw(st.sampled_from(sorted(lock.outs)))
        return lock, Observation(now.inputs, {**lock.outs, path: draw(st.none() | artifacts)})
    if part in ("schema", "code", "params", "deps", "outs", "observed", "packages", "env"):
        other = getattr(draw(inputs), part)
        changed = attrs.evolve(lock.inputs, **{part: other})
        return lock, Observation(changed, {out.path: lock.outs.get(out.path) for out in changed.outs})
    return lock, now


@st.composite
def memories(draw: st.DrawFn, now: Observation, lock: StageLock | None = None) -> Remembered:
    declared = [out.path for out in now.inputs.outs]
    record = draw(st.none() | st.dictionaries(st.sampled_from([*declared, ArtifactPath("z")]), artifacts, max_size=3))
    full = {path: draw(artifacts) for path in declared}
    chosen = draw(st.sampled_from([record, full, lock.outs if lock else None]))
    key = now.inputs.key()
    records = {} if chosen is None else {key: RunRecord(key, chosen, draw(code))}
    return Remembered(records, draw(st.frozensets(st.sampled_from(DIGESTS))))


def facts(of: Inputs) -> list[tuple[str, str, str]]:
    """The compared facts, with no regard to where they are."""
    return [("schema", "", str(of.schema)), *((line.kind, line.key, line.value) for line in of.lines())]


# -- inputs


@given(inputs, inputs)
def test_keys_are_equal_exactly_where_all_lines_but_the_observed_are(left: Inputs, right: Inputs) -> None:
    known_before_a_run = [[fact for fact in facts(of) if fact[0] != "observed"] for of in (left, right)]

    assert (left.key() == right.key()) == (known_before_a_run[0] == known_before_a_run[1])


@st.composite
def alike(draw: st.DrawFn) -> tuple[Inputs, Inputs]:
    """Two inputs that differ in few facts, or in none."""
    one, other = draw(inputs), draw(inputs)
    differing = draw(st.sets(st.sampled_from([field.name for field in attrs.fields(Inputs) if field.init]), max_size=1))
    return one, attrs.evolve(one, **{name: getattr(other, name) for name in differing})


@given(alike())
def test_quick_comparison_is_that_of_the_lines(pair: tuple[Inputs, Inputs]) -> None:
    left, right = pair
    assert left.same_lines(right) == (facts(left) == facts(right))


@given(inputs)
def test_order_and_place_do_not_count(one: Inputs) -> None:
    """Neither the order in which things were found nor moving lines changes a key."""
    moved = Inputs(
        one.schema,
        {key: CodeEntry(entry.digest, Location("other.py", 99)) for key, entry in list(one.code.items())[::-1]},
        dict(list(one.params.items())[::-1]),
        dict(list(one.deps.items())[::-1]),
        tuple(reversed(one.outs)),
        dict(list(one.observed.items())[::-1]),
        dict(list(one.library_versions.items())[::-1]),
        dict(list(one.env.items())[::-1]),
    )

    assert moved.key() == one.key()
    assert list(moved.lines()) == list(one.lines())
    assert moved.same_lines(one)


@given(inputs)
def test_lines_name_every_fact_once(one: Inputs) -> None:
    names = [(line.kind, line.key) for line in one.lines()]

    sections: list[Sized] = [one.code, one.observed, one.library_versions, one.params, one.env, one.deps, one.outs]
    assert len(names) == len(set(names)) == sum(map(len, sections))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        (0.0, -0.0),
        (None, "null"),
        (math.nan, "NaN"),
        (math.nan, None),
        ([1, 2], [2, 1]),
        ([], {}),
        ({"a": {"b": 1}}, {"a": {"b": 2}}),
        ({"a": 1}, {"b": 1}),
        ("é", "e"),
    ],
)
def test_params_that_differ_as_json_have_different_lines(left: object, right: object) -> None:
    old, new = Inputs(1, params={"p": left}), Inputs(1, params={"p": right})

    assert list(old.lines()) != list(new.lines())
    assert old.key() != new.key()


@pytest.mark.parametrize(
    ("left", "right"),
    [(math.nan, float("nan")), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ((1, 2), [1, 2]), ([math.nan], [math.nan])],
)
def test_params_that_are_equal_as_json_have_one_key(left: object, right: object) -> None:
    assert Inputs(1, params={"p": left}).key() == Inputs(1, params={"p": right}).key()


def test_whether_an_out_is_cached_is_part_of_the_key() -> None:
    assert (
        Inputs(1, outs=[OutSpec(ArtifactPath("x"))]).key()
        != Inputs(1, outs=[OutSpec(ArtifactPath("x"), cache=False)]).key()
    )


def test_a_fact_of_one_kind_is_none_of_another() -> None:
    as_code = Inputs(1, code={"x": CodeEntry(DIGESTS[0])})
    as_dep = Inputs(1, deps={ArtifactPath("x"): Artifact(DIGESTS[0], 1)})

    assert as_code.key() != as_dep.key()


# -- the decision


@given(ran())
def test_unchanged_is_silent(lock: StageLock) -> None:
    """Nothing to say, and nothing asked of the cache."""
    assert decide(lock, Observation(lock.inputs, lock.outs), Unasked()) == Decision(Verdict.UP_TO_DATE)


@given(pairs(), st.data())
def test_explanation_is_empty_exactly_where_nothing_differs(
    pair: tuple[StageLock, Observation], data: st.DataObject
) -> None:
    lock, now = pair
    decision = decide(lock, now, data.draw(memories(now, lock)))
    equal = facts(lock.inputs) == facts(now.inputs) and lock.outs == now.outs

    assert (decision.verdict is Verdict.UP_TO_DATE) == equal
    assert (not decision.reasons) == equal
    assert (not decision.changes) == equal


@given(pairs(), st.data())
def test_reasons_are_those_of_the_changes_the_weightiest_first(
    pair: tuple[StageLock, Observation], data: st.DataObject
) -> None:
    lock, now = pair
    decision = decide(lock, now, data.draw(memories(now, lock)))

    assert list(decision.reasons) == list(dict.fromkeys(change.reason for change in decision.changes))
    assert list(decision.reasons) == sorted(decision.reasons, key=list(Reason).index)
    told = [(change.reason, change.key) for change in decision.changes]
    assert len(set(told)) == len(told)
    for change in decision.changes:
        assert change.old != change.new or change.reason is Reason.OUT_MODIFIED


@given(st.none() | ran(), st.data())
def test_restore_only_if_every_out_can_be_had(lock: StageLock | None, data: st.DataObject) -> None:
    now = data.draw(observations(st.just(lock.inputs) | inputs if lock else inputs))
    memory = data.draw(memories(now, lock))
    decision = decide(lock, now, memory)

    def obtainable(run: RunRecord) -> bool:
        left = run.outs
        return left.keys() == now.outs.keys() and all(
            now.outs[path] == artifact or memory.has(artifact) for path, artifact in left.items()
        )

    known = [*memory.recorded(now.inputs.key())]
    if lock is not None and (lock.inputs.key(), lock.inputs.observed) == (now.inputs.key(), now.inputs.observed):
        known.insert(0, RunRecord(now.inputs.key(), lock.outs, lock.inputs.observed))
    candidates = [run for run in known if obtainable(run)]
    if decision.verdict is Verdict.UP_TO_DATE:
        assert decision.restore is None
    elif candidates:
        assert decision.verdict is Verdict.RESTORE
        assert decision.restore == candidates[0]
    else:
        assert decision.verdict is Verdict.RUN
        assert decision.restore is None


@given(st.none() | ran(), st.data())
def test_forced_runs_whatever_is_known(lock: StageLock | None, data: st.DataObject) -> None:
    now = data.draw(observations(st.just(lock.inputs) if lock else inputs))
    decision = decide(lock, now, Unasked(), force=True)

    assert decision.verdict is Verdict.RUN
    assert decision.reasons[0] is Reason.FORCED


@given(st.none() | ran(), st.data(), st.booleans())
def test_blocked_wins_over_everything(lock: StageLock | None, data: st.DataObject, force: bool) -> None:
    now = attrs.evolve(
        data.draw(observations()),
        missing=(ArtifactPath("gone.csv"),),
        upstream=("p.up",),
        blocked=data.draw(st.sampled_from([(), ("p.stuck",)])),
    )
    decision = decide(lock, now, Unasked(), force=force)

    assert decision.verdict is Verdict.BLOCKED
    assert decision.reasons[0] is Reason.DEP_MISSING
    assert (Reason.UPSTREAM_BLOCKED in decision.reasons) == bool(now.blocked)
    assert decision.restore is None


@given(ran(), st.data())
def test_upstream_that_will_run_makes_a_stage_run(lock: StageLock, data: st.DataObject) -> None:
    """Its deps may change, so nothing can be restored before they are known; unknown deps are no change."""
    unknown = data.draw(st.sets(st.sampled_from(sorted(lock.inputs.deps)))) if lock.inputs.deps else set()
    deps = {path: artifact for path, artifact in lock.inputs.deps.items() if path not in unknown}
    now = Observation(attrs.evolve(lock.inputs, deps=deps), lock.outs, upstream=("p.up",))

    assert decide(lock, now, Unasked()) == Decision(Verdict.RUN, (Reason.UPSTREAM,))


# -- the table

CLEAN = ArtifactPath("clean.json")
RAW = ArtifactPath("data.json")
LEFT = {CLEAN: Artifact("c" * 32, 5)}
OTHER = Artifact("d" * 32, 5)
INPUTS = Inputs(
    schema=1,
    code={"func:clean": CodeEntry("a" * 32, Location("pipeline.py", 9))},
    params={"alpha": 1},
    deps={RAW: Artifact("b" * 32, 7)},
    outs=(OutSpec(CLEAN),),
)
LOCK = StageLock(INPUTS, LEFT)


def test_parameters_whose_file_is_not_there_yet_do_not_count_as_changed() -> None:
    lock = StageLock(attrs.evolve(INPUTS, params={**INPUTS.params, "a.json:x": 1, "rate": 1}), LEFT)
    upstream = Observation(INPUTS, LEFT, upstream=("p.a",), unknown_params=("a.json:x",))

    assert [change.key for change in decide(lock, upstream, NOTHING).changes] == ["rate"]


SAME = Observation(INPUTS, LEFT)
PLUGIN = attrs.evolve(INPUTS, observed={"func:plugins:run": CodeEntry("9" * 32, Location("plugins.py", 1))})
SEEN = StageLock(PLUGIN, LEFT)
STORED = Remembered(objects=frozenset({"c" * 32}))
EDITED = attrs.evolve(INPUTS, code={"func:clean": CodeEntry("e" * 32, Location("pipeline.py", 12))})
EDITED_BEFORE = Remembered({EDITED.key(): RunRecord(EDITED.key(), {CLEAN: OTHER})}, frozenset({"d" * 32}))


def now_with(**parts: object) -> Observation:
    return Observation(attrs.evolve(INPUTS, **parts), LEFT)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lock", "now", "memory", "verdict", "reasons"),
    [
        pytest.param(LOCK, SAME, NOTHING, Verdict.UP_TO_DATE, [], id="nothing changed"),
        pytest.param(None, SAME, NOTHING, Verdict.RUN, [Reason.NEVER_RUN], id="first run"),
        pytest.param(
            None,
            SAME,
            Remembered({INPUTS.key(): RunRecord(INPUTS.key(), LEFT)}),
            Verdict.RESTORE,
            [Reason.NEVER_RUN],
            id="lock deleted, but remembered and still on disk",
        ),
        pytest.param(
            None,
            Observation(INPUTS, {CLEAN: None}),
            Remembered({INPUTS.key(): RunRecord(INPUTS.key(), LEFT)}, frozenset({"c" * 32})),
            Verdict.RESTORE,
            [Reason.NEVER_RUN],
            id="fresh clone with a full cache",
        ),
        pytest.param(LOCK, Observation(EDITED, LEFT), NOTHING, Verdict.RUN, [Reason.CODE], id="code edited"),
        pytest.param(
            LOCK, Observation(EDITED, LEFT), EDITED_BEFORE, Verdict.RESTORE, [Reason.CODE], id="edit reverted"
        ),
        pytest.param(
            LOCK,
            Observation(EDITED, LEFT),
            Remembered(EDITED_BEFORE.records),
            Verdict.RUN,
            [Reason.CODE],
            id="edit reverted, but its output is no longer in the store",
        ),
        pytest.param(LOCK, now_with(code={}), NOTHING, Verdict.RUN, [Reason.CODE], id="helper no longer used"),
        pytest.param(LOCK, now_with(params={"alpha": 1.0}), NOTHING, Verdict.RUN, [Reason.PARAM], id="param retyped"),
        pytest.param(LOCK, now_with(deps={RAW: OTHER}), NOTHING, Verdict.RUN, [Reason.DEP], id="input edited"),
        pytest.param(
            LOCK,
            now_with(library_versions={"pandas": "3"}),
            NOTHING,
            Verdict.RUN,
            [Reason.LIBRARY],
            id="library upgraded",
        ),
        pytest.param(SEEN, Observation(PLUGIN, LEFT), NOTHING, Verdict.UP_TO_DATE, [], id="observed code unchanged"),
        pytest.param(SEEN, SAME, NOTHING, Verdict.RUN, [Reason.CODE], id="observed code gone"),
        pytest.param(
            SEEN,
            Observation(PLUGIN, {CLEAN: None}),
            STORED,
            Verdict.RESTORE,
            [Reason.OUT_MISSING],
            id="output deleted, observed code unchanged",
        ),
        pytest.param(
            SEEN,
            Observation(INPUTS, {CLEAN: None}),
            STORED,
            Verdict.RUN,
            [Reason.CODE, Reason.OUT_MISSING],
            id="output deleted, observed code gone",
        ),
        pytest.param(LOCK, now_with(schema=2), NOTHING, Verdict.RUN, [Reason.SCHEMA], id="other fingerprints"),
        pytest.param(
            LOCK,
            now_with(outs=(OutSpec(CLEAN, cache=False),)),
            Remembered({INPUTS.key(): RunRecord(INPUTS.key(), LEFT)}, frozenset({"c" * 32})),
            Verdict.RUN,
            [Reason.OUT_SPEC],
            id="output no longer cached",
        ),
        pytest.param(
            LOCK,
            now_with(outs=(OutSpec(CLEAN), OutSpec(ArtifactPath("report")))),
            STORED,
            Verdict.RUN,
            [Reason.OUT_SPEC],
            id="output added",
        ),
        pytest.param(
            LOCK, Observation(INPUTS, {CLEAN: None}), STORED, Verdict.RESTORE, [Reason.OUT_MISSING], id="output deleted"
        ),
        pytest.param(
            LOCK,
            Observation(INPUTS, {CLEAN: None}),
            NOTHING,
            Verdict.RUN,
            [Reason.OUT_MISSING],
            id="output deleted, cache empty",
        ),
        pytest.param(
            LOCK,
            Observation(INPUTS, {CLEAN: OTHER}),
            STORED,
            Verdict.RESTORE,
            [Reason.OUT_MODIFIED],
            id="output edited",
        ),
        pytest.param(
            LOCK,
            Observation(INPUTS, {CLEAN: attrs.evolve(LEFT[CLEAN], executable=True)}),
            STORED,
            Verdict.RESTORE,
            [Reason.OUT_MODIFIED],
            id="output made executable",
        ),
        pytest.param(
            LOCK, Observation(INPUTS, {}), STORED, Verdict.RESTORE, [Reason.OUT_MISSING], id="output not looked at"
        ),
        pytest.param(
            LOCK,
            Observation(INPUTS, LEFT, lost=(CLEAN,)),
            NOTHING,
            Verdict.RESTORE,
            [Reason.OUT_LOST],
            id="output in place, but lost in the store",
        ),
        pytest.param(
            LOCK,
            Observation(EDITED, LEFT, lost=(CLEAN,)),
            NOTHING,
            Verdict.RUN,
            [Reason.CODE, Reason.OUT_LOST],
            id="code edited, and lost in the store",
        ),
        pytest.param(
            StageLock(INPUTS, {}),
            SAME,
            Remembered({INPUTS.key(): RunRecord(INPUTS.key(), {})}, frozenset({"c" * 32})),
            Verdict.RUN,
            [Reason.OUT_MODIFIED],
            id="partial records are no hit",
        ),
        pytest.param(
            LOCK,
            Observation(attrs.evolve(INPUTS, deps={RAW: OTHER}, code={}, schema=2, params={"beta": 1}), {CLEAN: OTHER}),
            NOTHING,
            Verdict.RUN,
            [Reason.SCHEMA, Reason.CODE, Reason.PARAM, Reason.DEP, Reason.OUT_MODIFIED],
            id="several things at once",
        ),
        pytest.param(
            LOCK,
            Observation(EDITED, LEFT, upstream=("p.fetch",)),
            EDITED_BEFORE,
            Verdict.RUN,
            [Reason.CODE, Reason.UPSTREAM],
            id="code edited and upstream will run",
        ),
        pytest.param(
            LOCK,
            Observation(attrs.evolve(INPUTS, deps={}), LEFT, missing=(RAW,)),
            NOTHING,
            Verdict.BLOCKED,
            [Reason.DEP_MISSING],
            id="input missing",
        ),
        pytest.param(
            None,
            Observation(attrs.evolve(INPUTS, deps={}), {CLEAN: None}, blocked=("p.fetch",)),
            NOTHING,
            Verdict.BLOCKED,
            [Reason.UPSTREAM_BLOCKED],
            id="upstream cannot run",
        ),
    ],
)
def test_every_verdict_has_its_reasons(
    lock: StageLock | None, now: Observation, memory: Memory, verdict: Verdict, reasons: list[Reason]
) -> None:
    decision = decide(lock, now, memory)

    assert (decision.verdict, list(decision.reasons)) == (verdict, reasons)


def test_changes_carry_old_and_new_and_the_place() -> None:
    decision = decide(LOCK, Observation(EDITED, {CLEAN: OTHER}), NOTHING)

    assert decision.changes == (
        FactChange(Reason.CODE, "func:clean", "a" * 32, "e" * 32, Location("pipeline.py", 12)),
        FactChange(Reason.OUT_MODIFIED, CLEAN, "c" * 32, "d" * 32),
    )


def test_gone_and_new_facts_have_one_side_only() -> None:
    now = now_with(code={"func:other": CodeEntry("f" * 32, Location("pipeline.py", 3))}, params={})
    decision = decide(LOCK, now, NOTHING)

    assert decision.changes == (
        FactChange(Reason.CODE, "func:clean", "a" * 32, None, Location("pipeline.py", 9)),
        FactChange(Reason.CODE, "func:other", None, "f" * 32, Location("pipeline.py", 3)),
        FactChange(Reason.PARAM, "alpha", "1", None),
    )


def test_blocked_stage_tells_what_is_missing_before_what_changed() -> None:
    now = Observation(attrs.evolve(EDITED, deps={}), LEFT, missing=(RAW,), blocked=("p.fetch",))
    decision = decide(LOCK, now, NOTHING)

    assert [(change.reason, change.key) for change in decision.changes] == [
        (Reason.DEP_MISSING, "data.json"),
        (Reason.UPSTREAM_BLOCKED, "p.fetch"),
        (Reason.CODE, "func:clean"),
    ]
    assert decision.reasons == (Reason.DEP_MISSING, Reason.UPSTREAM_BLOCKED)


def test_output_that_no_run_recorded_has_no_old_content() -> None:
    decision = decide(StageLock(INPUTS, {}), SAME, NOTHING)

    assert decision.changes == (FactChange(Reason.OUT_MODIFIED, CLEAN, None, "c" * 32),)


def test_unresolved_code_is_no_reason_to_run() -> None:
    """`status --explain` reports it, and observing the run covers it."""
    now = attrs.evolve(SAME, unresolved=(UnresolvedCode("getattr with a computed name", Location("pipeline.py", 9)),))

    assert decide(LOCK, now, Unasked()).verdict is Verdict.UP_TO_DATE


# -- always, ttl, frozen

DATED = attrs.evolve(LOCK, ran_at=100)
ABSENT = Observation(INPUTS, {CLEAN: None})


def dated(ran_at: int | None) -> Remembered:
    """A run of these inputs at this time, with all its outs."""
    return Remembered({INPUTS.key(): RunRecord(INPUTS.key(), LEFT, ran_at=ran_at)}, frozenset({"c" * 32}))


@pytest.mark.parametrize(
    ("lock", "now", "memory", "verdict", "reasons"),
    [
        pytest.param(LOCK, attrs.evolve(SAME, always=True), STORED, Verdict.RUN, [Reason.ALWAYS], id="always"),
        pytest.param(
            LOCK,
            attrs.evolve(SAME, always=True, upstream=("p.fetch",)),
            STORED,
            Verdict.RUN,
            [Reason.UPSTREAM, Reason.ALWAYS],
            id="always, and upstream will run",
        ),
        pytest.param(DATED, attrs.evolve(SAME, oldest=100), NOTHING, Verdict.UP_TO_DATE, [], id="young enough"),
        pytest.param(DATED, attrs.evolve(SAME, oldest=101), STORED, Verdict.RUN, [Reason.EXPIRED], id="expired"),
        pytest.param(LOCK, attrs.evolve(SAME, oldest=0), STORED, Verdict.RUN, [Reason.EXPIRED], id="of unknown age"),
        pytest.param(
            None, attrs.evolve(ABSENT, oldest=101), dated(100), Verdict.RUN, [Reason.NEVER_RUN], id="expired elsewhere"
        ),
        pytest.param(
            DATED, attrs.evolve(SAME, oldest=101), dated(101), Verdict.RESTORE, [Reason.EXPIRED], id="younger elsewhere"
        ),
        pytest.param(
            DATED, attrs.evolve(ABSENT, oldest=100), STORED, Verdict.RESTORE, [Reason.OUT_MISSING], id="young, but gone"
        ),
        pytest.param(LOCK, attrs.evolve(SAME, frozen=True), NOTHING, Verdict.FROZEN, [Reason.FROZEN], id="frozen"),
        pytest.param(
            LOCK,
            Observation(EDITED, {CLEAN: OTHER}, missing=(RAW,), blocked=("p.fetch",), upstream=("p.x",), frozen=True),
            NOTHING,
            Verdict.FROZEN,
            [Reason.FROZEN, Reason.CODE, Reason.OUT_MODIFIED],
            id="frozen, and everything has changed",
        ),
        pytest.param(
            LOCK,
            Observation(EDITED, {CLEAN: None}, frozen=True),
            STORED,
            Verdict.RESTORE,
            [Reason.FROZEN, Reason.CODE, Reason.OUT_MISSING],
            id="frozen, edited, and its out is gone",
        ),
        pytest.param(
            LOCK,
            attrs.evolve(ABSENT, frozen=True),
            NOTHING,
            Verdict.BLOCKED,
            [Reason.FROZEN, Reason.OUT_MISSING],
            id="frozen, and its out is nowhere",
        ),
        pytest.param(
            LOCK,
            attrs.evolve(ABSENT, frozen=True, taken={CLEAN: "a directory"}),
            STORED,
            Verdict.BLOCKED,
            [Reason.FROZEN, Reason.OUT_TAKEN, Reason.OUT_MISSING],
            id="frozen, and something is in place of its out",
        ),
        pytest.param(
            None,
            attrs.evolve(SAME, frozen=True),
            NOTHING,
            Verdict.FROZEN,
            [Reason.FROZEN, Reason.NEVER_RUN],
            id="frozen, never run, but its out is there",
        ),
        pytest.param(
            None,
            attrs.evolve(ABSENT, frozen=True),
            dated(1),
            Verdict.BLOCKED,
            [Reason.FROZEN, Reason.OUT_MISSING],
            id="frozen and never run",
        ),
    ],
)
def test_what_a_stage_declares_of_its_runs_has_reasons_of_its_own(
    lock: StageLock | None, now: Observation, memory: Memory, verdict: Verdict, reasons: list[Reason]
) -> None:
    decision = decide(lock, now, memory)

    assert (decision.verdict, list(decision.reasons)) == (verdict, reasons)
    assert decision.holds == (not reasons or verdict is Verdict.FROZEN or reasons == [Reason.ALWAYS])


@given(st.none() | ran(), st.booleans(), st.data())
def test_frozen_never_runs_and_restores_only_what_is_gone(
    lock: StageLock | None, force: bool, data: st.DataObject
) -> None:
    now = attrs.evolve(data.draw(observations(st.just(lock.inputs) | inputs if lock else inputs)), frozen=True)
    memory = data.draw(memories(now, lock))
    decision = decide(lock, now, memory, force=force)

    absent = {path for path, artifact in now.outs.items() if artifact is None}
    assert decision.verdict in {Verdict.RESTORE, Verdict.BLOCKED} if absent else decision.verdict is Verdict.FROZEN
    if decision.restore is not None:
        assert lock is not None
        assert decision.restore.outs == {path: found or lock.outs[path] for path, found in now.outs.items()}
        assert all(memory.has(decision.restore.outs[path]) for path in absent)
        assert not decision.restore.key


class Several(Remembered):
    """Two runs with each inputs key, of which the first is older."""

    def recorded(self, key: str) -> list[RunRecord]:
        run = RunRecord(key, LOCK.outs, ran_at=100)
        return [run, attrs.evolve(run, ran_at=102)]


def test_an_expired_run_hides_no_other_one() -> None:
    memory = Several(objects=frozenset(each.digest for each in LOCK.outs.values()))
    restored = decide(None, attrs.evolve(SAME, oldest=101), memory).restore

    assert restored is not None
    assert restored.ran_at == 102


def test_an_expired_result_names_its_age() -> None:
    expired = decide(DATED, attrs.evolve(SAME, oldest=101), NOTHING)

    assert expired.changes == (FactChange(Reason.EXPIRED, "ttl", "100", "101"),)


def test_the_parameters_of_a_run_are_also_those_that_do_not_count() -> None:
    assert attrs.evolve(LOCK, uncounted_params={"jobs": 2}).params == {**INPUTS.params, "jobs": 2}
