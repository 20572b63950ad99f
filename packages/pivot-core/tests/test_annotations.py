"""Declarations for a file, and which of them are refused."""

import pathlib
from typing import Annotated, Any, TypedDict

import attrs
import pytest

from pivot_core.errors import DefinitionError
from pivot_core.loaders import JSON, Text
from pivot_core.pipeline import Pipeline
from pivot_core.spec import OutSpec, PartView, PlotOptions
from pivot_core.stages.annotations import Dep, DirectoryOut, IncrementalOut, Metric, Out, PlaceholderDep, Plot

ANY: Any = Text  # the class, where an instance belongs
NUMBER: Any = 1
BYTES: Any = b"a"


@pytest.mark.parametrize(
    ("declared", "paths", "value"),
    [
        (Dep("a"), ("a",), 1),
        (Dep(pathlib.Path("a/b")), ("a/b",), 1),
        (Dep(["a", pathlib.Path("b")]), ("a", "b"), [1, 2]),
        (Dep(("a", "b")), ("a", "b"), (1, 2)),
        (Out(["a"], Text()), ("a",), [1]),
        (DirectoryOut("a"), ("a",), 1),
    ],
)
def test_one_path_or_several(declared: Dep | Out, paths: tuple[str, ...], value: object) -> None:
    assert declared.paths == paths
    assert declared.like([1, 2][: len(paths)]) == value
    assert type(declared.like([1, 2][: len(paths)])) is type(value)


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        (lambda: Dep([]), "Dep names no path"),
        (lambda: Out(()), "Out names no path"),
        (lambda: Out(["a", "b", "a"]), "Out names 'a' twice"),
        (lambda: Dep(["a", NUMBER]), "a path must be a string or a Path, not int"),
        (lambda: DirectoryOut(BYTES), "not bytes"),
        (lambda: Metric("m.json", ANY), r"the loader of Metric\('m.json'\) has no method save"),
        (lambda: Dep("s3://bucket/x.csv"), "this is a URL, not the path of a file in the project"),
        (lambda: Out("https://example.org/x", Text()), "this is a URL"),
        (lambda: Out("a", Text(), check=ANY), "the check of Out.* is no function: class Text"),
        (lambda: Metric("m", temp=True), r"temp=True, cache=False\): it is restored from the cache"),
        (lambda: Out("a", persist=True, temp=True), r"temp=True, persist=True\): its next run starts from it"),
        (lambda: Metric("m/"), "a metric is a file"),
        (lambda: Out(["a/", "b"], Text()), "names both files and directories: a/, b"),
        (lambda: Dep("a", Text(), lazy=True), "no mapping of files"),
        (lambda: Dep("a/", lazy=True), "no mapping of files"),
    ],
)
def test_what_is_refused(declare: Any, told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        declare()


@pytest.mark.parametrize(
    ("url", "way"),
    [
        ("s3://b/x", "'pivot import-url s3://b/x'"),
        ("HTTP://e.org", "'pivot import-url HTTP://e.org'"),
        ("gs://b/x", "'pivot track'"),
    ],
)
def test_the_way_of_data_from_a_url(url: str, way: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        Dep(url)
    assert way in str(raised.value.hint)
    assert ("import-url" in str(raised.value.hint)) is not url.startswith("gs:")


def test_a_slash_at_its_end_makes_a_directory() -> None:
    assert Out("a/").directory
    assert Out(["a/", "b/"], Text()).directory
    assert DirectoryOut(["a/", "b"]).directory
    assert IncrementalOut("a/", Text()).directory
    assert not Out("a/b", Text()).directory
    assert Dep(["a/", "b/"], Text(), lazy=True).loads_files("a/")
    assert not Dep("a/").loads_files("a/")
    assert PlaceholderDep(Text(), lazy=True).lazy


class Outs(TypedDict):
    plain: Annotated[str, Out("a", Text())]
    git: Annotated[str, Out("b", Text(), cache=False)]
    metric: Annotated[dict[str, float], Metric("c.json")]
    directory: Annotated[None, DirectoryOut("d")]
    log: Annotated[str, IncrementalOut("e", Text())]
    several: Annotated[list[str], Out(["g", "f"], Text())]
    plot: Annotated[str, Plot("h.csv", Text(), x="step", y="loss")]


def stage() -> Outs:
    raise NotImplementedError


def test_the_kinds_of_outs_as_plain_data() -> None:
    pipeline = Pipeline("p")
    pipeline.register(stage)
    (spec,) = pipeline.specs(base="sub", root="/project")

    assert [(out.path.removeprefix("sub/"), out.facts()) for out in spec.outs] == [
        ("a", {"cache": True}),
        ("b", {"cache": False}),
        ("c.json", {"cache": False}),
        ("d", {"cache": True, "directory": True}),
        ("e", {"cache": True, "incremental": True}),
        ("f", {"cache": True}),
        ("g", {"cache": True}),
        ("h.csv", {"cache": True}),
    ]
    assert [(out.kind, out.plot) for out in spec.outs if out.plot] == [("plot", PlotOptions(x="step", y=("loss",)))]
    assert attrs.evolve(spec.outs[-1], kind="", plot=None) == spec.outs[-1]
    assert [out.path.removeprefix("sub/") for out in spec.outs if out.kind == "metric"] == ["c.json"]
    assert spec.outs[0] == OutSpec(spec.outs[0].path)
    assert isinstance(Metric("m").loader, JSON)


@pytest.mark.parametrize(
    ("options", "problem", "hint"),
    [
        ({"kind": "lines"}, "Plot('a', kind='lines'): there is no such kind", "did you mean line?"),
        ({"kind": "?"}, "Plot('a', kind='?'): there is no such kind", "it is one of line, scatter, bar, confusion"),
        ({"x": 1}, "Plot('a'): x must be a text, not 1", None),
        ({"y": ["b", 2]}, "Plot('a'): y must be a text, not ('b', 2)", None),
    ],
)
def test_options_that_no_plot_has(options: Any, problem: str, hint: str | None) -> None:
    with pytest.raises(DefinitionError) as caught:
        Plot("a", **options)
    assert (str(caught.value), caught.value.hint) == (problem, hint)


@pytest.mark.parametrize("kind", [Metric, Plot])
def test_a_metric_or_plot_is_no_directory(kind: type[Metric | Plot]) -> None:
    with pytest.raises(DefinitionError, match="is a file") as caught:
        kind("a/")
    assert caught.value.hint == "remove the / at its end"


def test_the_options_of_a_plot_as_plain_data() -> None:
    options = Plot("a", y=["b", "c"], kind="bar", title="T", group="g").options

    assert options.to_plain() == {"kind": "bar", "y": ["b", "c"], "group": "g", "title": "T"}
    assert PlotOptions.from_plain(options.to_plain()) == options
    assert PlotOptions.from_plain({}) == Plot("a").options == PlotOptions()
    assert Out("a").options is None
    for view in (PartView("", "plot", options), PartView("m.json", "metric")):
        assert PartView.from_plain(view.to_plain()) == view


def test_what_persists_is_incremental() -> None:
    def go_on(
        before: Annotated[str | None, Out("log", Text(), persist=True)],
    ) -> Annotated[str, Out("log", Text(), persist=True)]:
        raise NotImplementedError

    pipeline = Pipeline("p")
    pipeline.register(go_on)
    (spec,) = pipeline.specs(base="", root="/project")
    assert [out.facts() for out in spec.outs] == [{"cache": True, "incremental": True}]
    assert pipeline.stages["go_on"].previous["before"].path == "log"
