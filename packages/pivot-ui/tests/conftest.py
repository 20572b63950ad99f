"""Modules beside the tests can be imported by them."""

import pathlib
import sys
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

import pytest
from served import ServedProject

from pivot_runtime.project.project import init

DECLARED = """\
pipeline: words
stages:
  upper:
    cmd: tr a-z A-Z < words.txt > loud.txt
    deps: [words.txt]
    outs: [loud.txt]
  count:
    cmd: wc -c < loud.txt > count.txt
    deps: [loud.txt]
    outs: [count.txt]
"""


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """A project with two stages that have not run."""
    directory = tmp_path / "project"
    directory.mkdir()
    init(directory)
    (directory / "pivot.yaml").write_text(DECLARED)
    (directory / "words.txt").write_text("a b c\n")
    return directory


@pytest.fixture
def served(root: pathlib.Path) -> Iterator[ServedProject]:
    """The same project, served in a thread."""
    with ServedProject(root) as found:
        yield found
