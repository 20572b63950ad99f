"""The meaning of a name on the command line, from wherever it is given."""

import pathlib

import pytest
from parts import spec

from pivot_core.graph import Graph
from pivot_runtime.errors import TargetError
from pivot_runtime.project.targets import resolve_targets

ROOT = pathlib.Path("/data/project")

GRAPH = Graph.build(
    [
        spec("prepare", [], ["data/clean.csv", "shared.csv"]),
        spec("train", ["data/clean.csv"], ["model.pkl"]),
        spec("train", [], ["sub/model.pkl"], pipeline="q", base="sub"),
        spec("report", ["model.pkl"], ["train"], pipeline="q", base="sub"),
        spec("same", [], ["both"]),
        spec("both", [], ["same"]),
    ]
)


def meant(*targets: str, cwd: str = ".") -> tuple[str, ...]:
    return resolve_targets(targets, GRAPH, root=ROOT, cwd=ROOT / cwd)


def refusal(target: str, cwd: str = ".") -> TargetError:
    with pytest.raises(TargetError) as caught:
        meant(target, cwd=cwd)
    return caught.value


@pytest.mark.parametrize(
    ("target", "cwd", "address"),
    [
        ("prepare", ".", "p.prepare"),
        ("prepare", "sub/deep", "p.prepare"),
        ("p.prepare", ".", "p.prepare"),
        ("q.train", ".", "q.train"),
        ("data/clean.csv", ".", "p.prepare"),
        ("./data//clean.csv", ".", "p.prepare"),
        ("clean.csv", "data", "p.prepare"),
        ("./clean.csv", "data", "p.prepare"),
        ("../data/clean.csv", "sub", "p.prepare"),
        ("../../shared.csv", "sub/deep", "p.prepare"),
        ("model.pkl", ".", "p.train"),
        ("model.pkl", "sub", "q.train"),
        ("../model.pkl", "sub", "p.train"),
        ("/data/project/model.pkl", "sub", "p.train"),
        ("./train", ".", "q.report"),
        ("../train", "sub", "q.report"),
        ("same", ".", "p.same"),
        ("./same", ".", "p.both"),
        ("both", ".", "p.both"),
        ("./both", ".", "p.same"),
    ],
)
def test_one_target(target: str, cwd: str, address: str) -> None:
    assert meant(target, cwd=cwd) == (address,)


def test_no_target_means_all() -> None:
    assert meant() == tuple(GRAPH.stages)


def test_several_targets_in_graph_order_each_once() -> None:
    assert meant("q.report", "model.pkl", "p.train", "prepare") == ("p.prepare", "p.train", "q.report")


def test_ambiguous_name_lists_the_addresses() -> None:
    error = refusal("train")

    assert str(error) == "the stage name 'train' is ambiguous"
    assert error.hint == "use an address: p.train, q.train"


@pytest.mark.parametrize(
    ("target", "cwd", "suggestion"),
    [
        ("prepar", ".", "prepare"),
        ("q.trian", ".", "q.train"),
        ("model.pk", ".", "model.pkl"),
        ("clean.csw", "data", "clean.csv"),
        ("../data/clean.cs", "sub", "../data/clean.csv"),
    ],
)
def test_unknown_name_suggests_what_is_close(target: str, cwd: str, suggestion: str) -> None:
    error = refusal(target, cwd)

    assert str(error) == f"no stage or output is named {target!r}"
    assert error.hint is not None
    assert error.hint.startswith("did you mean ")
    assert suggestion in error.hint


@pytest.mark.parametrize(
    "target",
    [
        "zzzzzz",
        "./prepare",
        "datum",
        "",
        "/etc/passwd",
        "../outside",
        ".pivot/config.yaml",
        "a\0b",
        "+",
        "++",
        "zzz*",
        "[",
        "./sub*",
    ],
)
def test_invalid_targets_are_refused(target: str) -> None:
    """A path that no out is at, or that cannot be an artifact, is no traceback."""
    assert str(refusal(target)) == f"no stage or output is named {target!r}"


@pytest.mark.parametrize(
    ("target", "cwd", "addresses"),
    [
        ("tra*", ".", "p.train q.train"),
        ("q.*", ".", "q.train q.report"),
        ("*", "sub", "p.prepare p.train q.train q.report p.same p.both"),
        ("data", ".", "p.prepare"),
        ("sub", ".", "q.train"),
        (".", "sub", "q.train"),
        (".", ".", "p.prepare p.train q.train q.report p.same p.both"),
        ("data/clean.csv/part", ".", "p.prepare"),
        ("+p.train", ".", "p.prepare p.train"),
        ("prepare+", ".", "p.prepare p.train q.report"),
        ("+p.train+", ".", "p.prepare p.train q.report"),
        ("+model.pkl", ".", "p.prepare p.train"),
        ("data+", ".", "p.prepare p.train q.report"),
        ("+tra*", ".", "p.prepare p.train q.train"),
    ],
)
def test_several_at_once(target: str, cwd: str, addresses: str) -> None:
    assert set(meant(target, cwd=cwd)) == set(addresses.split())


def test_nothing_close_lists_the_stages() -> None:
    assert refusal("zzzzzz").hint == "known stages: prepare, p.train, q.train, report, same, both"


def test_many_stages_are_not_all_listed() -> None:
    graph = Graph.build([spec(f"stage_number_{number}") for number in range(100, 130)])
    with pytest.raises(TargetError) as caught:
        resolve_targets(["zzzzzz"], graph, root=ROOT, cwd=ROOT)

    assert str(caught.value.hint).endswith("stage_number_109 and 20 more")


def test_no_stages_at_all() -> None:
    with pytest.raises(TargetError) as caught:
        resolve_targets(["zzzzzz"], Graph.build([]), root=ROOT, cwd=ROOT)

    assert caught.value.hint == "known stages: none"


def test_short_names_are_bare_where_only_one_pipeline_has_them() -> None:
    assert GRAPH.short_names() == {
        "p.prepare": "prepare",
        "p.train": "p.train",
        "q.train": "q.train",
        "q.report": "report",
        "p.same": "same",
        "p.both": "both",
    }
