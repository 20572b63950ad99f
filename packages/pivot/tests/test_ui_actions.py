"""Buttons of ``pivot ui --allow-run``: people run stages, stop them, and see what the command does meanwhile."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import TextIO

import pytest
from browser import Page, browser
from command_forks import DEADLINE
from harness import Project
from ui_browser import served

PIPELINE = """\
pipeline: p
stages:
  words: {cmd: cp in.txt words.txt, deps: [in.txt], outs: [words.txt]}
  slow: {cmd: "echo the stage has begun; cat gate > slow.txt", deps: [words.txt], outs: [slow.txt]}
  picky: {cmd: "echo reads; grep -v bad in.txt > picked.txt", deps: [in.txt], outs: [picked.txt]}
"""
RUN_ALL = "header button:has-text('Run all')"


class Shown:
    """The open page of a project in which the stage ``slow`` waits until it is fed."""

    def __init__(self, project: Project, page: Page) -> None:
        self.project, self.page = project, page

    def edit(self, text: str) -> None:
        """Make all stages stale, and wait until the page shows it."""
        self.project.write("in.txt", f"{text}\n")
        self.page.wait(f"{node('p.words')}.tone-stale")

    @contextlib.contextmanager
    def gate(self) -> Iterator[TextIO]:
        """Wait until the stage ``slow`` reads; it reads the text that is written, until this is closed."""
        with contextlib.suppress(BrokenPipeError), self.project.root.joinpath("gate").open("w") as gate:
            yield gate


def outcome(name: str) -> str:
    """The selector of the note on the command of the page."""
    return f".command-note[data-outcome={name}]"


def node(address: str) -> str:
    return f".node[data-id='s:{address}']"


@pytest.fixture(scope="module")
def link(initialized: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, str]]:
    """A project, and the link to its page, which may run stages."""
    project = Project(tmp_path_factory.mktemp("acted"))
    shutil.copytree(initialized, project.root, dirs_exist_ok=True)
    project.write("pivot.yaml", PIPELINE)
    project.write("in.txt", "0\n")
    os.mkfifo(project.root / "gate")
    with served(project, "--allow-run") as found:
        yield project, found


@pytest.fixture
def shown(link: tuple[Project, str]) -> Iterator[Shown]:
    """The page, with a project in which nothing runs."""
    project, address = link
    page = browser().visit(address, "#/graph")
    page.wait(node("p.words"))
    yield Shown(project, page)
    problems = page.problems()
    browser().ask("goto", "about:blank")
    assert not problems, problems


def test_run_all_runs_each_stage_and_shows_what_the_command_prints(shown: Shown) -> None:
    page = shown.page
    shown.edit("all")
    page.click(RUN_ALL)
    page.wait(f"{node('p.slow')}.tone-running")
    page.wait(f"{outcome('running')} >> text=pivot repro --all")
    with shown.gate() as gate:
        gate.write("fed\n")
    page.wait(f"{outcome('done')} >> text=Done: 3 ran")
    page.wait(f"{node('p.slow')}.tone-cached")
    page.wait(RUN_ALL)
    assert shown.project.read("slow.txt") == "fed\n"
    page.click(f"{outcome('done')} button:has-text('Output')")
    page.wait(f"{outcome('done')} pre:has-text('picky')")
    page.click(f"{outcome('done')} button:has-text('Hide')")
    page.wait(".command-note", "detached")


def test_stop_ends_the_stage_with_its_processes_and_the_next_run_is_right(shown: Shown) -> None:
    page = shown.page
    shown.edit("stopped")
    page.click(RUN_ALL)
    page.wait(f"{node('p.slow')}.tone-running")
    page.wait(node("p.words") + ".tone-cached")
    with shown.gate() as gate:
        page.click("header button:has-text('Stop')")
        page.wait(outcome("stopped"))
        with pytest.raises(BrokenPipeError):  # nobody is left who reads
            print("late", file=gate, flush=True)
    page.wait(f"{node('p.slow')}.tone-stale")
    page.click(RUN_ALL)
    page.wait(f"{node('p.slow')}.tone-running")
    with shown.gate() as gate:
        gate.write("again\n")
    page.wait(outcome("done"))
    assert shown.project.read("slow.txt") == "again\n"
    page.wait(f"{node('p.slow')}.tone-cached")


def test_run_alone_runs_one_stage_and_a_failure_is_shown_until_it_is_repaired(shown: Shown) -> None:
    page = shown.page
    shown.edit("bad")
    page.go("#/stage/p.picky")
    page.click("button:has-text('Run alone')")
    page.wait(f"{outcome('failed')} pre:has-text('exit status 1')")
    page.wait(".stage[data-state=failed] .failure")
    page.wait(f"{node('p.words')}.tone-stale")  # nothing else has run
    shown.project.pivot("repro", "p.words")
    page.wait(".stage[data-state=stale] .failure:has-text('exit status 1')")  # also after other runs
    shown.project.write("in.txt", "good\n")
    page.click("button:has-text('Run alone')")
    page.wait(outcome("done"))
    page.wait(".stage[data-state=cached]")
    page.wait(f"{node('p.words')}.tone-stale")  # since its input is another one
    assert shown.project.read("picked.txt") == "good\n"


def test_a_run_waits_for_that_of_another_terminal_and_says_so(shown: Shown) -> None:
    page = shown.page
    shown.edit("elsewhere")
    run = shown.project.start("repro", "p.slow")
    try:
        page.wait(f"{node('p.slow')}.tone-running")
        page.wait(f"{node('p.words')}.tone-cached")
        page.click(RUN_ALL)
        page.wait(f"{outcome('running')} >> text=waiting for 'pivot repro p.slow'")
        page.go("#/stage/p.slow/log")
        page.wait(".stage[data-state=running] .log-text:has-text('the stage has begun')")
        with shown.gate() as gate:
            gate.write("other\n")
        assert run.wait(DEADLINE) == 0
        page.wait(f"{outcome('done')} >> text=2 cached")
        page.wait(".stage[data-state=cached]")
    finally:
        run.kill()
        run.communicate()
