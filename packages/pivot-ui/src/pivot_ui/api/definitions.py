"""Where a stage is defined, as text: its function, its command or its notebook. Nothing is imported."""

import ast
import os
import pathlib
import stat
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from pivot_core.errors import DefinitionError
from pivot_core.values import Value
from pivot_runtime.definitions.notebook_code import KEY, read_notebook
from pivot_runtime.loading.loaded import LoadedStage

__all__ = ["Definition", "definition_of", "function_at"]

_MOST_BYTES: Final = 1 << 22
"""Larger files are not read."""
_LONGEST: Final = 1 << 16
"""Longer texts are cut."""


@attrs.frozen(eq=False, repr=False)
class DefinedCell(Value):
    """A code cell of a notebook.

    Attributes:
        number: Its number among the code cells that run, from 1.
        text: Its text.
    """

    number: int
    text: str


@attrs.frozen(eq=False, repr=False)
class Definition(Value):
    """Where a stage is defined, as far as that can be read.

    Attributes:
        file: The file, relative to the root of the project if it is in it.
        line: The first line of the text in it.
        text: The source text; for a notebook, that of its code cells.
        doc: The docstring of a function.
        signature: Its name, parameters and annotations.
        cells: The code cells of a notebook.
    """

    file: str
    line: int
    text: str
    doc: str = ""
    signature: str = ""
    cells: tuple[DefinedCell, ...] = ()


def definition_of(root: pathlib.Path, loaded: LoadedStage, kind: str) -> Definition | None:
    """Return where a stage of this kind (``function``, ``shell`` or ``notebook``) is defined; None if it is unknown."""
    at = loaded.spec.location
    match kind:
        case "shell":
            return Definition(at.file, at.line, _cut("\n".join(loaded.texts.values())))
        case "notebook":
            return _notebook(root, loaded)
        case _:
            source = _read(root / at.file)
            return None if source is None else function_at(source.decode("utf-8-sig", "replace"), at.file, at.line)


def function_at(source: str, file: str, line: int) -> Definition | None:
    """Return the function that begins at a line of a source text, with its decorators; None if there is none."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in _functions(module):
        first = min((node.lineno, *(each.lineno for each in node.decorator_list)))
        if line in (first, node.lineno):
            lines = source.splitlines(keepends=True)[first - 1 : node.end_lineno]
            return Definition(
                file,
                first,
                _cut("".join(lines)),
                _cut(ast.get_docstring(node) or ""),
                _cut(_signature(node)),
            )
    return None


def _functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    try:
        returns = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
        return f"{node.name}({ast.unparse(node.args)}){returns}"
    except RecursionError:
        return ""


def _notebook(root: pathlib.Path, loaded: LoadedStage) -> Definition | None:
    places = [entry.location for key, entry in loaded.code.items() if key.startswith(KEY) and entry.location]
    content = _read(root / places[0].file) if places else None
    if content is None:
        return None
    try:
        cells = read_notebook(content, places[0].file).cells
    except DefinitionError:
        return None
    text = "\n\n".join(f"# %% [{number}]\n{cell.source}" for number, cell in enumerate(cells, 1))
    first = min((cell.line for cell in cells), default=1)
    return Definition(places[0].file, first, _cut(text), cells=tuple(_apart([cell.source for cell in cells])))


def _apart(sources: Iterable[str]) -> Iterator[DefinedCell]:
    """Yield the cells, as far as they are together not too long."""
    left = _LONGEST
    for number, source in enumerate(sources, 1):
        text = _cut(source, left)
        left -= len(text)
        yield DefinedCell(number, text)
        if left <= 0:
            return


def _read(file: pathlib.Path) -> bytes | None:
    """Return the bytes of a regular file that is not too large; None for anything else."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            return None
        with open(descriptor, "rb", closefd=False) as opened:
            return opened.read(_MOST_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _cut(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
