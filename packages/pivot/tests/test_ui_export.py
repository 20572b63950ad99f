"""The page that ``pivot ui --export`` writes, opened as a file in Chromium, without any server."""

import importlib.util
from collections.abc import Callable

import pytest
from browser import browser
from harness import Project


def test_an_exported_page_works_as_a_file(make: Callable[[str], Project]) -> None:
    if importlib.util.find_spec("pivot_ui") is None:
        pytest.skip("pivot-ui is not installed")
    chromium = browser()
    project = make("")
    project.root.joinpath("pipeline.py").unlink()
    declared = "pipeline: p\nstages:\n  copied: {cmd: 'cp in.csv out.csv', deps: [in.csv], outs: [out.csv]}\n"
    project.write("pivot.yaml", declared)
    project.write("in.csv", "word\n</script><img src=x>\n")
    project.pivot("repro")
    project.pivot("ui", "--export", "page")

    page = chromium.open(project.root / "page/index.html")
    page.wait("main >> text=copied")
    page.go("#/stage/p.copied")
    page.wait(".stage[data-state=cached] .facts")
    page.go("#/runs")
    page.wait("main tr:has-text('pivot repro')")
    page.go("#/artifact?path=out.csv")
    page.wait("td:has-text('</script><img src=x>')")

    files = f"request for {(project.root / 'page').resolve().as_uri()}/"
    assert not [each for each in page.problems() if not each.startswith(files)]
