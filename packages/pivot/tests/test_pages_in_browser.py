"""Pages in a browser: they draw everything without an error or a request, and the user can read and reach it all."""

import json
import pathlib
import random
from collections.abc import Callable

from browser import Page, browser
from harness import Project

from pivot_cli.pages.graph import NodeDetail, graph_data, graph_page
from pivot_cli.pages.plots import plots_page
from pivot_cli.pages.timeline import timeline_page
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.spec import Location, OutSpec, PlotOptions, StageSpec
from pivot_runtime.comparing.plots import PlotComparison, PlotSide, PlotSubject
from pivot_runtime.comparing.series import Axes
from pivot_runtime.history.history import PastRun, PastStage
from pivot_runtime.inspecting.overview import Overview

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="30" height="9"><path d="M0 0h9v9z" fill="red"/></svg>'
HOSTILE = "<img src=x onerror='owned=1'></script><script>owned=1</script>"

PROBLEMS = """() => {
  // The boxes that a line meets beyond those that it joins, names that leave their box, and boxes that overlap.
  const boxOf = shape => shape.getBBox(), found = [];
  const boxes = [...document.querySelectorAll("g.node")].map(node => {
    const box = boxOf(node.querySelector("rect")), text = boxOf(node.querySelector("text"));
    if (text.x < box.x || text.y < box.y || text.x + text.width > box.x + box.width ||
        text.y + text.height > box.y + box.height) found.push(`clipped: ${node.textContent}`);
    return {number: node.dataset.number, x: box.x, y: box.y, right: box.x + box.width, bottom: box.y + box.height};
  });
  for (const [index, one] of boxes.entries())
    for (const other of boxes.slice(0, index))
      if (one.x < other.right && other.x < one.right && one.y < other.bottom && other.y < one.bottom)
        found.push(`boxes overlap: ${one.number} ${other.number}`);
  for (const line of document.querySelectorAll("path.edge")) {
    const points = [], area = boxOf(line);
    for (const [, kind, text] of line.getAttribute("d").matchAll(/([MLC])([^MLC]*)/g)) {
      const numbers = text.trim().split(/[ ,]+/).map(Number), [x0, y0] = points.at(-1) ?? numbers;
      const [x3, y3] = numbers.slice(-2), [x1, y1, x2, y2] = kind === "C" ? numbers : [x0, y0, x3, y3];
      for (let t = 0; t <= 1; t += 1 / 64) {
        const s = 1 - t, mix = (a, b, c, d) => s * s * s * a + 3 * s * s * t * b + 3 * s * t * t * c + t * t * t * d;
        points.push([mix(x0, x1, x2, x3), mix(y0, y1, y2, y3)]);
      }
    }
    for (const box of boxes) {
      if (area.x > box.right || area.x + area.width < box.x) continue;
      const own = [line.dataset.start, line.dataset.end].includes(box.number), room = own ? 1 : -1;
      const inside = (at, from, to) => at > from + room && at < to - room;
      if (points.some(([x, y]) => inside(x, box.x, box.right) && inside(y, box.y, box.bottom)))
        found.push(`edge ${line.dataset.start}-${line.dataset.end} meets box ${box.number}`);
    }
  }
  return found;
}"""


SIGNS = """() => [...document.querySelectorAll("g.node")].map(
  node => [node.getAttribute("aria-label"), node.querySelector("path").getAttribute("d")])"""


def overview(stages: dict[str, tuple[list[str], list[str]]]) -> Overview:
    """Stages by name, with their deps and outs."""
    graph = Graph.build(
        StageSpec(
            name,
            "p",
            "",
            Location("pipeline.py", 1),
            tuple(map(ArtifactPath, deps)),
            tuple(OutSpec(ArtifactPath(path)) for path in outs),
        )
        for name, (deps, outs) in stages.items()
    )
    return Overview(graph, {address: each.name for address, each in graph.stages.items()})


def some_graph(seed: int, count: int) -> Overview:
    """A graph with names of many lengths and with edges that pass many layers."""
    chance = random.Random(seed)
    stages = {}
    for number in range(count):
        before = sorted({chance.randrange(number) for _ in range(chance.randint(0, 4))}) if number else []
        name = f"s{number}" + chance.choice(["", "_name", "_much_longer_name" * 4])
        stages[name] = ([f"f{each}" for each in before], [f"f{number}"])
    return overview(stages)


LADDER = overview(
    {f"s{n}": ([f"f{each}" for each in range(n)], [f"f{n}"]) for n in range(9)}  # each reads all before it
)
FAN = overview({"all": ([], ["a"]), **{f"part{n}": (["a"], [f"p{n}"]) for n in range(20)}, "end": (["a", "p7"], ["e"])})


def draw(page: Page, found: Overview, view: str) -> None:
    """Draw another graph on the open page."""
    values = json.dumps(graph_data(found, {}))
    page.evaluate(f"(() => {{ Object.assign(data, {values}); viewChoice.value = '{view}'; across = null; draw(); }})()")


def test_no_edge_meets_a_foreign_box_no_boxes_overlap_and_no_name_is_clipped(tmp_path: pathlib.Path) -> None:
    window = browser()
    file = tmp_path / "graph.html"
    file.write_text(graph_page(FAN, {}, "graphs"))
    page = window.open(file)
    for found in [FAN, LADDER, *(some_graph(seed, count) for seed, count in enumerate([6, 15, 40])), overview({})]:
        for view in ("stages", "both"):
            draw(page, found, view)
            for _ in range(2):
                assert page.evaluate(PROBLEMS) == []
                page.press("d")
    assert "No stages are registered." in page.text("#graph")
    draw(page, some_graph(9, 160), "stages")  # large ones are put into layers in another way
    assert page.evaluate(PROBLEMS) == []
    assert page.evaluate("document.querySelectorAll('g.node').length") == 160
    assert page.problems() == []


def test_the_graph_of_a_project(make: Callable[[str], Project]) -> None:
    """Through the executable: states by colour and sign, sizes and times, files on request, search and keyboard."""
    window = browser()
    project = make("import pivot\n")
    (project.root / "pipeline.py").unlink()
    stages = {
        "load": {"cmd": "cp in.txt data.txt", "deps": ["in.txt"], "outs": ["data.txt"]},
        "fit": {"cmd": "cp data.txt model.txt", "deps": ["data.txt"], "outs": ["model.txt"]},
        "late": {"cmd": "cp model.txt end.txt", "deps": ["model.txt"], "outs": ["end.txt"]},
        "kept": {"cmd": "exit 1", "frozen": True},
    }
    project.write("pivot.yaml", json.dumps({"pipeline": "p", "stages": stages}))
    project.write("in.txt", "x" * 1200)
    project.pivot("repro", "fit")
    file = project.write("dag.html", project.pivot("dag", "--format", "html").stdout)

    page = window.open(file, dark=True)
    assert page.text("#legend").split("\n") == ["2 cached", "1 stale", "1 frozen"]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 31)"
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    states = dict(page.evaluate(SIGNS))
    assert states.keys() == {"load: cached", "fit: cached", "late: stale", "kept: frozen"}
    assert states["load: cached"] == states["fit: cached"] != states["late: stale"]

    page.hover("g.node:nth-child(1)")
    facts = page.text("#tip").split("\n")
    assert facts[:3] == ["load", "state", "cached"]
    assert {"took", "wrote", "1.2 kB", "in.txt", "data.txt"} <= set(facts)
    page.press("f")
    assert page.text("#legend").split("\n") == ["3 files", "2 cached", "1 stale", "1 missing", "1 frozen"]
    page.hover("g.node:nth-child(3)")
    assert page.text("#tip").split("\n") == ["data.txt", "file", "1.2 kB"]

    page.press("/")
    page.type("txt e")
    assert page.text("#found") == "2 of 8"  # model.txt and end.txt
    page.press("Enter")
    assert page.text("#found") == "1 of 2"
    page.press("Escape")
    assert page.text("#found") == ""
    page.evaluate("document.querySelector('g.node[tabindex=\"0\"]').focus()")
    seen = [page.evaluate("document.activeElement.getAttribute('aria-label')")]
    for _ in range(2):
        page.press("ArrowRight")
        seen.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert seen == ["in.txt: artifact", "load: cached", "data.txt: artifact"]
    assert page.text("#tip").startswith("data.txt")
    assert page.problems() == []


DRAWN = "new Promise(done => { const f = () => document.body.dataset.drawn ? done() : setTimeout(f, 20); f(); })"


def test_charts_of_two_revisions(tmp_path: pathlib.Path) -> None:
    """Each kind of chart and images are drawn offline, without evaluating text as code, whatever the values."""
    window = browser()
    rows = tuple({"x": number, "y": number * 2.5, "c.d": HOSTILE if number else "[b]"} for number in range(5))
    sides = PlotSide("HEAD", rows), PlotSide(HOSTILE, rows[1:])
    kinds = [
        Axes("line", "x", ("y",)),
        Axes("scatter", "y", ("x",), "c.d"),
        Axes("bar", "c.d", ("x", "y")),
        Axes("confusion", "x", ("c.d",)),
    ]
    plots = [PlotSubject(f"{axes.kind}.csv", "train", PlotOptions(title=HOSTILE), "", axes, sides) for axes in kinds]
    images = PlotSide("HEAD", image=SVG), PlotSide("v1", image=SVG.replace(b"red", b"blue"))
    plots.append(PlotSubject("figure.svg", "train", PlotOptions(), "image/svg+xml", None, images))
    file = tmp_path / "plots.html"
    file.write_text(plots_page(PlotComparison(("HEAD", HOSTILE), tuple(plots)), HOSTILE))
    page = window.open(file, dark=True)
    page.evaluate(DRAWN)

    assert page.evaluate("[...document.querySelectorAll('.chart svg.marks')].length") == 4
    assert page.evaluate("document.querySelectorAll('#chart-0 path[aria-roledescription=\"line mark\"]').length") == 2
    assert page.evaluate("document.querySelectorAll('#chart-2 path[aria-roledescription=\"bar\"]').length") == 18
    assert HOSTILE[:20] in page.text("#chart-0")
    assert page.evaluate("[...document.images].map(image => image.naturalWidth)") == [30, 30]
    assert page.evaluate("typeof owned") == "undefined"
    page.click("#theme")
    assert page.problems() == []


def test_a_report(ran: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The graph and the timeline are drawn in it, and follow its theme."""
    window = browser()
    file = tmp_path / "report.html"
    file.write_text(Project(ran).pivot("report", "-o", "-").stdout)
    for width, dark in (400, True), (1400, False):
        page = window.open(file, width=width, dark=dark)
        inside = (
            "[...document.querySelectorAll('iframe')].map(frame => frame.contentDocument.querySelectorAll('{}').length)"
        )
        assert page.evaluate(inside.format("g.node")) == [2, 0]
        graph, timeline = page.evaluate(inside.format(".bar"))
        assert graph == 0
        assert timeline >= 4
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.click("#theme")
        schemes = (
            "[...document.querySelectorAll('iframe')].map(f => f.contentDocument.documentElement.style.colorScheme)"
        )
        assert page.evaluate(schemes) == (["light"] if dark else ["dark"]) * 2
        assert page.problems() == []


ROWS = """() => {
  // What overlaps in the rows of a timeline: a bar and its name belong together.
  const found = [];
  for (const rows of document.querySelectorAll(".rows")) {
    const pairs = [...rows.querySelectorAll(".bar")].map(bar => {
      const [one, two] = [bar, bar.nextElementSibling].map(each => each.getBoundingClientRect());
      return {name: bar.nextElementSibling.textContent, top: one.top, from: Math.min(one.left, two.left),
              to: Math.max(one.right, two.right)};
    });
    for (const [index, one] of pairs.entries()) {
      if (one.from < inner.getBoundingClientRect().left || one.to > inner.getBoundingClientRect().right)
        found.push(`clipped: ${one.name}`);
      for (const other of pairs.slice(0, index))
        if (one.top === other.top && one.from < other.to && other.from < one.to)
          found.push(`${one.name} ${other.name}`);
    }
  }
  return found;
}"""


def test_the_timeline_of_a_run(ran: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Names are beside short bars and overlap nothing, loading is shown, and the user can zoom."""
    window = browser()
    file = tmp_path / "timeline.html"
    file.write_text(Project(ran).pivot("show", "--format", "html").stdout)
    for width, dark in (400, True), (1400, False):
        page = window.open(file, width=width, dark=dark)
        names = "[...document.querySelectorAll('.name')].map(name => name.textContent)"
        assert {"loading", "importing pipeline.py", "preprocess", "summarize"} <= set(page.evaluate(names))
        assert "2 ran" in page.text("#legend").split("\n")
        assert page.evaluate(ROWS) == []
        for _ in range(4):
            page.press("+")
            assert page.evaluate(ROWS) == []
        assert page.evaluate("inner.clientWidth > 4 * chart.clientWidth")
        page.press("0")
        assert page.evaluate("inner.clientWidth === chart.clientWidth")
        page.click(".bar[aria-label='importing pipeline.py: importing']")
        assert page.evaluate("zoom > 1")
        for _ in range(2):
            page.press("ArrowLeft")
        assert page.text("#tip").startswith("loading")
        assert page.problems() == []


def test_a_long_name_is_cut_and_does_not_cover_its_bar(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "timeline.html"
    stages = (PastStage("p.a", f"a ({'x' * 200})", "ran", 4.0, 0.1), PastStage("p.b", "b" * 60, "ran", 8.0, 0.1))
    file.write_text(timeline_page(PastRun(1, 0.0, "pivot repro", "done", 10.0, stages)))
    page = browser().open(file, width=400)
    assert page.evaluate(ROWS) == []
    over = """[...document.querySelectorAll(".bar")].filter(bar => {
      const [one, two] = [bar, bar.nextElementSibling].map(each => each.getBoundingClientRect());
      return one.left < two.right && two.left < one.right;
    }).length"""
    assert page.evaluate(over) == 0


def test_names_are_never_markup(tmp_path: pathlib.Path) -> None:
    window = browser()
    file = tmp_path / "graph.html"
    path = HOSTILE.replace("/", "|")
    facts = (("state", HOSTILE),)
    found = overview({HOSTILE: ([], [path])})
    file.write_text(graph_page(found, {"p." + HOSTILE: NodeDetail("stale", facts)}, HOSTILE, start="both"))
    page = window.open(file)
    page.hover("g.node:nth-child(1)")
    assert HOSTILE in page.text("#tip")
    assert page.evaluate("[typeof owned, document.images.length, document.title]") == ["undefined", 0, HOSTILE]
    page.evaluate("document.body.insertAdjacentHTML('beforeend', `<img src=x onerror='owned=1'>`)")
    assert page.evaluate("typeof owned") == "undefined"  # not even if a name were markup
    assert len(page.problems()) >= 1
