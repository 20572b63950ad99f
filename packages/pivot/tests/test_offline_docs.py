"""`pivot docs` on a terminal opens a page in the browser, or in the pager where there is no browser."""

import os
import pathlib
import pty
import subprocess

from harness import PIVOT


def on_a_terminal(where: pathlib.Path, *arguments: str, **variables: str) -> str:
    """All that a command prints on a terminal."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "HOME": str(where), "NO_COLOR": "1", **variables}
    with subprocess.Popen(
        [PIVOT, *arguments], cwd=where, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        printed = b""
        while True:
            try:
                printed += os.read(ours, 65536)
            except OSError:  # the end of a terminal
                break
    os.close(ours)
    assert process.returncode == 0
    return printed.decode()


def test_a_page_is_opened_in_the_browser(tmp_path: pathlib.Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "opened $1"\n')
    browser.chmod(0o755)

    printed = on_a_terminal(tmp_path, "docs", "running#debugging", BROWSER=str(browser))

    assert f"opened {(tmp_path / '.cache/pivot/docs/open.html').as_uri()}" in printed
    assert "guides/running.html#debugging" in (tmp_path / ".cache/pivot/docs/open.html").read_text()
    assert '<h2 id="debugging">' in (tmp_path / ".cache/pivot/docs/guides/running.html").read_text()


def test_a_page_is_opened_in_the_pager(tmp_path: pathlib.Path) -> None:
    (tmp_path / ".cache").write_text("no directory, so the browser cannot open a page")

    printed = on_a_terminal(tmp_path, "docs", "watch", BROWSER="true", PAGER="cat", COLUMNS="40")

    note, _, page = printed.partition("\n")
    assert "note: " in note
    assert "Watch" in page
    assert "quick start" in " ".join(page.split())
    assert max(map(len, page.splitlines())) <= 40
