"""Modules beside the tests can be imported by them."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

import pytest
from workshop import Workshop


@pytest.fixture
def shop(tmp_path: pathlib.Path) -> Workshop:
    """An empty project."""
    root = tmp_path / "project"
    root.mkdir()
    return Workshop(root)
