"""The page of ``pivot ui`` for people who hear it, use keys alone, or need contrast."""

import importlib.util
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from browser import Page, browser
from command_forks import DEADLINE
from harness import Project
from ui_browser import opened, served

STUDY = """
from typing import Annotated, Any, TypedDict

import pivot
from pivot.loaders import JSON, Text

pipeline = pivot.Pipeline("p")


class TrainParams(pivot.StageParams):
    rate: float = 0.1
    steps: int = 3


class Outs(TypedDict):
    scores: Annotated[dict[str, float], pivot.Metric("scores.json")]
    curve: Annotated[list[Any], pivot.Plot("curve.json", JSON(), x="step", y="loss")]


def loss(rate: float, step: int) -> float:
    return rate / (step + 1)


@pipeline.register
def train(params: TrainParams, words: Annotated[str, pivot.Dep("words.csv", Text())]) -> Outs:
    \"\"\"Learn slowly.

    The words are not read.
    \"\"\"
    print("learning", params.rate)
    curve = [{"step": step, "loss": loss(params.rate, step)} for step in range(params.steps)]
    return {"scores": {"accuracy": 1 - params.rate, "loss": params.rate}, "curve": curve}


@pipeline.register
def report(
    scores: Annotated[dict[str, float], pivot.Dep("scores.json", JSON())],
) -> Annotated[str, pivot.Out("report.txt", Text())]:
    return str(scores)
"""

WAITS = """\
pipeline: p
stages:
  wait: {cmd: "until [ -e gate ]; do sleep 0.05; done; cp in.txt out.txt", deps: [in.txt], outs: [out.txt]}
"""

VIEWS = {
    "graph": ("#/graph", ".node-stage"),
    "keys": ("#/graph", "[role=dialog] kbd"),
    "why": ("#/stage/p.train/why", ".diff"),
    "why below a stale stage": ("#/stage/p.report/why", ".stage .verdict"),
    "files": ("#/stage/p.train/files", ".file-preview .chart svg"),
    "log": ("#/stage/p.train/log", ".log-line"),
    "history": ("#/stage/p.train/history", ".run-chart"),
    "code": ("#/stage/p.train/code", ".source-line"),
    "fingerprint": ("#/stage/p.train/fingerprint", ".facts"),
    "table": ("#/artifact?path=words.csv", ".table-preview"),
    "document": ("#/artifact?path=scores.json", "[role=treeitem]"),
    "text": ("#/artifact?path=report.txt", ".text-preview"),
    "runs": ("#/runs", ".runs tbody tr"),
    "run": ("#/runs/1", ".run-stages tbody tr"),
    "compare": ("#/compare", ".plot-card .chart svg"),
    "results": ("#/results", ".results tbody tr"),
    "plots": ("#/plots", ".plot-card .chart svg"),
    "no such stage": ("#/stage/p.gone", ".stage .problem"),
    "no such artifact": ("#/artifact?path=gone.txt", ".artifact .problem"),
    "no such run": ("#/runs/99", "main .problem"),
    "no such view": ("#/gone", "main .empty"),
}
"""The place of each view, and what is there once it is drawn."""

EXCEPTIONS = {
    ("target-size", "bar"): "the table below the timeline has a link to the same log, for each bar",
}
"""Findings that are no barrier: the rule, a class of the element, and the reason."""

FINDINGS = """async () => {
  // What axe-core finds against WCAG 2.2, levels A and AA: the rule, the classes of the element, and what is wrong.
  const surface = document.querySelector(".surface");
  if (surface) surface.style.overflow = "hidden"; // axe-core does not know `clip`, and sees the canvas over everything
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const panel = document.querySelector(".split > :last-child"); // the graph beside it has been looked at
  const {violations} = await axe.run(panel ?? document, {runOnly: tags, resultTypes: ["violations"]});
  return violations.flatMap(rule => rule.nodes.map(node => {
    const classes = [...document.querySelector(node.target.at(-1))?.classList ?? []];
    return [rule.id, classes, `${rule.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`];
  }));
}"""


FOCUS = """() => {
  // The element with the focus, whether one sees that it has, and whether it is the last one of the page.
  const element = document.activeElement, style = getComputedStyle(element);
  const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  return [element === document.body, seen || element === document.body, element.outerHTML.slice(0, 150)];
}"""

WIDER = """() => [...document.querySelectorAll("body, header, main, .split > article")].filter(
  each => each.checkVisibility() && each.scrollWidth > each.clientWidth + 1).map(each => each.tagName)"""


def axe() -> str:
    """The script of axe-core, from the wheel that brings it."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or not found.submodule_search_locations:
        pytest.skip("axe-playwright-python is not installed")
    return pathlib.Path(found.submodule_search_locations[0], "axe.min.js").read_text()


def barriers(page: Page) -> list[str]:
    """The findings in the view that is shown, but for the exceptions."""
    return [
        said
        for rule, classes, said in page.evaluate(FINDINGS)
        if not any((rule, name) in EXCEPTIONS for name in classes)
    ]


def git(root: pathlib.Path, *arguments: str) -> None:
    words = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main", *arguments]
    subprocess.run(words, cwd=root, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def link(initialized: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a project with a commit, three results, and an edit after its last run."""
    project = Project(tmp_path_factory.mktemp("access"))
    shutil.copytree(initialized, project.root, dirs_exist_ok=True)
    project.write("pipeline.py", STUDY)
    project.write("words.csv", "id,word\n1,one\n2,two\n")
    project.pivot("repro")
    git(project.root, "init", "-q")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "Learn slowly")
    project.pivot("repro", "-p", "train.rate=0.2,0.3", "--compare")
    project.replace("pipeline.py", "rate / (step + 1)", "rate / (step + 2)")
    with served(project, "--allow-run") as found:
        yield found
        browser().ask("goto", "about:blank")  # the server ends sooner if nobody listens


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_barrier_in_any_view(link: str, dark: bool) -> None:
    page = browser().visit(link, "#/graph", dark=dark)
    page.evaluate(axe())
    found: dict[str, list[str]] = {}
    for name, (place, drawn) in VIEWS.items():
        page.go(place)
        if name == "keys":
            page.wait(".surface")
            page.press("?")
        page.wait(drawn)
        found[name] = barriers(page)
        page.press("Escape")
    assert {name: said for name, said in found.items() if said} == {}
    assert {said for said in page.problems() if "404 (Not Found)" not in said} == set()


def test_a_project_without_stages_shows_first_steps_that_work(make: Callable[[str], Project]) -> None:
    project = make("")
    project.root.joinpath("pipeline.py").unlink()
    with opened(project) as page:
        page.wait(".first-steps")
        page.evaluate(axe())
        assert barriers(page) == []
        assert page.evaluate("document.querySelector('.problem')") is None
        project.write("words.txt", "three small words")
        project.write("pipeline.py", page.evaluate("document.querySelector('.first-steps pre').textContent"))
        page.wait(".node-stage.tone-stale")
    project.pivot("repro")
    assert project.root.joinpath("loud.txt").read_text() == "THREE SMALL WORDS"


def test_each_key_means_one_thing_where_the_focus_is(link: str) -> None:
    page = browser().visit(link, "#/graph")
    page.wait(".node-stage")
    page.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.click(".node[data-id='s:p.train'] button")
    page.wait(".stage .diff")
    page.press("?")
    page.wait("dialog[open]")
    page.press("r")  # a view, but for the window above it
    page.press("Escape")
    page.wait("dialog", "detached")
    assert page.evaluate("location.hash") == "#/stage/p.train"
    page.press("Alt+r")
    page.press("/")
    page.type("r")
    assert page.evaluate("[location.hash, document.activeElement.value]") == ["#/stage/p.train", "r"]
    page.press("Escape")
    page.evaluate("document.querySelector('.close').focus()")
    page.press("Escape")
    page.wait(".surface:focus")
    assert page.evaluate("location.hash") == "#/graph"
    page.press("Enter")
    page.wait(".stage .panel-title")
    page.press("Enter")
    page.wait(".panel-title h2:focus")
    page.press("r")
    page.wait("td a[href='#/runs/1']")
    assert page.evaluate("document.title").startswith("Runs · ")
    page.evaluate("document.querySelector(\"td a[href='#/runs/1']\").focus()")
    page.press("Enter")
    page.wait("#main:focus .run-head")


@pytest.mark.parametrize("name", ["graph", "why", "table", "runs", "run", "compare", "results", "plots"])
def test_tab_leads_through_each_view_and_out_of_it_and_is_seen(link: str, name: str) -> None:
    place, drawn = VIEWS[name]
    page = browser().visit(link, place)
    page.wait(drawn)
    unseen, ended = [], False
    for _ in range(100):
        page.press("Tab")
        ended, seen, element = page.evaluate(FOCUS)
        if not seen:
            unseen.append(element)
        if ended:
            break
    assert ended, element
    assert unseen == []


def test_places_stay_in_reload_back_and_forward_and_so_does_the_width_of_the_panel(link: str) -> None:
    page = browser().visit(link, "#/runs/1")
    page.wait(".run")
    page.go("#/stage/p.train/code")
    page.wait(".source-line")
    page.evaluate("document.querySelector('[role=separator]').focus()")
    for _ in range(3):
        page.press("ArrowLeft")
    page.wait("[role=separator][aria-valuenow='56']")
    browser().ask("reload")
    page.wait(".source-line")
    page.wait(".node.current[data-id='s:p.train']")
    page.wait("[role=separator][aria-valuenow='56']")
    browser().ask("go_back")
    page.wait(".run")
    browser().ask("go_forward")
    page.wait(".source-line")
    page.evaluate("document.querySelector('[role=separator]').focus()")
    page.press("Enter")
    page.wait("[role=separator][aria-valuenow='50']")


def test_nothing_is_wider_than_a_small_window_and_counts_are_shown_once(link: str) -> None:
    page = browser().visit(link, "#/graph", width=700)
    wide = {}
    for name, (place, drawn) in VIEWS.items():
        if name != "keys":
            page.go(place)
            page.wait(drawn)
            wide[name] = page.evaluate(WIDER)
    assert {name: found for name, found in wide.items() if found} == {}
    counts = (
        "[...document.querySelectorAll('.summary .in-state, .states .chip')].filter(each => each.checkVisibility())"
    )
    for place, drawn in (VIEWS["graph"], VIEWS["why"], VIEWS["runs"]):
        page.go(place)
        page.wait(drawn)
        assert page.evaluate(f"{counts}.length") == 1  # both stages are stale


def test_a_run_is_said_and_nothing_moves_where_motion_is_not_wanted(make: Callable[[str], Project]) -> None:
    project = make("")
    project.root.joinpath("pipeline.py").unlink()
    project.write("pivot.yaml", WAITS)
    project.write("in.txt", "1")
    try:
        with opened(project) as page:
            page.wait(".node-stage.tone-stale")
            run = project.start("repro")
            try:
                page.wait(".node-stage.tone-running")
                page.wait(".announcements:has-text('has begun: pivot repro')")
                assert page.evaluate("document.getAnimations().length > 0")
                browser().ask("emulate_media", reduced_motion="reduce")
                assert page.evaluate("document.getAnimations().length") == 0
                project.write("gate", "")
                run.communicate(timeout=DEADLINE)
                page.wait(".announcements:has-text('has ended: done')")
            finally:
                run.kill()
                run.communicate()
    finally:
        browser().ask("emulate_media", reduced_motion="no-preference")
