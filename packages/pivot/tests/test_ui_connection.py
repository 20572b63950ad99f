"""The page of ``pivot ui`` while its server, or the project's branch, is another one than before."""

import json
from collections.abc import Callable

from browser import browser
from harness import Project
from test_ui_runs import git
from ui_browser import opened, served

PIPELINE = "pipeline: p\nstages:\n  copy: {cmd: cp in.txt out.txt, deps: [in.txt], outs: [out.txt]}\n"
NODE = ".node[data-id='s:p.copy']"


def copying(make: Callable[[str], Project]) -> Project:
    project = make("")
    project.root.joinpath("pipeline.py").unlink()
    project.write("pivot.yaml", PIPELINE)
    project.write("in.txt", "1\n")
    return project


def test_an_open_tab_says_that_the_server_has_ended_and_goes_on_with_the_new_link(
    make: Callable[[str], Project],
) -> None:
    project = copying(make)
    with served(project) as link:
        page = browser().visit(link, "#/graph")
        page.wait(f"{NODE}.tone-stale")
    page.wait(".problem:has-text('does not answer'):has-text('start \\'pivot ui\\' again')")
    project.pivot("repro")
    port = link.split(":")[2].split("/")[0]
    with served(project, "--port", port) as new:
        page.wait(".problem:has-text('new secret'):has-text('Open the link')")
        page.evaluate(f"fetch({json.dumps(new)}).then(answer => answer.ok)")  # as in another tab
        page.wait(".problem", "detached")
        page.wait(f"{NODE}.tone-cached")
        browser().ask("goto", "about:blank")


def test_the_branch_of_the_page_is_that_of_the_project(make: Callable[[str], Project]) -> None:
    project = copying(make)
    git(project.root, "init", "-q")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "First")
    with opened(project) as page:
        page.wait(NODE)
        page.wait("h1 >> text=/^main$/")
        git(project.root, "checkout", "-qb", "other")
        project.write("in.txt", "2\n")
        page.wait("h1 >> text=/^other\\*$/")
        git(project.root, "commit", "-qam", "Second")
        page.evaluate("dispatchEvent(new Event('focus'))")  # somebody comes back from the terminal
        page.wait("h1 >> text=/^other$/")
