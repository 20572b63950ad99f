"""The result of a load survives the way from the host to the coordinator."""

import json
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import CodeEntry, UnresolvedCode
from pivot_core.spec import Location, OutSpec, PartView, PlotOptions, StageSpec
from pivot_runtime.loading.loaded import Loaded, LoadedStage, from_plain, stage_to_plain, to_plain

TEXT = st.text("ab.é\n\"\\'\udcff", max_size=5)
PATHS = st.lists(st.sampled_from("abé "), min_size=1, max_size=3).map("/".join).map(ArtifactPath)
LOCATIONS = st.builds(Location, TEXT, st.integers(0, 10**6))
ENTRIES = st.builds(CodeEntry, TEXT, st.none() | LOCATIONS)
SPECS = st.builds(
    StageSpec,
    name=TEXT,
    pipeline=TEXT,
    base=TEXT,
    location=LOCATIONS,
    deps=st.lists(PATHS, max_size=3).map(tuple),
    outs=st.lists(st.builds(OutSpec, PATHS, st.booleans(), temp=st.booleans()), max_size=3).map(tuple),
    mutex=st.lists(TEXT, max_size=2).map(tuple),
    resources=st.dictionaries(TEXT, st.integers(1, 9), max_size=2),
    named=st.lists(PATHS, max_size=2).map(tuple),
    timeout=st.none() | st.just(1.5),
    retries=st.integers(0, 1),
    always=st.booleans(),
    frozen=st.booleans(),
    ttl=st.none() | st.sampled_from([0.0, 60.0]),
    uncounted=st.lists(PATHS, max_size=2).map(tuple),
    after=st.lists(TEXT, max_size=2).map(tuple),
    priority=st.integers(-1, 1),
    desc=TEXT,
    uncounted_params=st.just(()) | st.just(("seed",)),
    executor=st.sampled_from(["", "local"]),
)
STAGES = st.builds(
    LoadedStage,
    SPECS,
    st.dictionaries(TEXT, ENTRIES, max_size=3),
    st.lists(st.builds(UnresolvedCode, TEXT, st.none() | LOCATIONS), max_size=2).map(tuple),
    params=st.dictionaries(TEXT, st.none() | TEXT | st.integers(), max_size=2),
    env=st.dictionaries(TEXT, TEXT, max_size=2),
    texts=st.dictionaries(TEXT, TEXT, max_size=2),
)
LOADED = st.builds(
    Loaded, st.integers(0, 9), st.lists(STAGES, max_size=3).map(tuple), st.dictionaries(TEXT, TEXT, max_size=3)
)


@given(LOADED)
def test_round_trip_through_json(loaded: Loaded) -> None:
    assert from_plain(json.loads(json.dumps(to_plain(loaded)))) == loaded


@given(LOADED)
def test_paths_come_back_as_paths(loaded: Loaded) -> None:
    stages = from_plain(to_plain(loaded)).stages

    assert {type(path) for stage in stages for path in stage.spec.deps} <= {ArtifactPath}
    assert {type(out.path) for stage in stages for out in stage.spec.outs} <= {ArtifactPath}


def test_what_an_out_shows_comes_back() -> None:
    out = OutSpec(ArtifactPath("scores.csv"), kind="plot", plot=PlotOptions("bar", y=("a",)))
    inside = PartView("m.json", "metric"), PartView("", "plot", PlotOptions(x="step"))
    directory = OutSpec(ArtifactPath("live"), directory=True, inside=inside)
    stage = LoadedStage(StageSpec("s", "p", "", Location("p.py", 1), outs=(out, directory)), {})
    (found,) = from_plain(json.loads(json.dumps(to_plain(Loaded(1, (stage,), {}))))).stages

    assert [(each.kind, each.plot, each.inside) for each in found.spec.outs] == [
        ("plot", out.plot, ()),
        ("", None, inside),
    ]


def test_a_plain_stage_has_plain_data() -> None:
    out = OutSpec(ArtifactPath("out.csv"))
    plain = stage_to_plain(LoadedStage(StageSpec("s", "p", "", Location("p.py", 1), outs=(out,)), {}))

    assert list(plain) == ["name", "pipeline", "base", "location", "deps", "outs", "code", "spans"]
    assert plain["outs"] == [["out.csv", {"cache": True}]]


def test_data_of_stages_need_nothing_that_defines_stages() -> None:
    script = "import sys; import pivot_runtime.loading.loaded; print([n for n in sys.modules if '.stages.' in n])"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"
