"""Changes that a module makes to `sys.path`, as far as its text says which directories it adds."""

import ast
import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from pivot_fingerprint.syntax.parsed import walk

_DEPTH: Final = 24
_PLACE: Final = "/" + "/".join(f"\0{number}" for number in range(_DEPTH))
"""Stands for the directory of the file, whatever it is."""
_JOINING: Final = frozenset({"join", "joinpath"})
_KEEPING: Final = frozenset(
    {"abspath", "realpath", "normpath", "resolve", "absolute", "as_posix", "Path", "str", "fspath"}
)
_ADDING: Final = {"insert": 1, "append": 0, "extend": 0}


class PathChange(NamedTuple):
    """One directory that is added to `sys.path`.

    Attributes:
        line: The line.
        path: The directory; None if the text does not say it.
        beside: Whether it is relative to the directory of the file, and not to the working directory.
        first: Whether it is searched before the others.
    """

    line: int
    path: str | None
    beside: bool = False
    first: bool = False


def path_changes(tree: ast.Module) -> Iterator[PathChange]:
    """The changes of `sys.path` in a module, in the order of the text."""
    paths = _Paths(tree)
    for node in sorted(_changes(tree), key=lambda each: each.lineno):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            at = _ADDING.get(name)
            given = node.args[at] if at is not None and len(node.args) > at else None
            several = given.elts if name == "extend" and isinstance(given, ast.List | ast.Tuple) else [given]
            for each in several:
                yield paths.change(node.lineno, each if name != "extend" or each is not given else None, first=at == 1)
        else:
            yield PathChange(node.lineno, None)


def _changes(tree: ast.Module) -> Iterator[ast.stmt | ast.expr]:
    for node in walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in {*_ADDING, "remove", "pop", "clear"} and _is_path(node.func.value):
                yield node
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
            targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
            targets = [each.value if isinstance(each, ast.Subscript) else each for each in targets]
            if any(map(_is_path, targets)):
                yield node


def _is_path(node: ast.expr) -> bool:
    """Whether an expression is `sys.path`."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "path"
        and isinstance(node.value, ast.Name)
        and node.value.id == "sys"
    )


class _Paths:
    """Evaluates expressions of paths in one module."""

    def __init__(self, tree: ast.Module) -> None:
        self._bound: dict[str, list[ast.expr]] = {}
        for node in tree.body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                self._bound.setdefault(node.targets[0].id, []).append(node.value)

    def change(self, line: int, node: ast.expr | None, *, first: bool) -> PathChange:
        path = None if node is None else self._path(node, _DEPTH)
        if path is None:
            return PathChange(line, None)
        beside = path.startswith("/\0")
        return PathChange(line, os.path.relpath(path, _PLACE) if beside else os.path.normpath(path), beside, first)

    def _path(self, node: ast.expr, depth: int) -> str | None:  # noqa: PLR0911 - one line per kind
        """The path that an expression stands for, below `_PLACE` if it is relative to the file."""
        if not depth:
            return None
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            if node.id == "__file__":
                return f"{_PLACE}/\0file"
            bound = self._bound.get(node.id, [])
            return self._path(bound[0], depth - 1) if len(bound) == 1 else None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return self._joined([node.left, node.right], depth)
        if isinstance(node, ast.Attribute) and node.attr == "parent":
            return self._above(node.value, 1, depth)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
            at = node.slice.value if isinstance(node.slice, ast.Constant) else None
            return self._above(node.value.value, at + 1, depth) if isinstance(at, int) else None
        return self._call(node, depth) if isinstance(node, ast.Call) else None

    def _call(self, node: ast.Call, depth: int) -> str | None:
        func = node.func
        name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
        of = func.value if isinstance(func, ast.Attribute) else None
        if name == "getcwd" or (name == "cwd" and not node.args):
            return "."
        if name == "dirname" and node.args:
            return self._above(node.args[0], 1, depth)
        if name in _JOINING:
            return self._joined([of, *node.args] if name == "joinpath" and of is not None else node.args, depth)
        if name in _KEEPING:
            subject = node.args[0] if node.args else of
            return None if subject is None else self._path(subject, depth - 1)
        return None

    def _joined(self, nodes: list[ast.expr], depth: int) -> str | None:
        parts = [self._path(each, depth - 1) for each in nodes]
        known = [each for each in parts if each is not None]
        return os.path.normpath(os.path.join(*known)) if known and len(known) == len(parts) else None

    def _above(self, node: ast.expr, times: int, depth: int) -> str | None:
        path = self._path(node, depth - 1)
        for _ in range(times if path is not None else 0):
            path = os.path.dirname(path) or "." if path is not None else None
        return path
