"""The fingerprint of a notebook: an entry for each cell, and those of the project's code that the cells lead to."""

import contextlib
import pathlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from pivot_cache.errors import CacheError
from pivot_cache.files.atomic import drop_older_half, write_bytes
from pivot_cache.layout import Layout
from pivot_core.files.digest import digest_bytes
from pivot_fingerprint import Entry, Fingerprinter, Library, Manifest, Unresolved
from pivot_runtime.definitions import notebook_code
from pivot_runtime.definitions.notebook_code import NotebookCell, NotebookCode

_UNSEEN = "the files that its cells read beyond its deps, and the programs that they call"

_MOST = 200
"""The most modules that are kept; the older half of more is dropped."""


def manifest_of(code: NotebookCode, fingerprinter: Fingerprinter, root: pathlib.Path, temporary: set[str]) -> Manifest:
    """The manifest of a notebook; cells in another language than Python count by text.

    If nothing can be written in the project, the code is in a temporary file outside meanwhile, which is added to
    ``temporary``.
    """
    at = code.cells[0].line if code.cells else 1
    unseen = Unresolved(code.path, at, _UNSEEN, _key(1))
    if code.language != "python":
        entries = {
            _key(number): Entry(digest_bytes(cell.source.encode()), code.path, cell.line)
            for number, cell in enumerate(code.cells, 1)
        }
        return Manifest(entries, (unseen,))
    with contextlib.ExitStack() as stack:
        text, ends = notebook_code.module_of(code)
        file = _file(text, root)
        if not file:
            file = _temporary_file(text, stack)
            temporary.add(file)
        functions = stack.enter_context(_functions(text, file))
        together = fingerprinter.fingerprint(functions[notebook_code.ALL])
        own = {key for key, entry in together.items() if entry.via is None}
        found = {
            _key(number): Entry(digest, code.path, cell.line)
            for number, cell in enumerate(code.cells, 1)
            for digest in [_root_digest(fingerprinter.fingerprint(functions[f"cell_{number}"]))]
        }
    for key, entry in together.items():
        if key not in own:
            found[key] = entry._replace(via=None) if entry.via in own else entry
    unresolved = tuple(_placed(each, code, ends) if each.key in own else each for each in together.unresolved)
    return Manifest(found, (*unresolved, unseen), _libraries(together))


def _file(text: str, root: pathlib.Path) -> str:
    """A file with the functions of a notebook, in which they can be looked up; empty if it cannot be written."""
    data = text.encode("utf-8", "surrogatepass")
    file = Layout(root).notebook_file(_name(data))
    try:
        if not file.is_file() or file.read_bytes() != data:
            file.parent.mkdir(parents=True, exist_ok=True)
            drop_older_half(file.parent, _MOST)
            write_bytes(file, data)
    except (OSError, CacheError):
        return ""
    return str(file)


def _temporary_file(text: str, stack: contextlib.ExitStack) -> str:
    """The same in the temporary directory, until the end of the block."""
    import tempfile  # lazy

    data = text.encode("utf-8", "surrogatepass")
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="pivot-"))
    file = pathlib.Path(directory, f"{_name(data)}.py")
    file.write_bytes(data)
    return str(file)


def _name(data: bytes) -> str:
    return f"notebook_{digest_bytes(data)[:16]}"


@contextlib.contextmanager
def _functions(text: str, file: str) -> Iterator[dict[str, Any]]:
    """The functions by name; their module is imported until the end of the block."""
    name = pathlib.Path(file).stem
    module: Any = ModuleType(name)
    module.__file__ = file
    exec(compile(text, file, "exec", dont_inherit=True), vars(module))  # noqa: S102  # it defines functions only
    sys.modules[name] = module
    try:
        yield vars(module)
    finally:
        sys.modules.pop(name, None)


def _root_digest(manifest: Manifest) -> str:
    return next(entry.digest for entry in manifest.values() if entry.via is None)


def _placed(each: Unresolved, code: NotebookCode, ends: tuple[int, ...]) -> Unresolved:
    """Unresolved code at its cell."""
    cell: NotebookCell | None = code.cell_at(each.line, ends)
    line = 1 if cell is None else cell.line
    number = 1 if cell is None else code.cells.index(cell) + 1
    return Unresolved(code.path, line, each.reason, _key(number))


def _libraries(manifest: Manifest) -> dict[str, Library]:
    return dict(manifest.libraries)


def _key(number: int) -> str:
    return f"{notebook_code.KEY}{number}"
