"""Observations of a stage, and what a read-only command foresees of its upstreams."""

import attrs
import pytest
from parts import SCHEMA, FakeWorld, Model, artifact, spec

from pivot_core.decide import Reason, Verdict
from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, CodeEntry, Observation, UnresolvedCode
from pivot_core.spec import OutSpec
from pivot_runtime.evaluating.evaluate import Forecast, observe
from pivot_runtime.loading.loaded import LoadedStage

IN, MIDDLE, END = map(ArtifactPath, ("in", "middle", "end"))


@pytest.fixture
def chain() -> Model:
    """``first`` reads ``in`` and writes ``middle``, of which ``second`` makes ``end``; both have run."""
    model = Model([spec("first", ["in"], ["middle"]), spec("second", ["middle"], ["end"])])
    model.world.write(**{"in": "1"})
    model.pretend_run("first", middle="2")
    model.pretend_run("second", end="3")
    return model


def test_everything_there_is_seen() -> None:
    stage = LoadedStage(spec("s", ["in"], ["end"]), {"func:s": CodeEntry("0" * 32)}, (UnresolvedCode("eval", None),))
    world = FakeWorld()
    world.write(**{"in": "1", "end": "2"})
    seen = observe(stage, Graph.build([stage.spec]), world, lock=None, schema=SCHEMA)

    assert seen.inputs.deps == {IN: artifact("1")}
    assert seen.outs == {END: artifact("2")}
    assert (seen.inputs.schema, seen.inputs.code, seen.inputs.outs) == (SCHEMA, stage.code, stage.spec.outs)
    assert (tuple(seen.missing), tuple(seen.upstream), tuple(seen.blocked)) == ((), (), ())
    assert seen.unresolved == stage.unresolved


def test_absent_deps_are_missing_and_absent_outs_are_none() -> None:
    stage = LoadedStage(spec("s", ["in"], ["end"]), {})
    seen = observe(stage, Graph.build([stage.spec]), FakeWorld(), lock=None, schema=SCHEMA)

    assert (dict(seen.inputs.deps), tuple(seen.missing), dict(seen.outs)) == ({}, (IN,), {END: None})


def test_nothing_to_do(chain: Model) -> None:
    assert chain.verdicts() == {"first": "up_to_date", "second": "up_to_date"}


def test_outs_of_a_running_upstream_stage_are_unknown(chain: Model) -> None:
    chain.world.write(**{"in": "changed"})
    second = chain.evaluate()["second"]

    assert second.decision.verdict is Verdict.RUN
    assert second.decision.reasons == (Reason.UPSTREAM,)
    assert (dict(second.observation.inputs.deps), tuple(second.observation.upstream)) == ({}, ("p.first",))


def test_outs_to_be_restored_are_foreseen(chain: Model) -> None:
    """An upstream that only restores does not make its followers stale."""
    del chain.world.disk[MIDDLE]

    assert chain.verdicts() == {"first": "restore", "second": "up_to_date"}


def test_a_chain_of_restores_is_foreseen(chain: Model) -> None:
    """Also where each restore is of another version than the last run's."""
    chain.world.write(**{"in": "another"})
    chain.pretend_run("first", middle="another 2")
    chain.pretend_run("second", end="another 3")
    chain.world.write(**{"in": "1"})
    found = chain.evaluate()

    assert [each.decision.verdict for each in found.values()] == [Verdict.RESTORE, Verdict.RESTORE]
    restore = found["second"].decision.restore
    assert restore is not None
    assert restore.outs == {END: artifact("3")}


def test_missing_input_blocks_what_follows(chain: Model) -> None:
    del chain.world.disk[IN]
    found = chain.evaluate()

    assert found["first"].decision.reasons == (Reason.DEP_MISSING,)
    assert found["second"].decision.reasons == (Reason.UPSTREAM_BLOCKED,)
    assert tuple(found["second"].observation.blocked) == ("p.first",)


def test_missing_input_of_a_blocked_writer_is_not_told_twice(chain: Model) -> None:
    del chain.world.disk[IN], chain.world.disk[MIDDLE]
    second = chain.evaluate()["second"]

    assert second.decision.verdict is Verdict.BLOCKED
    assert tuple(second.observation.missing) == ()


def test_force_runs_all_but_what_cannot_run(chain: Model) -> None:
    assert chain.verdicts(force=True) == {"first": "run", "second": "run"}
    del chain.world.disk[IN]
    assert chain.verdicts(force=True) == {"first": "blocked", "second": "blocked"}


@pytest.mark.parametrize(("out", "dep"), [("data", "data/x"), ("data/x", "data"), ("a/b/c", "a"), ("a", "a/b/c")])
def test_dep_inside_or_around_what_an_upstream_writes(out: str, dep: str) -> None:
    """It is not known before the upstream has run, and not missing; nobody looks at it."""
    model = Model([spec("first", [], [out]), spec("second", [dep], ["end"])])

    assert model.verdicts() == {"first": "run", "second": "run"}
    assert dep not in model.world.looked


@pytest.mark.parametrize(("out", "dep"), [("data", "data/x"), ("data/x", "data")])
def test_dep_inside_or_around_what_a_blocked_upstream_writes(out: str, dep: str) -> None:
    model = Model([spec("first", ["nothing"], [out]), spec("second", [dep], ["end"])])
    second = model.evaluate()["second"]

    assert second.decision.reasons == (Reason.UPSTREAM_BLOCKED,)
    assert tuple(second.observation.missing) == ()


@pytest.mark.parametrize(
    ("restored", "verdict"),
    [({"x": artifact("7")}, "up_to_date"), ({"x": artifact("8")}, "run"), ({}, "blocked")],
)
def test_restored_directories_around_a_dep_are_foreseen(restored: dict[str, Artifact], verdict: str) -> None:
    """Whatever is there now."""
    model = Model([spec("first", [], ["data"]), spec("second", ["data/x"], ["end"])])
    model.pretend_run("first", data="2")
    model.world.write(**{"data/x": "7"})
    model.pretend_run("second", end="3")
    model.world.directories[artifact("2").digest] = restored
    model.world.write(data="edited")

    assert model.verdicts() == {"first": "restore", "second": verdict}


def test_dep_beside_what_an_upstream_writes_is_missing() -> None:
    model = Model([spec("first", [], ["data/x"]), spec("second", ["data/x2", "data/x"], ["end"])])
    second = model.evaluate()["second"]

    assert tuple(second.observation.missing) == (ArtifactPath("data/x2"),)
    assert second.decision.verdict is Verdict.BLOCKED


def test_file_parameters_are_unknown_until_their_file_is_there() -> None:
    first = spec("first", [], ["a.json"])
    keys = {ArtifactPath("a.json"): ("x", "y"), ArtifactPath("b.json"): ("z", "none"), ArtifactPath("c.json"): ()}
    second = attrs.evolve(spec("second"), deps=tuple(keys), uncounted=tuple(keys), file_params=keys)
    stage = LoadedStage(second, {}, params={"own": 1})
    graph, world = Graph.build([first, second]), FakeWorld()
    world.write(a__json="1", b__json="2")

    def seen(forecast: Forecast | None = None) -> Observation:
        return observe(stage, graph, world, lock=None, schema=SCHEMA, forecast=forecast)

    now, later = seen(), seen(Forecast(running={"p.first"}))
    values = {"own": 1, "b.json:z": artifact("2").digest}
    assert now.inputs.params == values | dict.fromkeys(["a.json:x", "a.json:y"], artifact("1").digest)
    assert (now.unknown_params, now.missing, now.inputs.deps) == (("c.json",), ("c.json", "b.json:none"), {})
    assert later.inputs.params == values
    assert (later.unknown_params, later.upstream) == (("a.json:x", "a.json:y", "c.json"), ("p.first",))


def test_foresight_of_stages_that_are_not_selected_is_dropped() -> None:
    """A graph of some stages knows no writer outside of it: what those wrote is looked at."""
    first, second = spec("first", [], ["middle"]), spec("second", ["middle"], ["end"])
    graph = Graph.build([first, second]).select(["p.second"])
    world = FakeWorld()
    world.write(middle="1")
    seen = observe(
        LoadedStage(second, {}), graph, world, lock=None, schema=SCHEMA, forecast=Forecast(running={"p.first"})
    )

    assert seen.inputs.deps == {MIDDLE: artifact("1")}
    assert tuple(seen.upstream) == ()


def test_files_that_match_after_a_restore_are_foreseen() -> None:
    """Also those in a directory that is not there, and without those that the restore removes."""
    pattern = PathPattern("parts/**/*.csv")
    writer = attrs.evolve(spec("w"), outs=(OutSpec(ArtifactPath("parts/d"), directory=True),))
    reader = LoadedStage(attrs.evolve(spec("r"), deps=(pattern,)), {})
    graph, world = Graph.build([writer, reader.spec]), FakeWorld()
    world.disk = {ArtifactPath(f"parts/{name}"): artifact(name) for name in ("a.csv", "d/old.csv")}
    tree = Artifact("d" * 32, 3, tree=True)
    world.directories[tree.digest] = {"new.csv": artifact("new"), "new.txt": artifact("text")}

    def seen(forecast: Forecast) -> dict[str, Artifact]:
        found = observe(reader, graph, world, lock=None, schema=SCHEMA, forecast=forecast)
        return {str(path): each for path, each in found.inputs.deps.items()} | dict.fromkeys(
            map(str, found.missing), artifact("missing")
        )

    restored = Forecast(restored={ArtifactPath("parts/d"): tree})
    assert seen(restored) == {"parts/a.csv": artifact("a.csv"), "parts/d/new.csv": artifact("new")}
    assert seen(Forecast(running={"p.w"})) == {}
    del world.disk[ArtifactPath("parts/d/old.csv")]
    assert seen(Forecast()) == {"parts/a.csv": artifact("a.csv"), "parts/d": artifact("missing")}
