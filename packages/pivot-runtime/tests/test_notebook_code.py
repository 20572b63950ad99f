"""The code of notebooks: which parts of a file count, and as which statements."""

import ast
import json
from typing import Any

import pytest

from pivot_core.errors import DefinitionError
from pivot_runtime.definitions.notebook_code import NotebookCode, module_of, read_notebook


def notebook(*cells: str, tags: tuple[str, ...] = (), **more: Any) -> NotebookCode:
    made = [{"cell_type": "code", "metadata": {"tags": list(tags)}, "source": cell.splitlines(True)} for cell in cells]
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made, **more}
    return read_notebook(json.dumps(content, indent=1).encode(), "a.ipynb")


def body(*cells: str, **options: Any) -> str:
    text, _ = module_of(notebook(*cells, **options))
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.AsyncFunctionDef)
    return "\n".join(map(ast.unparse, function.body[1:]))


@pytest.mark.parametrize(
    ("cell", "statements"),
    [
        ("a = 1  # why", "a = 1"),
        ("%matplotlib inline\na = 1", "repr('%matplotlib inline')\na = 1"),
        ("if a:\n    !ls {a}", "if a:\n    repr('!ls {a}')"),
        ("files = !ls", "files = repr('!ls')"),
        ("a = %timeit -o f()", "a = repr('%timeit -o f()')"),
        ("f?", "repr('f?')"),
        ("x = '''\n%not magic\n'''", "x = '\\n%not magic\\n'"),
        ("%%time\na = 1", "repr('%%time')\na = 1"),
        ("%%bash\nls", "repr('%%bash\\nls')"),
        ("%%time\n1 +", "repr('%%time\\n1 +')"),
        ("a;", "repr(';')\na"),
        ("await f()", "await f()"),
        ("from m import *", "import m\nvars(m)"),
        ("from m import a", "from m import a"),
        ("from __future__ import annotations", "repr('from __future__ import annotations')"),
        ("this is wrong here", "repr('this is wrong here')"),
    ],
)
def test_statements(cell: str, statements: str) -> None:
    assert body(cell) == statements


def test_cells_are_together_and_apart() -> None:
    text, ends = module_of(notebook("a = 1", "\n", "b = a"))

    assert [each.name for each in ast.parse(text).body if isinstance(each, ast.AsyncFunctionDef)] == [
        "notebook",
        "cell_1",
        "cell_2",
    ]
    assert ends == (3, 4)


def test_cells_that_cannot_be_together_count_by_their_text() -> None:
    assert body("global a", "a = 1", "def f():\n    nonlocal a").startswith("repr('global a')\nrepr('a = 1')")


def test_tags_that_change_a_run_count_and_others_do_not() -> None:
    assert body("a = 1", tags=("parameters", "mine")) == "repr('tag parameters')\na = 1"
    assert body("a = 1", tags=("injected-parameters",)) == ""
    assert body("a = 1", tags=("skip-execution",)) == ""


def test_cells_have_their_lines_in_the_file() -> None:
    code = notebook("a = 1", "b = 2")

    assert [cell.line for cell in code.cells] == [7, 16]
    assert code.cell_at(3, (3, 4)) == code.cells[0]
    assert code.cell_at(9, (3, 4)) is None
    assert code.language == "python"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"nbformat": 4, "cells": [1]}', b"\xff"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(DefinitionError, match="is not a Jupyter notebook"):
        read_notebook(data, "a.ipynb")


def test_old_notebooks_are_refused() -> None:
    with pytest.raises(DefinitionError, match="has the old format 3"):
        notebook(nbformat=3)
