"""The package itself: its public names, and what importing it costs."""

import ast
import importlib
import inspect
import pathlib
import pkgutil
import sys

import pytest

import pivot_core
from pivot_core.errors import PivotError

MODULES = sorted(module.name for module in pkgutil.walk_packages(pivot_core.__path__, "pivot_core."))


@pytest.mark.parametrize("name", pivot_core.__all__)
def test_public_names_are_those_of_the_modules(name: str) -> None:
    value = getattr(pivot_core, name)

    assert getattr(sys.modules[value.__module__], name) is value
    assert value.__module__.startswith("pivot_core.")


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        pivot_core.nonsense  # noqa: B018


def test_modules_that_decide_do_not_touch_the_disk() -> None:
    """Only `loaders`, `checks` of files and `discovery` may, and the search of `patterns`; a pure path is text."""
    touching = set()
    for name in MODULES:
        module = importlib.import_module(name)
        assert module.__file__ is not None
        tree = ast.parse(pathlib.Path(module.__file__).read_text())
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {
            str(node.module)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and [alias.name for alias in node.names] != ["PurePath"]
        }
        if {"pathlib", "io", "shutil", "subprocess", "tempfile", "importlib"} & imported:
            touching.add(name)

    assert touching == {"pivot_core.stages.checks", "pivot_core.discovery", "pivot_core.loaders"}


def test_every_error_is_one_of_the_family_and_says_what_it_stands_for() -> None:
    errors = {
        value
        for name in MODULES
        for value in vars(importlib.import_module(name)).values()
        if inspect.isclass(value) and issubclass(value, Exception)
    }

    assert {error.__name__ for error in errors} >= {"PivotError", "StageError", "GraphError", "LoaderError"}
    for error in errors:
        assert issubclass(error, PivotError)
        assert error.__doc__
        assert error.exit_code in (1, 2, 3)


def test_error_is_one_sentence_with_a_way_out() -> None:
    error = PivotError("the disk is full", hint="free some space")

    assert (str(error), error.hint) == ("the disk is full", "free some space")
    assert PivotError("it is so").hint is None
