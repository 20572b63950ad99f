"""The deps, outs, metrics and plots of a ``pivot.yaml``, in the forms that a ``dvc.yaml`` has, too."""

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot_core.errors import DefinitionError
from pivot_core.pipeline import Pipeline
from pivot_core.pivot_yaml.declare import Declaration, DeclarationError, read_declarations
from pivot_core.spec import METRIC, PLOT, OutSpec, PartView, PlotOptions, StageError
from pivot_core.stages.annotations import Dep, DirectoryOut, Metric, Out, Plot, ViewedDirectory
from pivot_core.stages.command import command
from pivot_core.stages.interpolation import Path


@attrs.frozen
class Text:
    """Data as if each key was on a line of its own: the line is the number of keys on the way to it."""

    data: Any
    name: str = "pivot.yaml"

    def line(self, path: Path = ()) -> int:
        return len(path)


def stage(facts: dict[str, Any], **top: Any) -> Declaration:
    return read_declarations(Text({"pipeline": "p", "stages": {"s": {"cmd": "x", **facts}}, **top})).stages[0]


def shown(outs: Any) -> list[str]:
    return [repr(out) for out in outs]


def test_a_path_may_be_the_key_of_its_facts() -> None:
    meta = {"owner": "ada"}
    found = stage(
        {
            "deps": ["a.csv", {"b.csv": {"count": False}}, {"c.csv": None}],
            "outs": [
                "a.bin",
                {"b.bin": {"cache": False, "desc": "The model.", "meta": meta, "type": "model", "labels": ["x"]}},
                {"c/": None},
                {"d": {"directory": "${yes}", "persist": True, "push": True}},
                {"path": "e.bin", "temp": True},
            ],
        },
        vars={"yes": True},
    )
    assert found.deps == {"a.csv": "a.csv", "b.csv": Dep("b.csv", count=False), "c.csv": Dep("c.csv")}
    described = {"owner": "ada", "type": "model", "labels": ["x"]}
    assert shown(found.outs.values()) == shown(
        [
            Out("a.bin"),
            Out("b.bin", cache=False, desc="The model.", meta=described),
            DirectoryOut("c/"),
            DirectoryOut("d", persist=True),
            Out("e.bin", temp=True),
        ]
    )
    assert list(found.outs) == ["a.bin", "b.bin", "c/", "d", "e.bin"]


FLAGS = st.fixed_dictionaries(
    {},
    optional={
        "cache": st.booleans(),
        "persist": st.booleans(),
        "directory": st.booleans(),
        "desc": st.text(max_size=3),
        "meta": st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    },
)


@settings(max_examples=40)
@given(st.sampled_from(["outs", "metrics", "plots"]), st.sampled_from(["a", "b.csv", "c/"]), FLAGS)
def test_all_forms_of_an_out_mean_the_same(key: str, path: str, flags: dict[str, Any]) -> None:
    forms = [{"path": path, **flags}, {path: flags}, *([path, {path: None}] if not flags else [])]

    def read(form: Any) -> str:
        try:
            return repr(stage({key: [form]}).outs)
        except DeclarationError as error:
            return str(error).partition(": ")[2]

    assert len(set(map(read, forms))) == 1


def test_metrics_and_plots_are_outs_in_the_cache_unless_they_say_otherwise() -> None:
    axes: dict[str, Any] = {"x": "step", "y": ["a", "b"], "title": "T", "x_label": "X", "y_label": "Y"}
    found = stage(
        {
            "outs": ["model"],
            "metrics": ["m.json", {"n.json": {"cache": False}}],
            "plots": [
                "p.png",
                {"q.csv": {**axes, "template": "smooth", "header": True, "cache": False}},
                {"r.csv": {"x": "count", "y": "name", "x_label": "C", "template": "bar_horizontal"}},
                {"path": "s.csv", "kind": "scatter", "group": "g"},
                "many/",
                {"path": "more", "directory": True, "x": "a"},
            ],
        }
    )
    assert shown(found.outs.values()) == shown(
        [
            Out("model"),
            Metric("m.json", cache=True),
            Metric("n.json", cache=False),
            Plot("p.png"),
            Plot("q.csv", cache=False, kind="line", **axes),
            Plot("r.csv", kind="bar", y="count", x="name", y_label="C"),
            Plot("s.csv", kind="scatter", group="g"),
            ViewedDirectory("many/", parts=(PartView("", PLOT, PlotOptions()),)),
            ViewedDirectory("more", parts=(PartView("", PLOT, PlotOptions(x="a")),)),
        ]
    )
    assert stage({"always_changed": True, "meta": {"a": 1}}).options == {"always": True, "meta": {"a": 1}}


def test_lists_beside_the_stages_make_outs_metrics_and_plots() -> None:
    facts = {
        "wdir": "sub",
        "outs": {"m": "m.json", "n": "../n.json", "p": {"path": "p.csv", "cache": False}, "q": "q.csv"},
    }
    stages = {"s": {"cmd": "x", **facts}, "f": {"python": "a:b"}}
    plots: list[Any] = [
        {"top/${in}/p.csv": {"x": "step", "template": "linear"}},
        {"Loss": {"x": {"top/sub/q.csv": "step"}, "y": {"top/sub/q.csv": ["a", "b"]}, "y_label": "L"}},
    ]
    top = {
        "pipeline": "p",
        "root": "top",
        "vars": {"in": "sub"},
        "stages": stages,
        "metrics": ["./top/${in}/m.json", "top/n.json"],
    }
    for each in (plots, {**plots[0], **plots[1]}):
        found = read_declarations(Text({**top, "plots": each})).stages[0].outs

        assert shown(found.values()) == shown(
            [
                Metric("m.json", cache=True),
                Metric("../n.json", cache=True),
                Plot("p.csv", cache=False, kind="line", x="step"),
                Plot("q.csv", x="step", y=["a", "b"], title="Loss", y_label="L"),
            ]
        )
    again = read_declarations(Text({**top, "plots": ["top/sub/p.csv"]})).stages[0].outs
    assert repr(again["p"]) == repr(Plot("p.csv", cache=False))


@pytest.mark.parametrize(
    ("facts", "told", "hint"),
    [
        ({"outs": [{"a": {"cach": 1}}]}, "pivot.yaml:6: the key 'cach' is not known in 'a' of 'outs'", "mean cache"),
        ({"outs": [{"a": None, "b": None}]}, "pivot.yaml:4: item 1 of 'outs' has no 'path'", "its only key"),
        ({"outs": [{}]}, "pivot.yaml:4: item 1 of 'outs' has no 'path'", "its only key"),
        ({"outs": [{"a": {"remote": "r"}}]}, "pivot.yaml:6: an out cannot have 'remote' here", "pivot push -r"),
        ({"outs": [{"a": {"push": False}}]}, "pivot.yaml:6: an out cannot have 'push' here", "pivot push -r"),
        ({"outs": ["a"], "plots": ["a"]}, "pivot.yaml:4: 'a' of 'plots' is an out of the stage already", "remove one"),
        ({"metrics": ["m/"]}, "pivot.yaml:4: an out cannot be both a metric and a directory", "remove"),
        ({"plots": [{"p/": {"kind": "pie"}}]}, "pivot.yaml:5: Plot('plots', kind='pie'): there is no", "one of line"),
        ({"plots": [{"p": {"header": False}}]}, "pivot.yaml:6: a plot needs the names of its columns", "first line"),
        ({"plots": [{"p": {"template": "simpel"}}]}, "pivot.yaml:6: there is no template 'simpel' here", "mean simple"),
        ({"plots": [{"p": {"template": "zzz"}}]}, "pivot.yaml:6: there is no template 'zzz' here", "linear, simple"),
        ({"plots": [{"p": {"template": "simple", "kind": "bar"}}]}, "'kind' and 'template' mean the same", "remove"),
        ({"always_changed": True, "always": True}, "'always_changed' and 'always' mean the same", "remove one"),
        ({"meta": [1]}, "pivot.yaml:3: 'meta' of 's' must be a mapping", None),
    ],
)
def test_errors_name_their_line(facts: dict[str, Any], told: str, hint: str | None) -> None:
    with pytest.raises(DeclarationError) as caught:
        stage(facts)
    assert told in str(caught.value)
    assert (hint or "") in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("top", "told"),
    [
        ({"metrics": ["x.json"]}, "pivot.yaml:2: 'x.json' is no out of a command or notebook"),
        ({"plots": ["x.csv"]}, "pivot.yaml:3: 'x.csv' is no out of a command or notebook"),
        ({"plots": {"L": {"y": {"a.csv": "b", "c.csv": "d"}}}}, "pivot.yaml:2: the plot 'L' has columns of several"),
        ({"plots": ["a.csv", {"L": {"y": {"a.csv": "b"}}}]}, "pivot.yaml:3: 'a.csv' is a metric or another plot"),
        ({"metrics": ["d"]}, "pivot.yaml:2: Metric('d/'): a metric is a file"),
        (
            {"plots": ["a.csv/b.csv"]},
            "pivot.yaml:3: 'a.csv/b.csv' is no out of a command or notebook of this file, nor",
        ),
        ({"metrics": ["d/m.json"], "plots": ["./d/m.json"]}, "pivot.yaml:3: './d/m.json' is a metric or another"),
        ({"plots": ["d", {"d/x": {"kind": "pie"}}]}, "pivot.yaml:3: Plot('x', kind='pie'): there is no such kind"),
        ({"plots": ["e"]}, "pivot.yaml:3: 'e/' is a plot already"),
        ({"metrics": ["p.csv"]}, "pivot.yaml:2: 'p.csv' is a plot already"),
        ({"metrics": ["d/m.json", "./d/m.json"]}, "pivot.yaml:2: 'd/m.json' is a metric already"),
        ({"artifacts": {}}, "pivot.yaml:1: the key 'artifacts' is not known"),
    ],
)
def test_lists_beside_the_stages_name_outs(top: dict[str, Any], told: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        stage({"outs": ["a.csv", {"d": {"directory": True}}, {"path": ["p", "q"]}], "plots": ["p.csv", "e/"]}, **top)
    assert told in str(caught.value)


@pytest.mark.parametrize("path", ["d", "d/"])
def test_a_directory_among_the_metrics_is_no_file_whose_name_is_wrong(path: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        stage({"outs": ["d/"]}, metrics=[path])
    assert caught.value.hint == "name the files in it that have metrics"


def test_lists_beside_the_stages_name_files_in_directories() -> None:
    facts = {"wdir": "sub", "outs": [{"d/": {"desc": "D", "cache": False}}], "plots": ["e/"]}
    (found,) = read_declarations(
        Text(
            {
                "pipeline": "p",
                "stages": {"s": {"cmd": "x", **facts}},
                "metrics": ["sub/d/m.json"],
                "plots": ["sub/d", {"sub/d/a": {"x": "step"}}, {"L": {"y": {"sub/d/b.csv": "v"}}}, "sub/e/c.csv"],
            }
        )
    ).stages
    parts = (
        PartView("m.json", METRIC),
        PartView("", PLOT, PlotOptions()),
        PartView("a", PLOT, PlotOptions(x="step")),
        PartView("b.csv", PLOT, PlotOptions(y=("v",), title="L")),
    )
    more = (PartView("", PLOT, PlotOptions()), PartView("c.csv", PLOT, PlotOptions()))
    assert shown(found.outs.values()) == shown(
        [ViewedDirectory("d/", cache=False, desc="D", parts=parts), ViewedDirectory("e/", parts=more)]
    )
    pipeline = Pipeline("p")
    pipeline.register(command("x", outs=list(found.outs.values())), name="s")
    (spec,) = pipeline.specs(base="", root="/p")
    assert [out.inside for out in spec.outs] == [parts, more]
    assert spec.outs[0] == OutSpec(spec.outs[0].path, cache=False, directory=True)


@pytest.mark.parametrize("key", ["metrics", "plots"])
def test_functions_declare_their_metrics_and_plots_themselves(key: str) -> None:
    with pytest.raises(DeclarationError, match="without a function"):
        read_declarations(Text({"pipeline": "p", "stages": {"s": {"python": "a:b", key: ["x"]}}}))


def test_data_for_the_reader_is_plain_and_counts_as_nothing() -> None:
    pipeline = Pipeline("p")
    out = Out("a", desc="The weights", meta={"tags": ("x",)})
    pipeline.register(command("x", outs=[out]), name="s", meta={"owner": {"ada"}})

    (spec,) = pipeline.specs(base="", root="/p")

    assert (spec.meta, spec.outs[0].desc) == ({"owner": {"$set": ["ada"]}}, "The weights")
    assert spec.outs[0].meta == {"tags": {"$tuple": ["x"]}}
    assert spec.outs[0] == OutSpec(spec.outs[0].path)
    assert out == Out("a")
    assert hash(out) == hash(Out("a"))


@pytest.mark.parametrize("meta", [3, {3: 4}, {"a": object()}])
def test_other_data_for_the_reader_are_refused(meta: Any) -> None:
    with pytest.raises(DefinitionError, match="the meta of an out"):
        Out("a", meta=meta)
    with pytest.raises(StageError, match=r"pipeline|test_.*: stage 's': meta"):
        Pipeline("p").register(command("x"), name="s", meta=meta)
