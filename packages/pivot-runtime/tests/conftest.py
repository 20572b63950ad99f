"""Modules beside the tests can be imported by them."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

import pytest
from workshop import Workshop

from pivot_runtime.context import CommandContext
from pivot_runtime.project.project import init


@pytest.fixture
def shop(tmp_path: pathlib.Path) -> Workshop:
    """An empty project."""
    root = tmp_path / "project"
    root.mkdir()
    return Workshop(root)


@pytest.fixture
def context(tmp_path: pathlib.Path) -> CommandContext:
    """The context of a command in an empty project."""
    root = tmp_path / "project"
    root.mkdir()
    init(root)
    return CommandContext.find(root, os.environ)


@pytest.fixture(scope="session", autouse=True)
def _forked_interpreters(forked_interpreters: None) -> None:
    """Fork the processes that tests start, where that makes no difference."""
