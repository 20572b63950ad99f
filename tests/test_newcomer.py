"""A newcomer's first hour: installs the wheels as the page says, and types what the pages of the built site show.

Nothing comes from this repository's sources or environment but the distribution that `nox -s build` makes, which the
session `docs` leaves in a directory that `NEWCOMER_DIST` names. The commands are those that a reader of the HTML sees:
consoles and scripts are typed, blocks with the name of a file are written, and all others are only looked at.
"""

import html.parser
import os
import pathlib
import subprocess
import sys
import tomllib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

from test_docs import ROOT, Block, Run

OWN_BIN = pathlib.Path(sys.executable).parent


class Shown(html.parser.HTMLParser):
    """The code blocks of an HTML page, as a reader sees them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.blocks: list[Block] = []
        self._page = page
        self._language: str | None = None
        self._title: str | None = None
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = (dict(attrs).get("class") or "").split()
        if tag == "div" and "highlight" in classes:
            (self._language,) = (name.removeprefix("language-") for name in classes if name.startswith("language-"))
            self._title = None
        elif tag in {"span", "pre"} and self._language is not None and (tag == "pre" or "filename" in classes):
            self._text = []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if self._text is None or self._language is None:
            return
        text = "".join(self._text)
        if tag == "span" and self._title is None and self.get_starttag_text() == '<span class="filename">':
            self._title, self._text = text, None
        elif tag == "pre":
            line = self.getpos()[0] - text.count("\n")
            self.blocks.append(Block(self._page, line, self._language, False, self._title, "", text))
            self._language = self._text = None


class Newcomer(Run):
    """Types in the shell of somebody who has activated an environment, and has nothing of the repository's."""

    def __init__(self, project: pathlib.Path, environment: pathlib.Path) -> None:
        super().__init__(project, "newcomer")
        self._bin = environment / "bin"

    def type(self, block: Block) -> None:
        if block.title is not None or block.language in {"bash", "console"}:
            self.step(block)

    def _environment(self) -> dict[str, str]:
        others = [entry for entry in os.environ["PATH"].split(os.pathsep) if pathlib.Path(entry) != OWN_BIN]
        own = {"PATH": os.pathsep.join([str(self._bin), *others]), "VIRTUAL_ENV": str(self._bin.parent)}
        kept = {name: value for name, value in super()._environment().items() if not name.startswith("PYTHON")}
        return kept | own


def shown(page: str) -> list[Block]:
    """The blocks of a page of the built site."""
    found = Shown(page)
    found.feed((ROOT / os.environ["SITE"] / page).read_text())
    return found.blocks


def installed(place: pathlib.Path) -> pathlib.Path:
    """An environment in a project, made by the commands of the page about the installation."""
    (place / "pivot").mkdir()
    (place / "pivot/dist").symlink_to(ROOT / os.environ["NEWCOMER_DIST"])
    project = place / "project"
    project.mkdir()
    scripts = [block.text for block in shown("guides/install.html") if block.language == "bash"]
    assert scripts[0] == "uv run --group dev nox -s build\n", "the session docs has built what this command builds"
    typed = next(script for script in scripts if "--require-hashes" in script)
    # pip's own way takes a minute, and the page names the other one, which finds the files in its cache.
    typed = typed.replace("python -m pip ", "uv pip ").replace("python3.13 -m venv", f"uv venv -q -p {sys.executable}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_"))}
    command = ["bash", "-euo", "pipefail", "-c", typed]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{typed}\n{done.stdout}{done.stderr}"
    return project / ".venv"


@pytest.mark.skipif(
    not os.environ.keys() >= {"SITE", "NEWCOMER_DIST"}, reason="the session docs builds the site and the wheels"
)
def test_the_pages_lead_a_newcomer_from_the_wheels_to_shared_results(tmp_path: pathlib.Path) -> None:
    environment = installed(tmp_path)
    version = tomllib.loads((ROOT / "packages/pivot/pyproject.toml").read_text())["project"]["version"]
    where = "import pivot, pivot_runtime; print(pivot.__file__, pivot_runtime.__file__)"
    found = subprocess.run(
        [environment / "bin/python", "-I", "-c", where], capture_output=True, text=True, check=True
    ).stdout.split()
    assert [path.startswith(f"{environment}/") for path in found] == [True, True]

    for page, least in (("quick-start.html", 8), ("tutorial.html", 12)):
        project = tmp_path / page.removesuffix(".html") / "project"
        project.mkdir(parents=True)
        newcomer = Newcomer(project, environment)
        newcomer.type(Block(page, 0, "console", False, None, "", f"$ pivot --version\npivot {version}\n"))
        typed = shown(page)
        assert len(typed) > least
        for block in typed:
            newcomer.type(block)


def test_a_reader_sees_titles_languages_and_texts_of_blocks() -> None:
    found = Shown("page.html")
    found.feed(
        '<p>a <code>b</code></p>\n<div class="language-python highlight"><span class="filename">c.py</span>'
        '<pre><span></span><code><span class="n">x</span> <span class="o">&lt;</span> 1\n</code></pre></div>\n'
        '<div data-copy="true" class="language-console highlight"><pre><code>'
        '<span class="gp">$ </span>true\n</code></pre></div>'
    )

    assert [(block.language, block.title, block.text) for block in found.blocks] == [
        ("python", "c.py", "x < 1\n"),
        ("console", None, "$ true\n"),
    ]
