"""Runs, comparisons, results and plots in the page of ``pivot ui``: people see what works now, and what came out."""

import pathlib
import shutil
import subprocess
from collections.abc import Callable

import pytest
from browser import Page, browser
from command_forks import DEADLINE
from harness import Project
from ui_browser import opened

HOSTILE = "<img src=x onerror='owned=1'>"

STUDY = f"""
from typing import Annotated, Any, TypedDict

import pivot
from pivot.loaders import JSON

pipeline = pivot.Pipeline("p")
HOSTILE = {HOSTILE!r}


class TrainParams(pivot.StageParams):
    rate: float = 0.1
    same: str = HOSTILE


class Outs(TypedDict):
    scores: Annotated[dict[str, float], pivot.Metric("scores.json")]
    curve: Annotated[list[Any], pivot.Plot("curve.json", JSON(), x="step", y="loss")]


@pipeline.register
def train(params: TrainParams) -> Outs:
    curve = [{{"step": step, "loss": params.rate / (step + 1)}} for step in range(5)]
    return {{"scores": {{"accuracy": 1 - params.rate, HOSTILE: params.rate}}, "curve": curve}}
"""

WAITS = """\
pipeline: p
stages:
  first: {cmd: "cp in.txt first.txt", deps: [in.txt], outs: [first.txt]}
  second:
    cmd: "until [ -e gate ]; do sleep 0.05; done; cp first.txt second.txt"
    deps: [first.txt]
    outs: [second.txt]
"""

ROWS = """() => [...document.querySelectorAll(".data-table tbody tr:not(.spacer)")].map(
  row => [...row.cells].map(cell => cell.textContent.trim()))"""


def git(root: pathlib.Path, *arguments: str) -> None:
    words = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main", *arguments]
    subprocess.run(words, cwd=root, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def studied(initialized: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a commit, an edit of a parameter and a run after it, and a sweep of four; tests only look."""
    project = Project(tmp_path_factory.mktemp("studied"))
    shutil.copytree(initialized, project.root, dirs_exist_ok=True)
    project.write("pipeline.py", STUDY)
    project.pivot("repro")
    git(project.root, "init", "-q")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "Learn slowly")
    project.replace("pipeline.py", "rate: float = 0.1", "rate: float = 0.25")
    project.pivot("repro")
    project.pivot("repro", "-p", "train.rate=0.2,0.3,0.4,0.8", "--compare")
    return project


def unharmed(page: Page) -> bool:
    """Whether no text has become an element or a script."""
    return page.evaluate("typeof owned === 'undefined' && document.querySelector('main img[src=x]') === null") is True


def drag(page: Page, selector: str, start: float, end: float) -> None:
    """Drag along an element, from one part of its height to another."""
    box = page.evaluate(f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()")
    x = box["x"] + box["width"] / 2
    browser().ask("mouse.move", x, box["y"] + box["height"] * start)
    browser().ask("mouse.down")
    browser().ask("mouse.move", x, box["y"] + box["height"] * end, steps=4)
    browser().ask("mouse.up")


def test_a_run_of_another_terminal_is_followed_until_its_end(make: Callable[[str], Project]) -> None:
    project = make("")
    project.root.joinpath("pipeline.py").unlink()
    project.write("pivot.yaml", WAITS)
    project.write("in.txt", "1\n")
    with opened(project, "#/runs") as page:
        page.wait("text=No run has been recorded")
        run = project.start("repro")
        try:
            page.wait(".running-note:has-text('second')")
            page.click(".running-note")
            page.wait(".bar.tone-running[aria-label^='second']")
            page.wait(".bar.tone-cached[aria-label^='first']")
            project.write("gate", "")
            page.wait(".run-head .badge:has-text('done')")
            page.wait(".bar.tone-cached[aria-label^='second']")
            assert [row[:2] for row in page.evaluate(ROWS)] == [["first", "ran"], ["second", "ran"]]
            assert run.wait(DEADLINE) == 0
        finally:
            run.kill()
            run.communicate()


def test_two_runs_are_chosen_and_compared(studied: Project) -> None:
    with opened(studied, "#/runs") as page:
        page.wait("[aria-label='Compare run 3']")
        assert [row[1] for row in page.evaluate(ROWS)] == ["3", "2", "1"]
        page.click("[aria-label='Find runs']")
        page.type("--compare")
        page.wait("text=1 of 3 runs")
        assert [row[1] for row in page.evaluate(ROWS)] == ["3"]
        page.press("Control+A")
        page.press("Delete")
        page.click("[aria-label='Compare run 2']")
        page.click("[aria-label='Compare run 1']")
        page.click("button:has-text('Compare')")
        page.wait("[aria-label='Parameters'] tr.changed:has-text('rate')")
        assert page.evaluate("location.hash") == "#/compare?left=run%3A1&right=run%3A2"


def test_revisions_are_compared_with_their_values_outs_and_plots(studied: Project) -> None:
    with opened(studied, "#/compare") as page:
        page.wait("[aria-label='Parameters'] tr.changed")
        cells = "[...document.querySelectorAll('[aria-label=Parameters] tr.changed td')].map(cell => cell.textContent)"
        assert page.evaluate(cells) == ["train", "rate", "0.1", "0.25", "▲ +0.15 (+150.0%) higher"]
        assert HOSTILE in page.text("table[aria-label='Metrics'] tbody")
        page.wait(".plot-card svg")
        page.click("text=only what differs")
        page.wait("[aria-label='Parameters'] tr.same:has-text('same')")
        page.click("[aria-label='Outs'] button:has-text('scores.json')")
        page.wait(".both .preview >> nth=1")
        assert unharmed(page)


def test_results_are_sorted_brushed_and_opened(studied: Project) -> None:
    with opened(studied, "#/results") as page:
        page.wait(".axis")
        page.click("th button:has-text('train.rate')")
        page.click("th button:has-text('train.rate')")
        rates = [row[1] for row in page.evaluate(ROWS)]
        assert rates == sorted(rates, reverse=True)
        assert {"0.2", "0.3", "0.4", "0.8"} <= set(rates)
        drag(page, ".axis .handle", 0.0, 0.3)
        page.wait(".wishes button:has-text('train.rate')")
        assert [row[1] for row in page.evaluate(ROWS)] == ["0.8"]
        page.click("[aria-label='Results'] tbody button.link")
        assert "pivot apply" in page.text(".result-details")
        page.press("Escape")
        page.wait(".result-details", "hidden")
        page.click("summary:has-text('Same everywhere')")
        assert HOSTILE in page.text(".same")
        assert unharmed(page)


def test_axes_are_brushed_by_keys_and_chosen(studied: Project) -> None:
    with opened(studied, "#/results") as page:
        page.wait(".axis .handle")
        axes = page.evaluate("document.querySelectorAll('.axis').length")
        page.evaluate("document.querySelector('.axis .handle').focus()")
        for _ in range(4):
            page.press("ArrowUp")
        page.wait(".wishes button:has-text('train.rate ≥ 0.24')")
        assert {row[1] for row in page.evaluate(ROWS)} == {"0.25", "0.3", "0.4", "0.8"}
        page.press("Delete")
        page.wait(".wishes", "hidden")
        page.click(".lines .popover summary")
        page.click(".filters.axes label:has-text('train.rate')")
        page.wait(f".axis >> nth={axes - 1}", "detached")
        assert "train.rate" not in page.evaluate("document.querySelector('.axis .title').textContent")


def test_plots_of_a_revision_are_drawn_beside_those_of_the_workspace(studied: Project) -> None:
    with opened(studied, "#/plots?beside=HEAD") as page:
        page.wait(".plot-card svg")
        legend = "[...document.querySelectorAll('.plot-card svg text')].map(text => text.textContent)"
        assert {"HEAD", "workspace"} <= set(page.evaluate(legend))
        page.click("button:has-text('Only the workspace')")
        page.wait("text=Only the workspace", "hidden")
        page.wait(".plot-card svg")
