"""Projects in temporary directories."""

import pathlib
import sys
from collections.abc import Callable

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

from harness import DATA, QUICK_START, Project


@pytest.fixture
def empty(tmp_path: pathlib.Path) -> Project:
    """A directory with nothing in it."""
    root = tmp_path / "project"
    root.mkdir()
    return Project(root)


@pytest.fixture
def make(empty: Project) -> Callable[[str], Project]:
    """An initialized project with the given ``pipeline.py``."""

    def made(pipeline: str) -> Project:
        empty.pivot("init")
        empty.write("pipeline.py", pipeline)
        return empty

    return made


@pytest.fixture
def quick(make: Callable[[str], Project]) -> Project:
    """The project of the quick start, not yet run."""
    project = make(QUICK_START)
    project.write("data.json", DATA)
    return project
