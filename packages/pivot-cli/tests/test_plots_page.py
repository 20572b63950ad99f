"""Plots as Vega-Lite specifications, as a page and as JSON: pure."""

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pivot_cli.pages import charts, plots
from pivot_core.spec import PlotOptions
from pivot_runtime.comparing.plots import PlotComparison, PlotSide, PlotSubject
from pivot_runtime.comparing.series import Axes

OLD = PlotSide("HEAD", ({"step": 1, "loss": 0.5, "acc": 0.1}, {"step": 2, "loss": math.nan, "acc": None}))
NEW = PlotSide("workspace", ({"step": 1, "loss": 0.25, "acc": 0.2},), edited=True)
LINE = Axes("line", "step", ("loss",))


def subject(name: str, sides: tuple[PlotSide, ...], **rest: Any) -> PlotSubject:
    values = {"options": PlotOptions(), "media": "", "axes": LINE, **rest}
    return PlotSubject(name, "train", sides=sides, path=name, **values)


def test_a_line_for_each_revision() -> None:
    spec = charts.chart("loss.csv", PlotOptions(title="Loss", y_label="log loss"), LINE, (OLD, NEW))

    assert spec["data"]["values"] == [
        {"x": 1, "y": 0.5, "series": "", "revision": "HEAD"},
        {"x": 1, "y": 0.25, "series": "", "revision": "workspace"},
    ]  # without what is no number
    assert (spec["title"], spec["mark"]["type"], spec["encoding"]["x"]["type"]) == ("Loss", "line", "quantitative")
    assert (spec["encoding"]["x"]["title"], spec["encoding"]["y"]["title"]) == ("step", "log loss")
    assert spec["encoding"]["color"]["field"] == "revision"
    assert "strokeDash" not in spec["encoding"]


def test_several_columns_and_several_revisions() -> None:
    both = Axes("line", "", ("loss", "acc"))
    assert charts.chart("a", PlotOptions(), both, (NEW,))["encoding"]["color"]["field"] == "series"
    spec = charts.chart("a", PlotOptions(), both, (OLD, NEW))
    assert (spec["encoding"]["color"]["field"], spec["encoding"]["strokeDash"]["field"]) == ("revision", "series")
    assert spec["encoding"]["x"]["title"] == "row"
    points = charts.chart("a", PlotOptions(), Axes("scatter", "step", ("loss", "acc")), (OLD, NEW))
    assert points["encoding"]["shape"]["field"] == "series"
    bars = charts.chart("a", PlotOptions(), Axes("bar", "step", ("loss", "acc")), (OLD, NEW))
    assert bars["encoding"]["xOffset"]["field"] == "series"
    names = ["loss, HEAD", "acc, HEAD", "loss, workspace", "acc, workspace"]
    assert [value["series"] for value in bars["data"]["values"]] == names
    grouped = charts.chart("a", PlotOptions(), Axes("line", "step", ("loss", "acc"), "step"), (NEW,))
    assert [value["series"] for value in grouped["data"]["values"]] == ["loss, 1", "acc, 1"]


def test_times_and_names_on_the_horizontal_axis() -> None:
    def kind(*values: str) -> str:
        rows = tuple({"x": value, "y": 1} for value in values)
        encoding = charts.chart("a", PlotOptions(), Axes("line", "x", ("y",)), (PlotSide("r", rows),))["encoding"]
        return str(encoding["x"]["type"])

    assert kind("2026-01-02", "2026-01-03T10:00:00Z") == "temporal"
    assert kind("2026-01-02", "later") == "nominal"
    assert kind("2026-01-32") == "nominal"


def test_whole_numbers_have_no_ticks_between_them() -> None:
    def axis(*values: float) -> object:
        rows = tuple({"x": value, "y": 1} for value in values)
        return charts.chart("a", PlotOptions(), Axes("line", "x", ("y",)), (PlotSide("r", rows),))["encoding"]["x"].get(
            "axis"
        )

    assert axis(1, 2, 10) == {"tickMinStep": 1}
    assert axis(0.1, 1) is None


def test_a_confusion_matrix_counts_pairs() -> None:
    rows = tuple({"p": p, "a": a} for p, a in [("x", "x"), ("x", "x"), ("y", "x"), (True, "y")])
    axes = Axes("confusion", "p", ("a",))
    spec = charts.chart("m.json", PlotOptions(), axes, (PlotSide("r", rows),))

    found = {(value["x"], value["y"]): (value["count"], value["share"]) for value in spec["data"]["values"]}
    assert found == {("x", "x"): (2, 1.0), ("y", "x"): (1, 0.5), ("true", "y"): (1, 0.5)}
    assert [layer["mark"]["type"] for layer in spec["layer"]] == ["rect", "text"]
    two = charts.chart("m.json", PlotOptions(), axes, (PlotSide("r", rows), PlotSide("s", ())))
    assert two["facet"]["column"]["field"] == "revision"


@given(st.integers(0, 30_000))
def test_of_many_rows_evenly_distributed_ones_are_drawn(count: int) -> None:
    side = PlotSide("r", tuple({"y": number} for number in range(count)))
    axes = Axes("line", "", ("y",))
    drawn = [value["y"] for value in charts.chart("a", PlotOptions(), axes, (side,))["data"]["values"]]

    assert len(drawn) == min(count, 5000)
    assert drawn == sorted(set(drawn))
    assert drawn[:1] == [0][:count]
    assert drawn[-1:] == [count - 1][:count]
    assert bool(charts.notes(axes, (side,))) == (count > 5000)


def test_the_page_has_a_chart_or_the_images_of_each_plot() -> None:
    image = subject(
        "a<b>.png", (PlotSide("HEAD", image=b"1"), PlotSide("v1", image=b"2")), media="image/png", axes=None
    )
    failed = subject("bad.csv", (), axes=None, problems=(("workspace: <no>", None),))
    same = subject("same.csv", (OLD, PlotSide("v1", OLD.rows)))
    empty = subject("empty.csv", (PlotSide("HEAD", ()),), axes=Axes("line", "", ()))
    found = PlotComparison(("HEAD", "v1"), (subject("loss.csv", (OLD, NEW)), image, failed, same, empty))
    text = plots.plots_page(found, "t")

    body = text[text.index("<body>") : text.index("<script")]
    assert body.count('<div class="chart"') == 2
    assert body.count('<img alt="a&lt;b&gt;.png at') == 2
    assert 'src="data:image/png;base64,MQ=="' in body
    assert "workspace: &lt;no&gt;" in body
    assert body.count("equal in all revisions") == 1
    assert "It has no rows." in body
    assert "vegaEmbed" in text
    assert "Jeffrey Heer" not in body


def test_a_page_without_plots_has_no_library() -> None:
    text = plots.plots_page(PlotComparison(("workspace",), ()), "t")
    assert "No plots are recorded" in text
    assert len(text) < 20_000


def test_the_documented_json() -> None:
    image = subject("a.png", (PlotSide("HEAD", image=b"1"),), media="image/png", axes=None)
    found = json.loads(json.dumps(plots.plots_json(PlotComparison(("HEAD",), (subject("l.csv", (OLD,)), image)))))

    assert found["revisions"] == ["HEAD"]
    line, picture = found["plots"]
    assert (line["path"], line["stage"], line["images"], line["problems"]) == ("l.csv", "train", None, [])
    assert line["spec"]["$schema"].endswith("/vega-lite/v6.json")
    assert (picture["spec"], picture["images"]) == (None, {"HEAD": "data:image/png;base64,MQ=="})


def test_notes_say_what_the_page_does_not_show() -> None:
    found = PlotComparison(("HEAD", "workspace"), (subject("l.csv", (OLD, NEW), stale=True),), empty=("HEAD",))
    assert [note for note, _ in plots.plot_notes(found)] == [
        "no run is recorded at HEAD: there are no lock files",
        "l.csv is not what the last run wrote: it was edited since",
        "train is stale: its plots are those of the last run",
    ]
    assert [note for note, _ in plots.plot_notes(PlotComparison(("HEAD",), ()))] == [
        "no plots are recorded: stages write them to pivot.Plot(...) outs"
    ]
