"""Records become text and JSON."""

import json

import pytest

from pivot_cli.reporting.run_lines import summary
from pivot_cli.views import phrases, status
from pivot_core.decide import Decision, FactChange, Reason, Verdict
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, CodeEntry, Inputs, LibraryUse, Observation, UnresolvedCode
from pivot_core.spec import Location, OutSpec, StageSpec
from pivot_runtime.evaluating.evaluate import Evaluation
from pivot_runtime.evaluating.source_texts import SourceEdit
from pivot_runtime.inspecting.status import StageStatus, Status
from pivot_runtime.loading.loaded import LoadedStage
from pivot_runtime.running.run_result import RunResult

OLD = "5995c853" + "0" * 24
NEW = "a1b2c3d4" + "0" * 24


def evaluated(
    name: str, decision: Decision, *, upstream: tuple[str, ...] = (), unresolved: tuple[UnresolvedCode, ...] = ()
) -> StageStatus:
    frozen = decision.verdict is Verdict.FROZEN
    spec = StageSpec(name, "p", "", Location("pipeline.py", 1), frozen=frozen)
    observation = Observation(Inputs(schema=1), {}, upstream=upstream, unresolved=unresolved)
    return StageStatus(name, Evaluation(LoadedStage(spec, {}), None, observation, decision))


def found(*stages: StageStatus) -> Status:
    return Status(stages, {stage.evaluation.stage.spec.address: stage.name for stage in stages})


def code(key: str, *, old: str | None = OLD, new: str | None = NEW, line: int = 15) -> FactChange:
    return FactChange(Reason.CODE, key, old, new, Location("src/utils.py", line))


TRAIN = evaluated("train", Decision(Verdict.RUN, (Reason.CODE,), (code("func:src.utils:normalize"),)))
CACHED = evaluated("prepare", Decision(Verdict.UP_TO_DATE))


def test_the_documented_layout() -> None:
    assert (
        status.explanations(found(TRAIN))
        == """\
Stage: train
  Status: WILL RUN
  Reason: Code dependency changed

  Changes:
    func:normalize
      Old: 5995c853
      New: a1b2c3d4
      File: src/utils.py:15
"""
    )


def test_functions_of_one_name_are_distinguished() -> None:
    changes = (code("func:a:load"), code("func:b:load"), code("func:b:save"))

    assert list(phrases.keys(changes).values()) == ["func:a:load", "func:b:load", "func:save"]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("func:a.b:f", "func:f"),
        ("class:m:C.D", "class:C.D"),
        ("loader:raw", "loader:raw"),
        ("func::f", "func::f"),
        ("plain", "plain"),
        ("module:a.b:*", "module:a.b"),
        ("file:run.sh", "file:run.sh"),
    ],
)
def test_short_keys(key: str, shown: str) -> None:
    assert phrases.short_key(key) == shown


def test_the_way_to_an_entry_names_each_once() -> None:
    assert phrases.chain(["call:m:Model", "class:m:Model", "module:base:*", "class:m:Base"]) == "Model -> base -> Base"


def test_other_changes_name_what_they_are_about() -> None:
    decision = Decision(
        Verdict.RUN,
        (Reason.PARAM, Reason.DEP, Reason.OUT_SPEC, Reason.UPSTREAM),
        (
            FactChange(Reason.PARAM, "rate", "0.1", "0.2"),
            FactChange(Reason.DEP, "data.csv", OLD, NEW),
            FactChange(Reason.OUT_SPEC, "new.csv", None, '{"cache":true}'),
        ),
    )
    stage = evaluated("train", decision, upstream=("p.prepare",), unresolved=(UnresolvedCode("exec", None),))

    assert (
        status.explanations(found(stage, CACHED))
        == """\
Stage: train
  Status: WILL RUN
  Reason: Parameter changed, Input data changed, Output declaration changed, Upstream stage will run
  Upstream: prepare

  Changes:
    param:rate
      Old: 0.1
      New: 0.2
    dep:data.csv
      Old: 5995c853
      New: a1b2c3d4
    out:new.csv
      Old: (none)
      New: {"cache":true}

  Not tracked:
    exec

Stage: prepare
  Status: CACHED
"""
    )


def test_a_blocked_stage_says_what_is_missing() -> None:
    decision = Decision(
        Verdict.BLOCKED, (Reason.DEP_MISSING,), (FactChange(Reason.DEP_MISSING, "data.csv", None, None),)
    )
    stage = evaluated("train", decision)

    assert status.status_text(found(stage)) == (
        "train  stale   Input missing: data.csv\n\n1 stage, 1 stale: provide the missing files\n"
    )
    assert "    dep:data.csv\n      Input missing\n" in status.explanations(found(stage))
    assert status.planned_runs(found(stage)) == "blocked        train  Input missing: data.csv\n"


def test_a_stage_behind_a_blocked_one_names_it() -> None:
    decision = Decision(
        Verdict.BLOCKED, (Reason.UPSTREAM_BLOCKED,), (FactChange(Reason.UPSTREAM_BLOCKED, "p.prepare", None, None),)
    )

    assert "Upstream stage cannot run: prepare" in status.status_text(found(CACHED, evaluated("train", decision)))


def test_a_project_without_stages() -> None:
    nothing = found()

    assert {status.status_text(nothing), status.planned_runs(nothing), status.explanations(nothing)} == {
        "No stages are registered.\n"
    }
    assert summary(RunResult()) == "Nothing to do: no stages are registered"


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (RunResult(cached={"a", "b"}, seconds=0.04), "Everything is up to date: 2 stages cached (40ms)"),
        (RunResult(cached={"a"}, ran={"b"}, restored={"c"}, seconds=0.5), "Done: 1 ran, 1 restored, 1 cached (0.50s)"),
        (RunResult(failed={"a"}, blocked={"b"}, seconds=61), "Not done: 1 failed, 1 blocked (1m01s)"),
        (RunResult(torn={"a"}, ran={"b"}, seconds=3661), "Not done: 1 not recorded, 1 ran (1h01m)"),
    ],
)
def test_the_summary_line(outcome: RunResult, line: str) -> None:
    assert summary(outcome) == line


def test_json_has_the_documented_fields() -> None:
    plain = status.status_json(found(CACHED, TRAIN), explain=True, stages_only=False)

    assert json.loads(json.dumps(plain)) == plain
    assert plain.keys() == {"stages", "tracked_files", "suggestions"}
    assert plain["suggestions"] == ["Run 'pivot repro' to update 1 stale stage"]
    assert plain["stages"][0] == {
        "name": "prepare",
        "address": "p.prepare",
        "status": "cached",
        "reason": "",
        "file": "pipeline.py",
        "line": 1,
        "summary": "cached",
        "will_run": False,
        "action": "up_to_date",
        "reasons": [],
        "code_changes": [],
        "library_changes": [],
        "param_changes": [],
        "variable_changes": [],
        "env_changes": [],
        "dep_changes": [],
        "out_changes": [],
        "upstream_always": [],
        "upstream_stale": [],
        "unresolved": [],
        "variables_read": [],
        "rerun": None,
    }
    assert plain["stages"][1]["code_changes"] == [
        {
            "key": "func:src.utils:normalize",
            "reason": "Code dependency changed",
            "old": OLD,
            "new": NEW,
            "name": "func:normalize",
            "file": "src/utils.py",
            "line": 15,
            "via": [],
            "diff": None,
        }
    ]


def change(reason: Reason, key: str, old: str | None = OLD, new: str | None = NEW) -> FactChange:
    return FactChange(reason, key, old, new)


@pytest.mark.parametrize(
    ("changes", "summary"),
    [
        ((code("func:src.utils:normalize"),), "stale: helper normalize changed"),
        ((code("func:p:train"),), "stale: train changed"),
        ((code("func:src.utils:normalize"), code("func:p:train")), "stale: helper normalize changed and 1 more"),
        ((code("func:src.utils:old", new=None),), "stale: old removed"),
        ((code("module:src.utils:*", old=None),), "stale: src.utils added"),
        ((change(Reason.PARAM, "rate", "0.1", "0.2"),), "stale: rate 0.1 → 0.2"),
        ((change(Reason.PARAM, "names", "[]", f'["{"n" * 99}"]'),), "stale: names changed"),
        ((change(Reason.PARAM, "key", '{"$secret":"a1"}', '{"$secret":"b2"}'),), "stale: key changed"),
        ((change(Reason.LIBRARY, "pandas", "2.2", "2.3"),), "stale: pandas 2.2 → 2.3"),
        ((change(Reason.ENV, "TOKEN"),), "stale: variable TOKEN changed"),
        ((change(Reason.DEP, "a.csv"), change(Reason.DEP, "b.csv")), "stale: a.csv and 1 more changed"),
        ((change(Reason.OUT_MODIFIED, "out.csv"),), "stale: out.csv modified"),
        ((change(Reason.DEP_MISSING, "data.csv", None, None),), "stale: data.csv missing"),
        ((change(Reason.UPSTREAM_BLOCKED, "p.prepare", None, None),), "stale: prepare cannot run"),
    ],
)
def test_the_state_of_a_stage_in_a_few_words(changes: tuple[FactChange, ...], summary: str) -> None:
    """They fit beside the code, and show no secret."""
    entries = {key: CodeEntry(NEW) for key in ("func:p:train", "func:src.utils:normalize")}
    spec = StageSpec("train", "p", "", Location("pipeline.py", 1))
    loaded = LoadedStage(spec, entries, via={"func:src.utils:normalize": "func:p:train"})
    evaluation = Evaluation(
        loaded, None, Observation(Inputs(schema=1), {}), Decision(Verdict.RUN, (changes[0].reason,), changes)
    )

    both = found(CACHED, StageStatus("train", evaluation))

    assert status.status_json(both, explain=True, stages_only=True)["stages"][1]["summary"] == summary


@pytest.mark.parametrize(
    ("decision", "upstream", "summary"),
    [
        (Decision(Verdict.RUN, (Reason.NEVER_RUN,)), (), "stale: never run"),
        (Decision(Verdict.RUN, (Reason.UPSTREAM,)), ("p.prepare",), "stale: prepare will run"),
        (Decision(Verdict.RUN, (Reason.UPSTREAM,)), ("p.prepare", "p.train"), "stale: prepare and 1 more will run"),
        (Decision(Verdict.FROZEN, (Reason.FROZEN,)), (), "frozen"),
        (Decision(Verdict.FROZEN, (Reason.FROZEN, Reason.CODE), (code("func:m:f"),)), (), "frozen: f changed"),
        (Decision(Verdict.RUN, (Reason.ALWAYS,)), (), "always runs"),
        (Decision(Verdict.UP_TO_DATE), (), "cached"),
    ],
)
def test_a_reason_without_a_changed_fact_in_a_few_words(
    decision: Decision, upstream: tuple[str, ...], summary: str
) -> None:
    both = found(CACHED, evaluated("train", decision, upstream=upstream))

    assert status.status_json(both, explain=True, stages_only=True)["stages"][1]["summary"] == summary


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_a_few_words(reason: Reason) -> None:
    old = "0" if reason is Reason.EXPIRED else None
    stage = evaluated("train", Decision(Verdict.RUN, (reason,), (FactChange(reason, "thing", old, None),)))
    (told,) = status.status_json(found(stage), explain=True, stages_only=True)["stages"]

    assert told["summary"]


@pytest.mark.parametrize(
    ("location", "place"), [(Location("<string>", 3), (None, None)), (Location("a", 0), ("a", None))]
)
def test_a_stage_whose_place_is_not_known(location: Location, place: tuple[str | None, int | None]) -> None:
    spec = StageSpec("train", "p", "", location)
    evaluation = Evaluation(LoadedStage(spec, {}), None, Observation(Inputs(schema=1), {}), Decision(Verdict.RUN))
    (told,) = status.status_json(found(StageStatus("train", evaluation)), explain=True, stages_only=True)["stages"]

    assert (told["file"], told["line"]) == place


def test_without_explain_json_is_short() -> None:
    plain = status.status_json(found(TRAIN), explain=False, stages_only=True)

    assert plain == {
        "stages": [
            {
                "name": "train",
                "address": "p.train",
                "status": "stale",
                "reason": "Code dependency changed: func:normalize",
            }
        ],
        "tracked_files": [],
        "suggestions": [],
    }


def test_how_a_change_is_reached_and_what_was_edited() -> None:
    """A path is shown only where the stage does not name the changed thing itself."""
    change = code("func:src.utils:normalize")
    entries = {key: CodeEntry(NEW) for key in ("func:p:train", "func:p:fit", change.key)}
    via = {"func:p:fit": "func:p:train", change.key: "func:p:fit"}
    spec = StageSpec("train", "p", "", Location("pipeline.py", 1))
    evaluation = Evaluation(
        LoadedStage(spec, entries, via=via),
        None,
        Observation(Inputs(schema=1), {}),
        Decision(Verdict.RUN, (Reason.CODE,), (change,)),
    )
    stage = StageStatus("train", evaluation, {change.key: SourceEdit("old\n", "new\n")})

    assert status.explanations(found(stage)).endswith(
        "      File: src/utils.py:15\n      Via: train -> fit -> normalize\n      Diff:\n"
        "        --- last run\n        +++ now\n        @@ -1 +1 @@\n        -old\n        +new\n"
    )
    (told,) = status.status_json(found(stage), explain=True, stages_only=True)["stages"][0]["code_changes"]
    assert told["via"] == ["func:p:train", "func:p:fit", "func:src.utils:normalize"]
    assert told["diff"] == "--- last run\n+++ now\n@@ -1 +1 @@\n-old\n+new\n"


def test_why_a_stage_is_cached_lists_what_was_compared() -> None:
    inputs = Inputs(
        schema=1,
        code={"func:p:train": CodeEntry(NEW, Location("pipeline.py", 3))},
        observed={"func:plug:run": CodeEntry(OLD, Location("plug.py", 1))},
        deps={ArtifactPath("in.csv"): Artifact(OLD, 1)},
        library_versions={"pandas": "2"},
        outs=(OutSpec(ArtifactPath("out.csv")),),
    )
    spec = StageSpec("train", "p", "", Location("pipeline.py", 1))
    observation = Observation(inputs, {ArtifactPath("out.csv"): Artifact(NEW, 1)})
    evaluation = Evaluation(LoadedStage(spec, inputs.code), None, observation, Decision(Verdict.UP_TO_DATE))

    assert (
        status.explanations(found(StageStatus("train", evaluation)), why_not=True)
        == """\
Stage: train
  Status: CACHED

  Compared, and equal:
    func:p:train  a1b2c3d4  pipeline.py:3
    func:plug:run  5995c853  plug.py:1  seen when it ran
    library:pandas  2
    dep:in.csv  5995c853
    out:out.csv  a1b2c3d4
"""
    )


def test_what_was_compared_hides_secrets_and_lists_outs_that_are_not_there() -> None:
    inputs = Inputs(
        schema=1, params={"key": {"$secret": "0" * 32}, "rate": 0.1}, env={"TOKEN": NEW, "UNSET": ""}, deps={}
    )
    spec = StageSpec("train", "p", "", Location("pipeline.py", 1))
    observation = Observation(inputs, {ArtifactPath("out.csv"): None})
    evaluation = Evaluation(LoadedStage(spec, {}), None, observation, Decision(Verdict.UP_TO_DATE))

    text = status.explanations(found(StageStatus("train", evaluation)), why_not=True)
    assert text.partition("equal:\n")[2] == (
        "    param:key  (secret)\n    param:rate  0.1\n    env:TOKEN  (secret)\n    env:UNSET  (not set)\n"
        "    out:out.csv  \n"
    )


def test_a_fingerprint_lists_what_is_tracked_and_what_is_not() -> None:
    spec = StageSpec("train", "p", "", Location("pipeline.py", 1))
    loaded = LoadedStage(
        spec,
        {"func:p:train": CodeEntry(NEW, Location("pipeline.py", 3)), "loader:raw": CodeEntry(OLD)},
        (UnresolvedCode("exec", Location("pipeline.py", 5)),),
        {"pandas": LibraryUse("2.2.3", ("pandas.read_csv",))},
    )
    evaluation = Evaluation(loaded, None, Observation(Inputs(schema=1), {}), Decision(Verdict.UP_TO_DATE))
    stage = StageStatus("train", evaluation)

    assert (
        status.fingerprints(found(stage))
        == """\
Stage: train
  Tracked:
    func:p:train  a1b2c3d4  pipeline.py:3
    loader:raw    5995c853
  Libraries:
    pandas 2.2.3  pandas.read_csv
  Not tracked:
    exec  pipeline.py:5
"""
    )
    assert status.fingerprint_json(stage) == {
        "name": "train",
        "address": "p.train",
        "entries": [
            {"key": "func:p:train", "digest": NEW, "file": "pipeline.py", "line": 3, "via": ["func:p:train"]},
            {"key": "loader:raw", "digest": OLD, "file": None, "line": None, "via": ["loader:raw"]},
        ],
        "observed": [],
        "libraries": [{"name": "pandas", "version": "2.2.3", "names": ["pandas.read_csv"]}],
        "unresolved": [{"reason": "exec", "file": "pipeline.py", "line": 5}],
    }
