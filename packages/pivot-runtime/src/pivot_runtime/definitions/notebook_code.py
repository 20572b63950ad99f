"""Code of a notebook: its cells, and a module with the same statements in functions, which are never called."""

import ast
import json
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from pivot_cache.files import safe_read
from pivot_core.errors import DefinitionError
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.spec import StageError
from pivot_core.stages.notebook import Notebook
from pivot_core.stages.stage import Stage
from pivot_core.values import Value

PARAMETERS: Final = "parameters"
"""The tag of the cell after which the parameters of a run are assigned."""
INJECTED: Final = "injected-parameters"
"""The tag of the cell that assigns them, also in executed copies."""
SKIPPED: Final = "skip-execution"
_COUNTED: Final = (PARAMETERS, "raises-exception")
"""The tags that change how a notebook runs."""
KEY: Final = "cell:"
"""The beginning of the key of a cell in a manifest; the number of the cell follows."""
ALL: Final = "notebook"
"""The name of the function with the statements of all cells."""
_MAGIC: Final = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$")
_ASSIGNED: Final = re.compile(r"^(\s*)([A-Za-z_][\w.,\s\[\]]*)=\s*([%!].*)$")
_PYTHON_CELLS: Final = re.compile(r"^%%(?:time|timeit|capture|prun)\b")
_NO_ARGUMENTS: Final = ast.arguments([], [], None, [], [], None, [])
_AWAIT: Final = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST


@attrs.frozen(eq=False, repr=False)
class NotebookCell(Value):
    """A code cell.

    Attributes:
        source: Its text.
        line: Its line in the file.
        tags: Its tags.
    """

    source: str
    line: int
    tags: tuple[str, ...] = ()


@attrs.frozen(eq=False, repr=False)
class NotebookCode(Value):
    """The part of a notebook that counts.

    Attributes:
        path: Its path, relative to the root.
        digest: The digest of its bytes.
        language: The language of its kernel.
        cells: The code cells that run.
    """

    path: str
    digest: str
    language: str
    cells: tuple[NotebookCell, ...]

    def cell_at(self, line: int | None, lines: Sequence[int]) -> NotebookCell | None:
        """The cell that a line of `module_of` belongs to; ``lines`` has the last line of each cell."""
        ends = zip(self.cells, lines, strict=True)
        return next((cell for cell, end in ends if line is not None and line <= end), None)


def of_stage(stage: Stage, *, base: str, root: str) -> NotebookCode | None:
    """The code of the notebook of a stage that runs in ``base``; None if it has none.

    Raises:
        StageError: The notebook is missing, or is not a notebook.
    """
    if not isinstance(stage.func, Notebook):
        return None
    name = stage.func.path
    try:
        path = str(ArtifactPath.resolve(name, base=base, root=root))
        return read_notebook(safe_read.read_regular(pathlib.Path(root, path)), path)
    except OSError as error:
        problem = f"its notebook {name!r} cannot be read: {error.strerror}"
        raise StageError(stage.name, stage.location, problem) from None
    except DefinitionError as error:
        raise StageError(stage.name, stage.location, str(error), hint=error.hint) from None


def read_notebook(data: bytes, path: str) -> NotebookCode:
    """The code of a notebook with these bytes.

    Raises:
        DefinitionError: It is not a notebook in the format 4.
    """
    try:
        content = json.loads(data)
        if content["nbformat"] != 4:  # noqa: PLR2004
            problem = f"{path} has the old format {content['nbformat']}"
            raise DefinitionError(problem, hint=f"jupyter nbconvert --to notebook {path}")
        lines = _lines_of_cells(data.decode())
        cells = [
            NotebookCell(_text(cell["source"]), lines[number] if number < len(lines) else 1, tags)
            for number, cell in enumerate(each for each in content["cells"] if each["cell_type"] == "code")
            for tags in [tuple(cell.get("metadata", {}).get("tags", ()))]
        ]
        language = language_of(content.get("metadata", {}))
    except (ValueError, KeyError, TypeError, AttributeError):
        hint = "open it in Jupyter, and save it again"
        raise DefinitionError(f"{path} is not a Jupyter notebook", hint=hint) from None
    run = [cell for cell in cells if not {INJECTED, SKIPPED}.intersection(cell.tags) and cell.source.strip()]
    return NotebookCode(path, digest_bytes(data), language, tuple(run))


def is_cell(file: str) -> bool:
    """Whether a kernel has compiled a cell under this file name."""
    return f"{os.sep}ipykernel_" in file


def module_of(code: NotebookCode) -> tuple[str, tuple[int, ...]]:
    """The text of a module for a fingerprint: a function for each cell, and `ALL` with all statements together.

    Names that one cell assigns and another uses are followed only in the latter.

    Returns:
        The text, and the last line of each cell's part of `ALL`.
    """
    bodies = [_statements(cell) for cell in code.cells]
    text = _functions(bodies)
    try:
        compile(text, "<notebook>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):  # such as a name that is global in one cell and assigned in another
        bodies = [_call(cell.source) for cell in code.cells]
        text = _functions(bodies)
    together = ast.parse(text).body[0]
    assert isinstance(together, ast.AsyncFunctionDef)  # noqa: S101  # see below
    places = iter(together.body[1:])
    ends = [max((next(places).end_lineno or 0 for _ in body), default=0) for body in bodies]
    return text, tuple(ends)


def _functions(bodies: Sequence[Sequence[ast.stmt]]) -> str:
    """The functions, each with a first statement, so that no text in a cell is a docstring."""
    named = {ALL: [statement for body in bodies for statement in body]}
    named |= {f"cell_{number}": list(body) for number, body in enumerate(bodies, 1)}
    return "\n".join(
        f"{ast.unparse(ast.AsyncFunctionDef(name, _NO_ARGUMENTS, [*_call(name), *body], [], lineno=1))}\n"
        for name, body in named.items()
    )


def _statements(cell: NotebookCell) -> list[ast.stmt]:
    """The statements of a cell as they may be in a function; magics count by their text."""
    marks = [mark for tag in _COUNTED if tag in cell.tags for mark in _call(f"tag {tag}")]
    if cell.source.rstrip().endswith(";"):
        marks += _call(";")  # the value of the last line is not shown
    found = _parsed(cell.source)
    return [*marks, *(_call(cell.source) if found is None else _Movable().visit(ast.Module(found, [])).body)]


def _call(text: str) -> list[ast.stmt]:
    """A statement that counts by a text."""
    return ast.parse(f"repr({text!r})").body


def _parsed(source: str) -> list[ast.stmt] | None:
    """The statements of a cell, with each magic as a call with its text; None if it is not Python."""
    first, _, rest = source.lstrip().partition("\n")
    if first.startswith("%%"):
        body = _parsed(rest) if _PYTHON_CELLS.match(first) else None
        return None if body is None else [*_call(first), *body]
    for text in (source, "\n".join(map(_without_magic, source.split("\n")))):
        try:
            tree = compile(text, "<cell>", "exec", _AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
        assert isinstance(tree, ast.Module)  # noqa: S101  # because of the flags
        return tree.body
    return None


def _without_magic(line: str) -> str:
    assigned = _ASSIGNED.match(line)
    if assigned is not None:
        return f"{assigned[1]}{assigned[2]}= repr({assigned[3]!r})"
    magic = _MAGIC.match(line)
    return line if magic is None else f"{magic[1]}repr({line.strip()!r})"


class _Movable(ast.NodeTransformer):
    """Replaces statements that may only be at the top of a module; a star import counts as the whole module."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:  # the name is Python's
        if node.module == "__future__":
            return _call(ast.unparse(node))
        if node.names[0].name != "*" or node.module is None or node.level:
            return node
        return ast.parse(f"import {node.module}\nvars({node.module})").body


def _text(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)


def language_of(metadata: Mapping[str, Any]) -> str:
    """Return the language of a notebook with these metadata, in lower case."""
    spec, info = metadata.get("kernelspec", {}), metadata.get("language_info", {})
    return str(spec.get("language") or info.get("name") or "python").casefold()


def _lines_of_cells(text: str) -> list[int]:
    """The lines of the code cells, as far as the file is formatted as notebooks are."""
    return [number for number, line in enumerate(text.split("\n"), 1) if re.search(r'"cell_type"\s*:\s*"code"', line)]
