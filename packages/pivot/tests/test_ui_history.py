"""The past in the page of ``pivot ui``: the runs of a stage, the code that counted, and a run over time."""

import json
import pathlib
import shutil
from collections.abc import Iterator

import pytest
from browser import Page, browser
from harness import Project
from ui_browser import served

PIPELINE = """\
import json
from typing import Annotated

import attrs
import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")
LIMIT = 3


@attrs.frozen
class Words:
    found: list[str]


def split(text: str) -> Words:
    if "bad" in text:
        raise ValueError("a bad word")
    return Words(text.split()[:LIMIT])


@pipeline.register
def count(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Annotated[str, pivot.Out("out.txt", Text())]:
    print("counts")
    return json.dumps(len(split(text).found))
"""

OTHER_MARKS = """async () => {
  const marks = () => [...document.querySelectorAll(".marks span")].map(each => each.textContent.trim());
  const end = performance.now() + 60000;
  while (JSON.stringify(marks()) === JSON.stringify(JSON.parse(BEFORE)) && performance.now() < end)
    await new Promise(requestAnimationFrame);
  return marks();
}"""


@pytest.fixture(scope="module")
def link(initialized: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The link to a project of one stage: run 1 and run 3 ran it, and it failed in run 2."""
    project = Project(tmp_path_factory.mktemp("past"))
    shutil.copytree(initialized, project.root, dirs_exist_ok=True)
    project.write("pipeline.py", PIPELINE)
    for text, code in (("one", 0), ("a bad one", 1), ("one two", 0)):
        project.write("in.txt", text)
        project.pivot("repro", code=code)
    with served(project) as found:
        yield found


@pytest.fixture
def page(link: str) -> Iterator[Page]:
    """The page of that project; at the end, it must have met no problem."""
    found = browser().visit(link, "#/graph")
    yield found
    problems = found.problems()
    browser().ask("goto", "about:blank")
    assert not problems, problems


def texts(page: Page, selector: str) -> list[str]:
    found = page.evaluate(f"[...document.querySelectorAll({selector!r})].map(each => each.textContent.trim())")
    assert isinstance(found, list)
    return found


def test_the_history_of_a_stage_leads_to_its_runs(page: Page) -> None:
    page.go("#/stage/p.count/history")
    page.wait(".runs-of-stage tbody tr >> nth=2")
    assert texts(page, ".runs-of-stage td:first-child") == ["3", "2", "1"]
    assert texts(page, ".runs-of-stage .badge") == ["ran", "failed", "ran"]
    assert "a bad word" in page.evaluate("document.querySelectorAll('.runs-of-stage tbody tr')[1].title")
    assert texts(page, ".run-chart figcaption") == ["Duration", "Peak memory"]
    assert page.evaluate("document.querySelectorAll('.run-chart')[0].querySelectorAll('circle').length") == 3
    page.click(".run-chart >> nth=0 >> a[aria-label^='Run 2: ']")
    page.wait(".run-head .badge:has-text('not done')")
    assert page.evaluate("location.hash") == "#/runs/2"


def test_the_fingerprint_of_a_stage_names_code_values_and_libraries(page: Page) -> None:
    page.go("#/stage/p.count/fingerprint")
    page.wait(".facts")
    names = {name.split()[-1] for name in texts(page, ".facts th")}
    assert {"count", "split", "Words", "LIMIT", "attrs"} <= names
    row = ".facts tr:has(th:has-text('split'))"
    assert "pipeline.py:17" in page.text(f"{row} >> nth=0")
    assert "count → split" in page.text(f"{row} >> nth=0")


def marks_after(page: Page, key: str) -> list[str]:
    """The times above the timeline, once a key has changed them."""
    before = texts(page, ".marks span")
    page.press(key)
    found = page.evaluate(OTHER_MARKS.replace("BEFORE", json.dumps(json.dumps(before))))
    assert isinstance(found, list)
    assert found != before
    return found


def test_keys_show_a_part_of_a_run_larger_and_move_it(page: Page) -> None:
    page.go("#/runs/1")
    page.wait(".lanes .bar[aria-label^='count']")
    all_of_it = texts(page, ".marks span")
    page.evaluate("document.querySelector('.lanes').focus()")
    larger = marks_after(page, "+")
    marks_after(page, "ArrowLeft")
    assert marks_after(page, "ArrowRight") == larger
    assert marks_after(page, "-") == all_of_it
    marks_after(page, "=")
    assert marks_after(page, "0") == all_of_it
