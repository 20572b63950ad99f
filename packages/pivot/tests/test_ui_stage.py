"""A stage in the page of ``pivot ui``: the edited lines, its log while it runs, and what is in its files."""

import base64
import json
import signal
from collections.abc import Callable

import pytest
from browser import Page
from command_forks import DEADLINE
from harness import Project
from ui_browser import opened

EDITED = """\
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


def normalize(text: str) -> str:
    stripped = text.strip()
    return stripped.lower()


@pipeline.register
def clean(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Annotated[str, pivot.Out("out.txt", Text())]:
    return normalize(text)
"""

SHELL = """\
pipeline: p
stages:
  files:
    cmd: python make.py
    desc: "<img src=x onerror=alert(2)>"
    deps: [make.py]
    outs: [table.csv, "<img src=x onerror=alert(1)>.json", picture.png, parts/, note.txt]
"""
DASH = "\N{EN DASH}"
HOSTILE_FILE = "<img src=x onerror=alert(1)>.json"

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
        "0000000049454e44ae426082"
    )
).decode()

FILES = f"""\
import base64, json, os
with open("table.csv", "w") as table:
    table.write("id,name\\n" + "".join(f"{{number}},<b>row</b> {{number}}\\n" for number in range(120)))
with open("{HOSTILE_FILE}", "w") as document:
    json.dump({{"scores": {{"auc": 0.5, "<script>alert(3)</script>": ["a", "b"]}}, "done": None}}, document)
with open("picture.png", "wb") as picture:
    picture.write(base64.b64decode("{PIXEL}"))
with open("note.txt", "w") as note:
    note.write("<script>alert(4)</script>")
os.makedirs("parts/below", exist_ok=True)
for name in ("parts/one.txt", "parts/below/two.txt"):
    with open(name, "w") as part:
        part.write(name)
"""

LOG = """\
pipeline: p
stages:
  talk: {cmd: python talk.py, deps: [talk.py], outs: [out.txt]}
"""

TALK = """\
import pathlib, time
print("\\x1b[1;31mError:\\x1b[0m <script>alert(1)</script>\\x1b]8;;javascript:alert(2)\\x07link", flush=True)
print("y" * 500_000, flush=True)
while not pathlib.Path("gate").exists():
    time.sleep(0.01)
print("after the gate", flush=True)
pathlib.Path("out.txt").write_text("1")
"""


@pytest.fixture
def shell(make: Callable[[str], Project]) -> Callable[[str, dict[str, str]], Project]:
    """A project with this ``pivot.yaml`` and these files."""

    def made(pipeline: str, files: dict[str, str]) -> Project:
        project = make("")
        project.root.joinpath("pipeline.py").unlink()
        project.write("pivot.yaml", pipeline)
        for name, text in files.items():
            project.write(name, text)
        return project

    return made


def wait_for_text(page: Page, selector: str, text: str) -> None:
    """Wait until an element has a text."""
    page.wait(f"{selector}:has-text({text!r})")


def texts(page: Page, selector: str) -> list[str]:
    found = page.evaluate(f"[...document.querySelectorAll({selector!r})].map(each => each.textContent)")
    assert isinstance(found, list)
    return found


def test_an_edited_helper_is_shown_side_by_side_with_its_place(make: Callable[[str], Project]) -> None:
    project = make(EDITED)
    project.write("in.txt", " A \n")
    project.pivot("repro")
    project.replace("pipeline.py", "stripped.lower()", "stripped.upper()")
    with opened(project, "#/stage/p.clean") as page:
        page.wait(".diff")
        assert texts(page, ".diff-side.removed code") == ["    return stripped.lower()"]
        assert texts(page, ".diff-side.added code") == ["    return stripped.upper()"]
        assert texts(page, ".diff mark") == ["lower", "upper"]
        assert texts(page, ".diff-side.added .diff-number") == ["11"]
        assert texts(page, ".diff-side.removed .diff-number") == ["3"]
        assert page.text(".code-change .via") == "clean → normalize"
        assert page.text(".code-change-head > :last-child") == "pipeline.py:9"
        assert "normalize" in page.text(".verdict")
        page.press("Escape")
        page.wait(".stage", "detached")
        assert page.evaluate("location.hash") == "#/graph"


def test_what_was_compared_is_listed_for_a_cached_stage(make: Callable[[str], Project]) -> None:
    project = make(EDITED)
    project.write("in.txt", " A \n")
    project.pivot("repro")
    with opened(project, "#/stage/p.clean") as page:
        page.wait(".stage[data-state=cached] .facts")
        assert "func:pipeline:normalize" in texts(page, ".facts th")
        assert texts(page, ".diff") == []
        page.go("#/stage/p.clean/code")
        page.wait(".py-keyword")
        assert "".join(texts(page, ".source-line code")).startswith("@pipeline.register")
        page.go("#/stage/p.clean/history")
        page.wait(".runs-of-stage td")
        page.go("#/stage/p.clean/fingerprint")
        page.wait(".facts")
        assert any("normalize" in name for name in texts(page, ".facts th"))


def test_files_of_each_kind_are_shown_and_none_is_markup(shell: Callable[[str, dict[str, str]], Project]) -> None:
    project = shell(SHELL, {"make.py": FILES})
    project.pivot("repro")
    with opened(project, "#/artifact?path=table.csv") as page:
        wait_for_text(page, ".pager [role=status]", f"rows 1{DASH}50")
        page.click("button:has-text('Next')")
        wait_for_text(page, ".pager [role=status]", f"rows 51{DASH}100")
        assert texts(page, "tbody .row-number")[:2] == ["51", "52"]
        assert texts(page, "tbody tr:first-child .cell") == ["50", "<b>row</b> 50"]
        assert page.evaluate("getComputedStyle(document.querySelector('tbody .cell')).textAlign") == "right"
        page.click(".table-preview")
        page.press("]")
        wait_for_text(page, ".pager [role=status]", f"rows 101{DASH}120")

        page.go("#/stage/p.files/files")
        wait_for_text(page, ".panel-head p", "<img src=x onerror=alert(2)>")
        page.click(f".files a:has-text({HOSTILE_FILE!r})")
        page.click("[role=treeitem]:has-text('scores')")
        page.wait("[role=treeitem][aria-expanded=false]:has-text('scores')")
        page.press("ArrowRight")
        page.press("ArrowDown")
        page.wait("[role=treeitem]:focus:has-text('auc: 0.5')")
        assert "<script>alert(3)</script>" in page.text("[role=tree]")

        page.click(".files a:has-text('picture.png')")
        page.wait(".image-place img")
        page.evaluate("document.querySelector('.image-place img').decode()")
        page.click(".files a:has-text('note.txt')")
        wait_for_text(page, ".text-preview", "<script>alert(4)</script>")
        page.click(".files a:has-text('parts')")
        page.click(".entries button:has-text('below')")
        page.click(".entries button:has-text('two.txt')")
        wait_for_text(page, ".text-preview", "parts/below/two.txt")


TRAIN = """\
open("loss.json", "w").write('[{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.2}]')
"""
DRAWN = """\
pipeline: p
stages:
  train: {cmd: python train.py, deps: [train.py], plots: [loss.json]}
  look: {notebook: look.ipynb, outs: [looked.json]}
"""


def test_a_plot_is_drawn_without_rules_of_its_own_and_a_notebook_is_shown_by_its_cells(
    shell: Callable[[str, dict[str, str]], Project],
) -> None:
    cells = [["rows = [1, 2]\n", "rows"], ["print(rows)"]]
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": cell}
            for cell in cells
        ],
    }
    project = shell(DRAWN, {"train.py": TRAIN, "look.ipynb": json.dumps(notebook)})
    project.pivot("repro", "train")
    with opened(project, "#/artifact?path=loss.json") as page:
        page.wait(".chart svg .mark-line path")
        page.hover(".chart svg .mark-symbol path")
        page.wait("#vg-tooltip-element.visible")
        assert page.evaluate("document.querySelectorAll('style').length") == 0
        page.click("button:has-text('Rows')")
        page.wait(".table-preview")
        assert texts(page, "tbody .cell") == ["1", "0.5", "2", "0.2"]
        page.go("#/stage/p.look/code")
        page.wait(".source")
        assert texts(page, ".stage h4") == ["Cell 1", "Cell 2"]
        assert texts(page, ".source-line code") == ["rows = [1, 2]", "rows", "print(rows)"]


def test_an_absent_file_says_what_brings_it(shell: Callable[[str, dict[str, str]], Project]) -> None:
    project = shell(SHELL, {"make.py": FILES})
    project.pivot("repro")
    project.root.joinpath("note.txt").unlink()
    with opened(project, "#/artifact?path=note.txt") as page:
        wait_for_text(page, ".preview", "pivot checkout")
        page.evaluate("document.querySelector('.side select').focus()")
        page.choose(".side select", "recorded")
        wait_for_text(page, ".text-preview", "<script>alert(4)</script>")


def test_nothing_in_a_log_is_run_and_its_lines_are_found(shell: Callable[[str, dict[str, str]], Project]) -> None:
    project = shell(LOG, {"talk.py": TALK, "gate": ""})
    project.pivot("repro")
    with opened(project, "#/stage/p.talk/log") as page:
        page.wait(".log-line .ansi-bold.ansi-fg-1:has-text('Error:')")
        assert "Error: <script>alert(1)</script>link" in page.text(".log-line")
        assert texts(page, ".ansi-cut") == [f" … {500_000 - 20_000} more letters"]
        page.evaluate("document.querySelector('.log [type=search]').focus()")
        page.type("GATE")
        page.press("Enter")
        wait_for_text(page, ".log-line.found mark", "gate")


def test_a_log_grows_while_its_stage_runs_and_nothing_in_it_is_run(
    shell: Callable[[str, dict[str, str]], Project],
) -> None:
    project = shell(LOG, {"talk.py": TALK})
    with opened(project, "#/stage/p.talk/log") as page:
        page.wait(".stage[data-state=stale]")
        run = project.start("repro")
        try:
            page.wait(".stage[data-state=running] .ansi-bold.ansi-fg-1")
            assert "<script>alert(1)</script>link" in page.text(".log-line")
            wait_for_text(page, ".ansi-cut", f"{500_000 - 20_000} more letters")
            project.write("gate", "")
            wait_for_text(page, ".log-text", "after the gate")
            page.wait(".stage[data-state=cached]")
            wait_for_text(page, ".log-text", "after the gate")
            page.evaluate("document.querySelector('.log [type=search]').focus()")
            page.type("GATE")
            page.press("Enter")
            wait_for_text(page, ".log-line.found mark", "gate")
            run.communicate(timeout=DEADLINE)
        finally:
            run.send_signal(signal.SIGKILL)
            run.communicate()
