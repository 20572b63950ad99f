"""Chromium for the tests of pages, driven by Playwright in a process of its own, whose event loop no test meets."""

import atexit
import functools
import json
import operator
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
WITHOUT = "no Chromium is installed (on Debian: apt-get install chromium; elsewhere, its path in CHROMIUM)"
OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
"""The sandbox needs rights that containers lack; the tests open no pages of others."""
DEADLINE = 60_000


class Page:
    """An open page; each call waits until the browser has done it."""

    def __init__(self, browser: "Browser") -> None:
        self._browser = browser

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression, or of a function that is called."""
        return self._browser.ask("evaluate", script)

    def wait(self, selector: str, state: str = "visible") -> None:
        """Wait for an element that is ``visible``, ``hidden``, ``attached`` or ``detached``."""
        self._browser.ask("wait_for_selector", selector, state=state)

    def go(self, place: str) -> None:
        """Follow a link to another place in the page, such as ``#/graph``."""
        self.evaluate(f"location.hash = {json.dumps(place)}")

    def press(self, key: str) -> None:
        self._browser.ask("keyboard.press", key)

    def type(self, text: str) -> None:
        self._browser.ask("keyboard.type", text)

    def click(self, selector: str) -> None:
        self._browser.ask("click", selector)

    def hover(self, selector: str) -> None:
        self._browser.ask("hover", selector)

    def choose(self, selector: str, value: str) -> None:
        """Choose from a list."""
        self._browser.ask("select_option", selector, value)

    def text(self, selector: str) -> str:
        """The visible text of an element."""
        found = self._browser.ask("inner_text", selector)
        assert isinstance(found, str)
        return found

    def screenshot(self, file: pathlib.Path) -> None:
        self._browser.ask("screenshot", path=str(file))

    def problems(self) -> list[str]:
        """Errors and warnings of the console, uncaught exceptions, and requests beyond the file or the server."""
        found = self._browser.ask("problems")
        assert isinstance(found, list)
        return found


class Browser:
    """The process with the browser; it ends with this one."""

    def __init__(self) -> None:
        words = [sys.executable, __file__]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.close)

    def open(self, file: pathlib.Path, *, width: int = 1400, height: int = 900, dark: bool = False) -> Page:
        """Open a file in a window of this size; the page before is closed."""
        self.ask("open", file.as_uri(), width=width, height=height, dark=dark)
        return Page(self)

    def visit(self, address: str, place: str, *, width: int = 1400, height: int = 900, dark: bool = False) -> Page:
        """Open a page of a server of this machine, and then a place in it; the page before is closed."""
        self.ask("open", address, width=width, height=height, dark=dark)
        page = Page(self)
        page.go(place)
        return page

    def ask(self, act: str, *values: Any, **options: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([act, values, options]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process with the browser has ended"
        value, error = json.loads(line)
        assert error is None, error
        return value

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@functools.cache
def browser() -> Browser:
    """One browser for all tests of a process; without Chromium, the test is skipped."""
    if CHROMIUM is None:
        pytest.skip(WITHOUT)
    return Browser()


def serve() -> None:
    """Answer each request, a line, with a line: the value and the error."""
    from playwright.sync_api import Error, sync_playwright  # lazy: only this process needs it

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        window = Window(chromium)
        for line in sys.stdin:
            try:
                act, values, options = json.loads(line)
                answer = [window.do(act, *values, **options), None]
            except Error as error:
                answer = [None, str(error)]
            sys.stdout.write(json.dumps(answer, default=lambda _: None) + "\n")
            sys.stdout.flush()
        chromium.close()


class Window:
    """The window with the open page."""

    def __init__(self, chromium: Any) -> None:
        self._page = page = chromium.new_page()
        self._address = ""
        self._problems: list[str] = []
        page.set_default_timeout(DEADLINE)
        page.on("console", lambda said: self._problem(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self._problem(str(error)))
        page.on("request", lambda asked: self._asked(asked.url))

    def do(self, act: str, *values: Any, **options: Any) -> Any:
        """Call a method of Playwright's page by its dotted name; open another page; return the problems of this one."""
        if act == "open":
            return self._open(*values, **options)
        if act == "problems":
            self._page.evaluate("0")  # events that have been sent arrive before the answer
            return self._problems
        return operator.attrgetter(act)(self._page)(*values, **options)

    def _open(self, address: str, *, width: int, height: int, dark: bool) -> None:
        self._page.goto("about:blank")
        self._page.set_viewport_size({"width": width, "height": height})
        self._page.emulate_media(color_scheme="dark" if dark else "light")
        self._address, self._problems = address, []
        self._page.goto(address)

    def _problem(self, text: str) -> None:
        self._problems.append(text)

    def _asked(self, url: str) -> None:
        server = re.match(r"http://[^/]*/", self._address)
        own = url.startswith((server[0], f"blob:{server[0]}")) if server else url == self._address
        if not own and not url.startswith("data:"):
            self._problem(f"request for {url}")


if __name__ == "__main__":
    serve()
