"""Pages and messages name only packages of this workspace, and no command that they show lets an index supply one.

`pivot` on the public package index belongs to somebody else, and none of our names is published yet: whoever installs
one of them by name gets somebody else's code, or will once somebody registers the name.
"""

import ast
import functools
import pathlib
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from packaging.version import Version

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

from parsed_modules import MODULES as SOURCES
from parsed_modules import ROOT, sources
from workflow_rules import ACTIONS

PROJECTS: dict[str, dict[str, Any]] = {
    project["name"]: project
    for path in sorted(ROOT.glob("packages/*/pyproject.toml"))
    for project in [tomllib.loads(path.read_text())["project"]]
}
WORKFLOWS = sorted((ROOT / "examples/ci").rglob("*.yml"))
PAGES = sorted(
    path
    for pattern in ("*.md", "changes/*.md", "docs/**/*.md", "packages/*/README.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
)

OURS = re.compile(r"(?<![\w./#-])(pivot(?:-[a-z0-9][\w-]*)?)\[([\w, -]+)\]|(?<![\w./#-])(pivot-[a-z0-9][\w-]*)")
"""Whatever looks like the name of a package of ours, alone or with extras."""

NO_PACKAGES = {
    "pivot-lock": "git's merge driver",
    "pivot-proposed": "a prefix in a bucket",
    "pivot-repro": "a manual page",
    "pivot-run": "a directory for temporary files",
    "pivot-verify": "a hook of pre-commit, and an action",
    "pivot-yaml": "a page",
}
OTHERS = {"bokeh", "ipykernel", "nbclient", "pandas", "pre-commit", "pyarrow"}
"""Packages of others that pages tell readers to install by name."""

COMMAND = re.compile(
    r"\b(?:pip3? install|uv add|uvx|uv tool (?:install|run)|pipx (?:install|run|inject)|uv run(?= --with))"
    r"(?P<rest>[^\n`]*)"
)
WITH_VALUE = {
    "-r", "--requirement", "-c", "--constraint", "-f", "--find-links", "-i", "--index-url", "--extra-index-url",
    "--hook-type", "--directory", "--python", "-p", "--target", "--group",
}  # fmt: skip


def strings(path: pathlib.Path) -> Iterator[str]:
    """The texts in a module; of an f-string, what is between its values."""
    for node in sources()[path].nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@functools.cache
def texts() -> tuple[tuple[str, str], ...]:
    """All that users may read: file → text."""
    whole = [(path, path.read_text()) for path in [*PAGES, *WORKFLOWS, ROOT / ".pre-commit-hooks.yaml"]]
    parts = [(path, "\n\n".join(strings(path))) for path in SOURCES]
    return tuple((path.relative_to(ROOT).as_posix(), text) for path, text in whole + parts)


def unknown_names(text: str) -> list[str]:
    """Names that look like a package of ours, or an extra of one, and are none."""
    found = []
    for match in OURS.finditer(text):
        name, extras = (match[1] or match[3]), (match[2] or "")
        wanted = {extra.strip() for extra in extras.split(",") if extra}
        known = PROJECTS.get(name, {}).get("optional-dependencies", {}).keys()
        if name not in PROJECTS.keys() | NO_PACKAGES.keys() or wanted - known:
            found.append(match[0])
    return found


def installs(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """The options, and the requirements, of each command that installs something."""
    for match in COMMAND.finditer(text.replace("\\\n", " ")):
        try:
            words = shlex.split(match["rest"], comments=True)
        except ValueError:  # a command in a sentence: what follows is no part of it
            words = match["rest"].split()
        options, wanted = [], []
        previous = ""
        for word in words:
            if word in {"&&", "||", ";", "|", ">"}:
                break
            if word.startswith("-"):
                options.append(word)
            elif previous == "--with" or previous not in WITH_VALUE:
                wanted.append(word.rstrip(".,:;)"))
            previous = word
        yield options, wanted


def by_name(text: str) -> list[str]:
    """Names that the commands in a text let an index supply, unless that is allowed."""
    return [
        word
        for _, wanted in installs(text)
        for word in wanted
        if "/" not in word and not word.endswith(".whl") and re.split(r"[\[=<>~! ]", word)[0] not in OTHERS
    ]


def scripts(data: Any) -> Iterator[str]:
    """The scripts of a workflow or an action."""
    if isinstance(data, dict):
        if isinstance(data.get("run"), str):
            yield data["run"]
        for value in data.values():
            yield from scripts(value)
    elif isinstance(data, list):
        for value in data:
            yield from scripts(value)


def loose(script: str) -> list[str]:
    """The lines of a script for CI that install something without a hash or a lock file."""
    found = []
    for line in script.replace("\\\n", " ").splitlines():
        if re.search(r"\buv sync\b", line) and "--locked" not in line:
            found.append(line)
        for options, _ in installs(line):
            if "--require-hashes" not in options and not {"--no-index", "--no-deps"} <= set(options):
                found.append(line)
    return found


def test_every_name_is_one_of_ours() -> None:
    assert {where: found for where, text in texts() if (found := unknown_names(text))} == {}


def test_no_command_lets_an_index_supply_a_package_of_ours() -> None:
    assert {where: found for where, text in texts() if (found := by_name(text))} == {}


def test_ci_installs_by_hash_or_from_files() -> None:
    found = {path.name: [line for script in scripts(yaml.safe_load(path.read_text())) for line in loose(script)]
             for path in WORKFLOWS}  # fmt: skip

    assert {name: lines for name, lines in found.items() if lines} == {}
    pages = {page.name: loose(block) for page in PAGES for block in re.findall(r"(?s)```yaml.*?```", page.read_text())}
    assert {name: lines for name, lines in pages.items() if lines} == {}


def test_pages_call_known_actions() -> None:
    called = {(where, name) for where, text in texts() for name in re.findall(r"(?m)^\s*(?:- )?uses: (\S+)", text)}

    assert {(where, name) for where, name in called if name not in ACTIONS and not name.startswith("./")} == set()
    assert len(called) > len(WORKFLOWS)


def test_hooks_install_nothing() -> None:
    """`language: system` runs the Pivot of the project; any other would install this repository or a package."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    blocks = [block for page in PAGES for block in re.findall(r"(?s)```yaml[^\n]*\nrepos:.*?```", page.read_text())]

    assert [hook["language"] for hook in hooks] == ["system"]
    assert blocks
    assert {name for block in blocks for name in re.findall(r"language: (\w+)", block)} == {"system"}
    assert {name for block in blocks for name in re.findall(r"repo: (\S+)", block)} == {"local"}


def test_pages_that_need_pivot_lead_to_the_page_that_installs_it() -> None:
    for page in ("README.md", "docs/quick-start.md", "docs/guides/ci.md", "docs/guides/remote-storage.md"):
        assert "install.md" in (ROOT / page).read_text(), page


def test_somebody_elses_versions_satisfy_no_pin_of_ours() -> None:
    """`pivot` 0.1 to 0.5 on the index is somebody else's; siblings are pinned to our own version."""
    assert [name for name, project in PROJECTS.items() if Version(project["version"]).release < (0, 6)] == []


@pytest.mark.parametrize(
    "line",
    [
        "pip install pivot",
        "python -m pip install -U pivot-cli pivot-remote-s3",
        "python -m pip install --require-hashes -r wheels/requirements.txt pivot",
        "uv pip install 'pivot==0.6.0'",
        'uv add "pivot[s3]"',
        "run `uv add pivot`.",
        "uv add wheels/pivot-0.6.0-py3-none-any.whl pivot-cli",
        "uvx pivot status",
        "uv tool install \\\n  pivot",
        "uv run --with pivot pivot status",
        "pipx install pivot-cli",
        "pipx run pivot",
        "pip install some-plugin",
    ],
)
def test_a_command_that_asks_an_index_is_found(line: str) -> None:
    assert by_name(f"Before it.\n{line}\nAfter it.\n") != []


@pytest.mark.parametrize(
    "line",
    [
        "pip install --no-index --no-deps wheels/*.whl",
        "pip install --require-hashes -r wheels/requirements.txt",
        "uv add wheels/*.whl",
        "it needs pandas: `uv add pandas`.",
        "uv run --group dev nox -s build",
        "uv tool install pre-commit",
    ],
)
def test_a_command_that_takes_files_passes(line: str) -> None:
    assert by_name(f"Before it.\n{line}\nAfter it.\n") == []


@pytest.mark.parametrize("text", ["the package `pivot-engine`", "pivot-remote-gs", "`pivot[gs]`", "pivot-cli[s3]"])
def test_a_name_that_is_not_ours_is_found(text: str) -> None:
    assert unknown_names(text) == [re.sub(r".*?(pivot[\w-]*(\[\w+\])?).*", r"\1", text)]


@pytest.mark.parametrize(
    "script", ["uv sync", "pip install -r requirements.txt", "pip install --no-index wheels/*.whl", "uvx ruff"]
)
def test_a_loose_line_of_a_script_is_found(script: str) -> None:
    assert loose(f"echo before\n{script}\n") == [script]
