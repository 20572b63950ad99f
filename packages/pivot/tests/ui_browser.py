"""The page of ``pivot ui`` in Chromium: a server of the project, which ends with the block."""

import contextlib
import importlib.util
import signal
from collections.abc import Iterator

import pytest
from browser import Page, browser
from command_forks import DEADLINE
from harness import Project


@contextlib.contextmanager
def served(project: Project, *options: str) -> Iterator[str]:
    """The link to the page of a project; at the end, Ctrl-C must end the server."""
    if importlib.util.find_spec("pivot_ui") is None:
        pytest.skip("pivot-ui is not installed")
    browser()  # skips where no Chromium is, before anything has started
    server = project.start("ui", "--no-browser", *options)
    assert server.stdout is not None
    try:
        link = server.stdout.readline().strip()
        if not link.startswith("http://127.0.0.1:"):
            server.kill()
            pytest.fail(f"pivot ui printed {link!r}, and {server.communicate()[1]}")
        yield link
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=DEADLINE)
        assert server.returncode == 0, said
    finally:
        server.kill()
        server.communicate()


@contextlib.contextmanager
def opened(project: Project, place: str = "#/graph", *options: str, dark: bool = False) -> Iterator[Page]:
    """The page of a project at a place; at the end, it must have met no problem: no error, no foreign request."""
    with served(project, *options) as link:
        page = browser().visit(link, place, dark=dark)
        yield page
        problems = page.problems()
        assert not problems, problems
        browser().ask("goto", "about:blank")  # the server ends sooner if nobody listens
