"""Graphs as text, Mermaid, DOT and JSON: exact where they are small, sound where they are not."""

import json

from hypothesis import given
from hypothesis import strategies as st

from pivot_cli.views.graph import Drawing, Node, dot, drawing, drawing_json, mermaid, text
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.spec import Location, OutSpec, StageSpec
from pivot_runtime.inspecting.overview import Overview


def spec(name: str, deps: str, outs: str) -> StageSpec:
    return StageSpec(
        name,
        "p",
        "",
        Location("pipeline.py", 1),
        tuple(ArtifactPath(path) for path in deps.split()),
        tuple(OutSpec(ArtifactPath(path)) for path in outs.split()),
    )


def overview(*specs: StageSpec) -> Overview:
    graph = Graph.build(specs)
    return Overview(graph, {address: each.name for address, each in graph.stages.items()})


DIAMOND = overview(
    spec("load", "raw.csv", "data"),
    spec("left", "data", "l"),
    spec("right", "data/part", "r"),
    spec("join", "l r", "end"),
    spec("alone", "", "x"),
)


def test_a_tree_of_stages() -> None:
    assert text(drawing(DIAMOND)) == "join\n├── left ← load\n└── right ← load\nalone\n"


def test_nodes_shown_before_are_not_repeated() -> None:
    chain = overview(spec("a", "", "1"), spec("b", "1", "2"), spec("c", "2", "3"), spec("d", "2", "4"))
    assert text(drawing(chain)) == "c ← b ← a\nd ← b (above)\n"


def test_branches_below_branches() -> None:
    found = overview(
        spec("a", "", "1"), spec("b", "", "2"), spec("c", "1 2", "3"), spec("d", "3", "4"), spec("e", "4 1", "5")
    )
    assert text(drawing(found)) == "e\n├── a\n└── d ← c\n    ├── a\n    └── b\n"


def test_files_and_both() -> None:
    assert text(drawing(DIAMOND, stages=False, artifacts=True)) == (
        "end\n├── l ← data ← raw.csv\n└── r ← data/part ← data (above)\nx\n"
    )
    both = drawing(DIAMOND, stages=True, artifacts=True)
    assert ("data", "data/part") in both.edges
    assert ("data/part", "stage:p.right") in both.edges
    assert text(both).startswith("end ← join\n├── l ← left ← data ← load ← raw.csv\n")


def test_a_long_chain_fits_into_80_columns() -> None:
    chain = overview(*(spec(f"stage_{n}", f"f{n}" if n else "", f"f{n + 1}") for n in range(50)))
    lines = text(drawing(chain)).splitlines()
    assert max(map(len, lines)) <= 80
    assert " ".join(lines).replace("   ", " ").split(" ← ") == [f"stage_{n}" for n in reversed(range(50))]


def test_mermaid_and_dot_escape() -> None:
    odd = Drawing((Node("a", 'x"<y>', "stage"), Node("b", "back\\slash", "artifact")), (("a", "b"),))
    assert mermaid(odd) == 'flowchart TD\n    n0["x&quot;&lt;y>"]\n    n1(["back\\slash"])\n    n0 --> n1\n'
    assert dot(odd) == (
        'digraph {\n    rankdir=TB;\n    "a" [label="x\\"<y>", shape=box];\n'
        '    "b" [label="back\\\\slash", shape=ellipse];\n    "a" -> "b";\n}\n'
    )


def test_json() -> None:
    found = drawing_json(drawing(DIAMOND))
    assert json.loads(json.dumps(found)) == found
    assert found["nodes"][0] == {"id": "p.load", "label": "load", "kind": "stage"}
    assert {"from": "p.load", "to": "p.left"} in found["edges"]


def test_a_deep_graph_needs_no_recursion() -> None:
    deep = overview(*(spec(f"s{number}", f"f{number}" if number else "", f"f{number + 1}") for number in range(2000)))
    assert text(drawing(deep)).count("s") == 2000


@st.composite
def graphs(draw: st.DrawFn) -> Overview:
    count = draw(st.integers(0, 12))
    specs = []
    for number in range(count):
        before = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        specs.append(spec(f"s{number}", " ".join(f"f{each}" for each in sorted(before)), f"f{number}"))
    return overview(*specs)


@given(graphs())
def test_every_stage_stands_in_the_tree(found: Overview) -> None:
    shown = text(drawing(found)).replace("├──", "").replace("└──", "").replace("│", "").replace("←", "").split()
    assert {word for word in shown if word != "(above)"} == {spec.name for spec in found.graph.stages.values()}
