"""A source file as it lies on disk: parsed once, and where each function and class stands in it."""

import ast
import os
from bisect import bisect_right
from collections.abc import Iterator
from types import CodeType
from typing import NamedTuple

from xxhash import xxh3_128_digest

from pivot_fingerprint._canonical import canonical
from pivot_fingerprint._form import Form

type Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
type Node = Definition | ast.Lambda

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NODES = (*_DEFINITIONS, ast.Lambda)
_SIMPLE = (*_DEFINITIONS, ast.Expr, ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom)  # hold no statements


class Place(NamedTuple):
    """Where a function or class stands: the definition at the top of the module that holds it, and which of its own."""

    top: Definition | None  # None: a lambda outside any definition
    number: int  # 0 is the top itself
    node: Node


class SourceFile:
    """One parsed file; everything else about it is worked out when it is first asked for."""

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        self.tree = ast.parse(content)
        self.bindings: dict[str, list[ast.stmt]] = {}
        self.stars: list[ast.ImportFrom] = []
        self.tops: list[Definition] = []
        self._forms: dict[ast.AST, Form] = {}
        self._inner: dict[ast.AST, list[Node]] = {}
        self._lambdas: dict[int, list[Place]] | None = None
        for statement in _top_statements(self.tree):
            if isinstance(statement, _DEFINITIONS):
                self.tops.append(statement)
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                self.stars.append(statement)
            for name in _bound(statement):
                self.bindings.setdefault(name, []).append(statement)
        self._effects: list[tuple[ast.stmt, str, tuple[str, ...]]] | None = None
        self._sorted = sorted(self.tops, key=first_line)
        self._starts = [first_line(top) for top in self._sorted]

    def form(self, node: ast.AST) -> Form:
        """The canonical form of a node of this file, written once."""
        form = self._forms.get(node)
        if form is None:
            body = node.body if isinstance(node, ast.Module) else [node]
            form = self._forms[node] = canonical(body)
        return form

    def locate(self, code: CodeType) -> Place | None:
        """Where the function that has this code stands."""
        line = code.co_firstlineno
        place = self._locate(line, code.co_name)
        if len(place) > 1:
            place = _enclosing(place, code)
        if not place and code.co_name != "<lambda>":
            place = self._by_qualname(code.co_qualname)
        return place[0] if place else None

    def locate_class(self, cls: type) -> Place | None:
        """Where a class stands."""
        line = getattr(cls, "__firstlineno__", None)
        places = self._locate(line, cls.__name__) if isinstance(line, int) else []
        places = places or self._by_qualname(cls.__qualname__)
        places = [place for place in places if isinstance(place.node, ast.ClassDef)]
        return places[0] if places else None

    def _locate(self, line: int, name: str) -> list[Place]:
        at = bisect_right(self._starts, line) - 1
        for top in self._sorted[at : at + 1] if at >= 0 else ():
            if line <= (top.end_lineno or 0):
                return [
                    Place(top, number, node)
                    for number, node in enumerate(self.inner(top))
                    if first_line(node) == line and _name(node) == name
                ]
        if name != "<lambda>":
            return []
        return self._outer_lambdas().get(line, [])

    def _by_qualname(self, qualname: str) -> list[Place]:
        """When lines have moved since the import: the one definition of that name."""
        found = [top for top in self.tops if top.name == qualname]
        return [Place(found[0], 0, found[0])] if len(found) == 1 else []

    def inner(self, top: Definition) -> list[Node]:
        """The definition itself and all that is defined in it, in a fixed order."""
        nodes = self._inner.get(top)
        if nodes is None:
            nodes = self._inner[top] = [node for node in ast.walk(top) if isinstance(node, _NODES)]
        return nodes

    @property
    def effects(self) -> list[tuple[ast.stmt, str, tuple[str, ...]]]:
        """The statements that do something to what a name stands for, each with that name and its attributes."""
        if self._effects is None:
            self._effects = []
            for statement in _top_statements(self.tree, main=False):
                for target in _touched(statement):
                    root, attrs = _root(target)
                    if root and (not self._effects or self._effects[-1][0] is not statement):
                        self._effects.append((statement, root, attrs))
        return self._effects

    def _outer_lambdas(self) -> dict[int, list[Place]]:
        """By line: the lambdas outside any definition."""
        if self._lambdas is None:
            self._lambdas = {}
            for statement in _top_statements(self.tree):
                for node in ast.walk(statement) if not isinstance(statement, _DEFINITIONS) else ():
                    if isinstance(node, ast.Lambda):
                        places = self._lambdas.setdefault(node.lineno, [])
                        if all(place.node is not node for place in places):  # walked with each block around it
                            places.append(Place(None, 1, node))
        return self._lambdas


def read(path: str) -> SourceFile | None:
    """The file as it lies on disk now, or None if there is no Python source to be had."""
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return None
    signature = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    known = _FILES.get(path)
    if known is not None and known[0] == signature:
        return known[2]
    try:
        with open(path, "rb", buffering=0) as file:
            content = file.read()
    except OSError:
        return None
    digest = xxh3_128_digest(content)
    if known is not None and known[1] == digest:
        source = known[2]
    else:
        try:
            source = SourceFile(path, content)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            source = None
    _FILES[path] = (signature, digest, source)
    return source


def first_line(node: Node) -> int:
    """The line at which the definition starts, decorators included."""
    if isinstance(node, _DEFINITIONS) and node.decorator_list:
        return min(node.lineno, *(each.lineno for each in node.decorator_list))
    return node.lineno


_FILES: dict[str, tuple[tuple[int, int, int, int], bytes, SourceFile | None]] = {}


def _name(node: Node) -> str:
    return "<lambda>" if isinstance(node, ast.Lambda) else node.name


def _enclosing(places: list[Place], code: CodeType) -> list[Place]:
    """Several on one line: the smallest whose body holds all positions of the code."""
    spots = [
        (line, column, end, end_column)
        for line, end, column, end_column in code.co_positions()
        if line is not None and end is not None and column is not None and end_column is not None
        if (column, end_column) != (0, 0)
    ]
    fitting = []
    for place in places:
        body = place.node.body
        first, last = (body[0], body[-1]) if isinstance(body, list) else (body, body)
        start = (first.lineno, first.col_offset)
        stop = (last.end_lineno or 0, last.end_col_offset or 0)
        if spots and all(start <= spot[:2] and spot[2:] <= stop for spot in spots):
            fitting.append(((stop[0] - start[0], stop[1] - start[1]), place))
    fitting.sort(key=lambda pair: pair[0])
    return [pair[1] for pair in fitting]


def _top_statements(tree: ast.Module, *, main: bool = True) -> Iterator[ast.stmt]:
    """The statements that run when the module does, also inside `if`, `try`, `with` and loops.

    `main`: also those behind `if __name__ == "__main__"`.
    """
    stack: list[ast.stmt] = list(reversed(tree.body))
    while stack:
        statement = stack.pop()
        yield statement
        if isinstance(statement, _SIMPLE) or not (main or not _is_main(statement)):
            continue
        blocks: list[ast.AST] = [statement]
        while blocks:
            block = blocks.pop()
            for child in ast.iter_child_nodes(block):
                if isinstance(child, ast.stmt):
                    stack.append(child)
                elif isinstance(child, ast.ExceptHandler | ast.match_case):
                    blocks.append(child)


def _is_main(statement: ast.stmt) -> bool:
    """Whether this is `if __name__ == ...`."""
    test = statement.test if isinstance(statement, ast.If) else None
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _touched(statement: ast.stmt) -> list[ast.expr]:
    """The expressions whose value a statement may change: called ones, and those whose parts are assigned."""
    if isinstance(statement, ast.Expr):
        return [statement.value] if isinstance(statement.value, ast.Call) else []
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign | ast.Delete):
        targets = statement.targets
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        targets = [statement.target]
    return [target.value for target in targets if isinstance(target, ast.Attribute | ast.Subscript)]


def _root(node: ast.expr) -> tuple[str, tuple[str, ...]]:
    """`a.b(...)[0].c` → `a` and `b`: the name at the root, and the attributes taken from it at once."""
    attrs: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            attrs.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call | ast.Subscript):
            attrs.clear()
            node = node.func if isinstance(node, ast.Call) else node.value
        else:
            return (node.id, tuple(reversed(attrs))) if isinstance(node, ast.Name) else ("", ())


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The module's names that a statement binds (of a compound one: by its head alone)."""
    if isinstance(statement, _DEFINITIONS):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            if isinstance(statement, ast.ImportFrom) or alias.asname:
                yield alias.asname or alias.name
            else:
                yield alias.name.partition(".")[0]
    elif isinstance(statement, ast.TypeAlias):
        yield statement.name.id
    else:
        stack: list[ast.AST] = [child for child in ast.iter_child_nodes(statement) if not isinstance(child, ast.stmt)]
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                yield node.id
            elif isinstance(node, ast.NamedExpr | ast.Tuple | ast.List | ast.Starred | ast.withitem):
                stack.extend(ast.iter_child_nodes(node))
