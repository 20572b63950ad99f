"""The graph has exactly the edges that the files give, in a stable order, or an error that names the stages."""

import itertools
from collections.abc import Iterable
from typing import Any

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pivot_core.errors import GraphError
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph, refuse_contradictions, refuse_unknown_names
from pivot_core.spec import Location, OutSpec, StageError, StageSpec

PATHS = st.sampled_from(
    ["/".join(parts) for depth in (1, 2, 3) for parts in itertools.product(("a", "b", "a2"), repeat=depth)]
)


def stage(
    name: str, deps: Iterable[str] = (), outs: Iterable[str] = (), *, pipeline: str = "p", line: int = 1
) -> StageSpec:
    return StageSpec(
        name=name,
        pipeline=pipeline,
        base="",
        location=Location("pipeline.py", line),
        deps=tuple(sorted(map(ArtifactPath, deps))),
        outs=tuple(OutSpec(ArtifactPath(path)) for path in sorted(outs)),
    )


@st.composite
def stage_lists(draw: st.DrawFn) -> list[StageSpec]:
    size = draw(st.integers(0, 6))
    return [
        stage(f"s{number}", draw(st.sets(PATHS, max_size=3)), draw(st.sets(PATHS, max_size=2)), line=number + 1)
        for number in range(size)
    ]


def within(inner: str, outer: str) -> bool:
    """The naive model: a path is in another if it begins with the other's parts."""
    return inner.split("/")[: outer.count("/") + 1] == outer.split("/")


def overlap(left: str, right: str) -> bool:
    return within(left, right) or within(right, left)


def naive_edges(specs: list[StageSpec]) -> set[tuple[str, str]]:
    return {
        (writer.address, reader.address)
        for writer in specs
        for reader in specs
        if any(overlap(out.path, dep) for out in writer.outs for dep in reader.deps)
    }


def naive_conflict(specs: list[StageSpec]) -> bool:
    outs = [out.path for spec in specs for out in spec.outs]
    return any(overlap(left, right) for index, left in enumerate(outs) for right in outs[:index])


def naive_cycle(specs: list[StageSpec]) -> bool:
    """Repeatedly drop whatever has no upstream left; what remains holds a cycle."""
    edges = naive_edges(specs)
    left = {spec.address for spec in specs}
    while free := {name for name in left if not any(to == name and frm in left for frm, to in edges)}:
        left -= free
    return bool(left)


def edges(graph: Graph) -> set[tuple[str, str]]:
    return {(writer, reader) for reader, writers in graph.upstream.items() for writer in writers}


@given(stage_lists())
def test_graph_agrees_with_a_naive_model(specs: list[StageSpec]) -> None:
    if naive_conflict(specs):
        with pytest.raises(GraphError, match=r"two stages write|overlap"):
            Graph.build(specs)
    elif naive_cycle(specs):
        with pytest.raises(GraphError, match="cycle"):
            Graph.build(specs)
    else:
        graph = Graph.build(specs)

        assert edges(graph) == naive_edges(specs)
        assert graph.producers == {out.path: spec.address for spec in specs for out in spec.outs}
        assert graph.upstream.keys() == graph.stages.keys() == {spec.address for spec in specs}


def build(specs: list[StageSpec]) -> Graph:
    """The graph, where there is one; other examples are passed over."""
    try:
        return Graph.build(specs)
    except GraphError:
        assume(False)
        raise AssertionError from None


@given(stage_lists(), PATHS, st.data())
def test_writers_touch_the_path_and_are_among_the_stages(
    specs: list[StageSpec], path: str, data: st.DataObject
) -> None:
    graph = build(specs)
    kept = data.draw(st.sets(st.sampled_from(sorted(graph.stages)))) if graph.stages else set()

    expected = {spec.address for spec in specs if any(overlap(out.path, path) for out in spec.outs)}
    assert graph.writers(ArtifactPath(path)) == expected
    assert graph.select(kept).writers(ArtifactPath(path)) == expected & kept


@given(stage_lists())
def test_order_is_topological_and_the_given_one_breaks_ties(specs: list[StageSpec]) -> None:
    graph = build(specs)
    order = list(graph.stages)

    done: set[str] = set()
    given_order = [spec.address for spec in specs]
    for address in order:
        ready = [name for name in given_order if name not in done and graph.upstream[name] <= done]
        assert address == ready[0]
        done.add(address)
    assert list(Graph.build(specs).stages) == order
    assert list(Graph.build(list(graph.stages.values())).stages) == order


@given(stage_lists(), st.data())
def test_ancestors_are_what_a_stage_rests_on(specs: list[StageSpec], data: st.DataObject) -> None:
    graph = build(specs)
    wanted = data.draw(st.sets(st.sampled_from(sorted(graph.stages)))) if graph.stages else set()

    expected = set(wanted)
    while more := {writer for writer, reader in edges(graph) if reader in expected} - expected:
        expected |= more
    assert graph.ancestors(wanted) == expected


@given(stage_lists(), st.data())
def test_descendants_are_what_has_a_stage_among_its_ancestors(specs: list[StageSpec], data: st.DataObject) -> None:
    graph = build(specs)
    start = data.draw(st.sets(st.sampled_from(sorted(graph.stages)))) if graph.stages else set()

    assert graph.descendants(start) == {each for each in graph.stages if not start.isdisjoint(graph.ancestors([each]))}


@given(stage_lists(), st.data())
def test_selected_graph_has_the_kept_stages_and_the_edges_between_them(
    specs: list[StageSpec], data: st.DataObject
) -> None:
    graph = build(specs)
    kept = data.draw(st.sets(st.sampled_from(sorted(graph.stages)))) if graph.stages else set()
    selected = graph.select(kept)

    assert list(selected.stages) == [address for address in graph.stages if address in kept]
    assert edges(selected) == {(frm, to) for frm, to in edges(graph) if frm in kept and to in kept}
    assert set(selected.producers.values()) <= kept
    assert graph.select(graph.stages) == graph


@pytest.mark.parametrize(
    ("out", "dep", "connected"),
    [
        ("data", "data", True),
        ("data/x.csv", "data", True),
        ("data/deep/x.csv", "data", True),
        ("data", "data/x.csv", True),
        ("data", "data2", False),
        ("data2", "data", False),
        ("data", "data.csv", False),
        ("data/x", "data/y", False),
        ("data/x", "data/x2/y", False),
    ],
)
def test_readers_depend_on_writers(out: str, dep: str, connected: bool) -> None:
    graph = Graph.build([stage("read", [dep]), stage("write", [], [out])])

    assert graph.upstream["p.read"] == (frozenset({"p.write"}) if connected else frozenset())
    assert list(graph.stages) == (["p.write", "p.read"] if connected else ["p.read", "p.write"])


def refusal(*specs: StageSpec) -> GraphError:
    with pytest.raises(GraphError) as caught:
        Graph.build(specs)
    return caught.value


def test_two_stages_of_one_address() -> None:
    error = refusal(stage("train", line=3), stage("train", line=7))

    assert str(error) == "two stages have the address 'p.train': 'train' (pipeline.py:3) and 'train' (pipeline.py:7)"
    assert "rename one" in str(error.hint)


def test_same_name_in_two_pipelines_is_no_conflict() -> None:
    graph = Graph.build([stage("train", pipeline="a"), stage("train", pipeline="b")])

    assert list(graph.stages) == ["a.train", "b.train"]


def test_two_stages_write_one_file() -> None:
    error = refusal(stage("a", outs=["x.csv"], line=3), stage("b", outs=["x.csv"], line=7))

    assert str(error) == "two stages write 'x.csv': 'a' (pipeline.py:3) and 'b' (pipeline.py:7)"


@pytest.mark.parametrize("inner_first", [True, False])
def test_out_inside_another_out(inner_first: bool) -> None:
    specs = [stage("a", outs=["data"], line=3), stage("b", outs=["data/deep/x"], line=7)]
    error = refusal(*specs[:: -1 if inner_first else 1])

    assert str(error) == ("the outs 'data' of 'a' (pipeline.py:3) and 'data/deep/x' of 'b' (pipeline.py:7) overlap")


def test_cycle_is_reported_in_the_order_of_the_data() -> None:
    error = refusal(
        stage("a", ["c.csv", "raw.csv"], ["a.csv"], line=1),
        stage("b", ["a.csv"], ["b.csv"], line=2),
        stage("c", ["b.csv"], ["c.csv"], line=3),
        stage("late", ["c.csv"], line=4),
    )

    told = str(error).removeprefix("the stages form a cycle: ").split(" -> ")
    assert told[0] == told[-1]
    follows = {"'a' (pipeline.py:1)": "'b' (pipeline.py:2)", "'b' (pipeline.py:2)": "'c' (pipeline.py:3)"}
    follows |= {"'c' (pipeline.py:3)": "'a' (pipeline.py:1)"}
    assert [follows[name] for name in told[:-1]] == told[1:]
    assert "raw.csv" not in str(error.hint)


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_cycle_through_a_directory_names_only_what_closes_it(first: str, second: str) -> None:
    error = refusal(
        stage(first, ["data", "raw.csv", "more.csv"], ["a.csv"], line=1),
        stage(second, ["a.csv"], ["data/b.csv"], line=2),
    )

    assert str(error.hint).endswith(
        (f"'{first}' reads 'data', written by '{second}'", f"'{second}' reads 'a.csv', written by '{first}'")
    )


def test_stage_that_reads_what_it_writes() -> None:
    error = refusal(stage("a", ["x", "y"], ["x"], line=5))

    assert str(error) == "the stages form a cycle: 'a' (pipeline.py:5) -> 'a' (pipeline.py:5)"
    assert str(error.hint).endswith("'a' reads 'x', written by 'a'")


def test_a_path_that_a_command_names_and_another_stage_writes_is_declared() -> None:
    writer = stage("writer", [], ["data"])
    reader = attrs.evolve(stage("reader", [], ["x.csv"]), named=(ArtifactPath("data/a.csv"), ArtifactPath("x.csv")))
    refuse_contradictions(Graph.build([reader]))

    with pytest.raises(StageError, match=r"names 'data/a\.csv', which stage 'p\.writer' writes") as refused:
        refuse_contradictions(Graph.build([writer, reader]))
    assert refused.value.hint == "add it to the stage's deps"


def test_a_dep_inside_a_file_is_refused() -> None:
    reader = stage("reader", ["model/weights", "other/x", "model", "y"], line=5)

    refuse_contradictions(
        Graph.build([attrs.evolve(stage("a"), outs=(OutSpec(ArtifactPath("model"), directory=True),)), reader])
    )
    with pytest.raises(
        StageError, match=r"reads 'model/weights', but 'model', which 'writer' \(pipeline\.py:2\)"
    ) as refused:
        refuse_contradictions(Graph.build([stage("writer", outs=["model"], line=2), reader]))
    assert refused.value.hint == "if it is a directory, declare it with a / at its end: 'model/'"


def test_a_stage_is_shown_by_its_name_where_no_other_pipeline_has_it() -> None:
    graph = Graph.build([stage("a", outs=["x"]), stage("b", outs=["y"]), stage("b", outs=["z"], pipeline="q")])

    assert graph.short_names() == {"p.a": "a", "p.b": "p.b", "q.b": "q.b"}


def test_the_ancestors_of_a_stage_are_all_that_it_depends_on_also_by_two_ways() -> None:
    graph = Graph.build([stage("a", (), ("a",)), stage("b", ("a",), ("b",)), stage("c", ("a", "b"))])

    assert graph.ancestors(["p.c"]) == {"p.a", "p.b", "p.c"}


def test_the_descendants_of_a_stage_are_all_that_depend_on_it() -> None:
    graph = Graph.build([stage("a", outs=["x"]), stage("b", ["x"], ["y"]), stage("c", ["y"]), stage("d")])

    assert graph.descendants(["p.a"]) == {"p.a", "p.b", "p.c"}


# -- order without files


def after(name: str, *before: str, **options: Any) -> StageSpec:
    return attrs.evolve(stage(name, **options), after=before)


def test_an_order_is_an_edge_but_no_source() -> None:
    specs = [after("c", "b"), stage("b", outs=["x"]), after("a", "b", deps=["x"]), stage("alone")]
    graph = Graph.build(specs)

    assert list(graph.stages) == ["p.b", "p.c", "p.a", "p.alone"]
    assert edges(graph) == {("p.b", "p.c"), ("p.b", "p.a")}
    assert graph.sources["p.c"] == frozenset()
    assert graph.sources["p.a"] == {"p.b"}
    assert graph.ancestors(["p.c"]) == {"p.c", "p.b"}
    assert graph.select(["p.c"]).upstream == {"p.c": frozenset()}


def test_a_name_means_a_stage_of_the_same_pipeline_or_a_family_and_an_address_any() -> None:
    specs = [stage("t@1"), stage("t@2"), stage("t", pipeline="q"), after("x", "t", "q.t", "gone")]

    assert Graph.build(specs).upstream["p.x"] == {"p.t@1", "p.t@2", "q.t"}


def test_its_own_family_means_the_other_variants() -> None:
    specs = [after("t@2", "t"), stage("t@1"), after("x", "t@1")]
    assert Graph.build(specs).upstream == {"p.t@1": frozenset(), "p.t@2": {"p.t@1"}, "p.x": {"p.t@1"}}

    with pytest.raises(GraphError, match=r"'t@1' .* -> 't@2' .* -> 't@1'") as caught:
        Graph.build([after("t@1", "t"), after("t@2", "p.t")])
    assert caught.value.hint == (
        "no stage can run before itself: 't@2' runs after 't@1', as it declares; "
        "for variants that run one at a time, in any order, use mutex=['t']"
    )
    with pytest.raises(GraphError, match="form a cycle: 't@1'"):
        Graph.build([after("t@1", "t@1"), stage("t@2")])


def test_variants_that_write_the_same_out_need_paths_of_their_own() -> None:
    for first, second, told in (("t@1", "t@2", "each variant"), ("t", "u", "one of them")):
        with pytest.raises(GraphError, match="two stages write 'x'") as caught:
            Graph.build([stage(first, outs=["x"]), stage(second, outs=["x"])])
        assert f"let {told} write to" in (caught.value.hint or "")


def test_an_unknown_name_is_refused() -> None:
    specs = [stage("fetch"), after("x", "fetsh")]
    with pytest.raises(StageError, match="it runs after 'fetsh', but there is no such stage") as caught:
        refuse_unknown_names(specs, [spec.address for spec in specs])
    assert caught.value.hint == "did you mean fetch?"
    with pytest.raises(StageError) as caught:
        refuse_unknown_names([after("x", "else")], ["p.x", "q.other"])
    assert caught.value.hint == "known stages: q.other"
    with pytest.raises(StageError) as caught:
        refuse_unknown_names([after("x", "else")], ["p.x"], {"q/pivot.yaml": GraphError("no")})
    assert caught.value.hint == "q/pivot.yaml cannot be loaded: no"
    refuse_unknown_names([after("x", "fetch")], ["p.fetch"])


def test_a_cycle_of_orders_is_named() -> None:
    with pytest.raises(GraphError, match=r"'a' \(.*\) -> 'b' \(.*\) -> 'a'") as caught:
        Graph.build([after("a", "b"), after("b", "a")])
    assert caught.value.hint == "no stage can run before itself: 'b' runs after 'a', as it declares"
    with pytest.raises(GraphError, match="form a cycle: 'a'"):
        Graph.build([after("a", "a")])
