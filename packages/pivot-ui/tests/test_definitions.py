"""The text of a stage is read where it is defined, and nothing is imported."""

import os
import pathlib
import textwrap

from pivot_core.lock import CodeEntry
from pivot_core.spec import Location, StageSpec
from pivot_runtime.loading.loaded import LoadedStage
from pivot_ui.api.definitions import definition_of, function_at

SOURCE = textwrap.dedent(
    '''
    raise SystemExit("it is never imported")

    @pipeline.register(
        retries=2,
    )
    def train(rows: "list[int]", *, rate: float = 0.1) -> dict[str, float]:
        """Fit a model.

        With <script>alert(1)</script> in it.
        """
        return {}


    class Stages:
        async def inner(self): return 1
    '''
)


def stage(file: str, line: int, **code: str) -> LoadedStage:
    spec = StageSpec("s", "p", "", Location(file, line))
    places = {
        f"cell:{number}": CodeEntry("0" * 32, Location(place, 1)) for number, place in enumerate(code.values(), 1)
    }
    return LoadedStage(spec, places)


def test_a_function_is_found_by_its_line_or_that_of_its_decorator() -> None:
    lines = SOURCE.splitlines()
    decorator, name = lines.index("@pipeline.register(") + 1, decorated(lines)

    for line in (decorator, name):
        found = function_at(SOURCE, "pipeline.py", line)
        assert found is not None
        assert (found.file, found.line) == ("pipeline.py", decorator)
        assert found.signature == "train(rows: 'list[int]', *, rate: float=0.1) -> dict[str, float]"
        assert found.doc == "Fit a model.\n\nWith <script>alert(1)</script> in it."
        assert found.text.startswith("@pipeline.register(\n")
        assert found.text.endswith("return {}\n")

    inner = function_at(SOURCE, "pipeline.py", len(lines))
    assert inner is not None
    assert (inner.signature, inner.doc) == ("inner(self)", "")


def decorated(lines: list[str]) -> int:
    return next(number for number, line in enumerate(lines, 1) if line.startswith("def train"))


def test_no_function_is_found_elsewhere() -> None:
    assert function_at(SOURCE, "pipeline.py", 1) is None
    assert function_at(SOURCE, "pipeline.py", decorated(SOURCE.splitlines()) + 2) is None
    assert function_at("def broken(:", "pipeline.py", 1) is None
    assert function_at("a\0b", "pipeline.py", 1) is None
    assert function_at("(" * 5000, "pipeline.py", 1) is None


def test_long_texts_are_cut() -> None:
    long = f'def f():\n    """{"a" * 200_000}"""\n'
    found = function_at(long, "pipeline.py", 1)
    assert found is not None
    assert len(found.doc) == len(found.text) == (1 << 16) + 1
    assert found.doc.endswith("…")


def test_what_is_no_regular_file_is_not_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pipeline.py").write_text("def f(): ...\n")
    os.mkfifo(tmp_path / "fifo.py")
    (tmp_path / "directory.py").mkdir()

    found = definition_of(tmp_path, stage("pipeline.py", 1), "function")
    assert found is not None
    assert found.signature == "f()"
    for name in ("fifo.py", "directory.py", "missing.py", "a\0b.py"):
        assert definition_of(tmp_path, stage(name, 1), "function") is None


def test_a_notebook_is_shown_by_its_cells(tmp_path: pathlib.Path) -> None:
    cells = ", ".join(
        f'{{"cell_type": "code", "metadata": {{}}, "outputs": [], "execution_count": null, "source": {text}}}'
        for text in ('["a = 1\\n", "b"]', '"print(a)"')
    )
    (tmp_path / "look.ipynb").write_text(
        f'{{"nbformat": 4, "nbformat_minor": 5, "metadata": {{}}, "cells": [{cells}]}}'
    )
    (tmp_path / "broken.ipynb").write_text("{")

    found = definition_of(tmp_path, stage("pipeline.py", 3, first="look.ipynb"), "notebook")
    assert found is not None
    assert found.file == "look.ipynb"
    assert found.text == "# %% [1]\na = 1\nb\n\n# %% [2]\nprint(a)"
    assert [(cell.number, cell.text) for cell in found.cells] == [(1, "a = 1\nb"), (2, "print(a)")]
    assert definition_of(tmp_path, stage("pipeline.py", 3, first="broken.ipynb"), "notebook") is None
    assert definition_of(tmp_path, stage("pipeline.py", 3), "notebook") is None
