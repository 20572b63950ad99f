"""Projects in temporary directories."""

import pathlib
import shutil
import sys
from collections.abc import Callable

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

from harness import DATA, QUICK_START, Project

# The fixtures that show that the installed packages work together; the other modules' subject is not how they were
# installed.
SAMPLE = ("test_cli", "test_descriptors", "test_failures", "test_quick_start", "test_remote", "test_sharing")
# Where the executable is the subject, each command is a new interpreter.
PROCESSES = (*("test_descriptors", "test_hosts", "test_mcp", "test_quick_start", "test_terminal"),)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All but the sample run once, and not again for the packages as built."""
    for item in items:
        if item.path.parent == pathlib.Path(__file__).parent and item.path.stem not in SAMPLE:
            item.add_marker(pytest.mark.exhaustive)


@pytest.fixture
def empty(tmp_path: pathlib.Path, request: pytest.FixtureRequest) -> Project:
    """A directory with nothing in it."""
    root = tmp_path / "project"
    root.mkdir()
    return Project(root, executable=request.path.stem in PROCESSES)


@pytest.fixture(scope="session")
def initialized(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The files that ``pivot init`` creates, to be copied."""
    root = tmp_path_factory.mktemp("initialized")
    Project(root).pivot("init")
    return root


@pytest.fixture
def make(empty: Project, initialized: pathlib.Path) -> Callable[[str], Project]:
    """An initialized project with the given ``pipeline.py``."""

    def made(pipeline: str) -> Project:
        shutil.copytree(initialized, empty.root, dirs_exist_ok=True)
        empty.write("pipeline.py", pipeline)
        return empty

    return made


@pytest.fixture(scope="session")
def ran(initialized: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The project of the quick start, run, to be copied."""
    project = Project(tmp_path_factory.mktemp("ran"))
    shutil.copytree(initialized, project.root, dirs_exist_ok=True)
    project.write("pipeline.py", QUICK_START)
    project.write("data.json", DATA)
    project.pivot("repro")
    return project.root


@pytest.fixture
def quick(make: Callable[[str], Project]) -> Project:
    """The project of the quick start, not yet run."""
    project = make(QUICK_START)
    project.write("data.json", DATA)
    return project


@pytest.fixture(scope="session", autouse=True)
def _forked_interpreters(forked_interpreters: None) -> None:
    """Fork the processes that commands within this process start, where that makes no difference."""
