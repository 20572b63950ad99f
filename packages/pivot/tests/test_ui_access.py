"""The page of ``pivot ui`` for people who hear it, use keys alone, or need contrast."""

import importlib.util
import pathlib
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from browser import Page, browser
from harness import Project
from ui_browser import served

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

VIEWS = {
    "graph": ("#/graph", ".node-stage"),
    "keys": ("#/graph", "[role=dialog] kbd"),
    "why": ("#/stage/p.train/why", ".diff"),
    "why cached": ("#/stage/p.report/why", ".stage .verdict"),
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
