"""The order of statements at the top of a module, as far as their own texts do not show it.

Values and definitions count alone, wherever they are, and so do imports. That is right as long as imports precede
everything, and names are bound once. Whatever deviates from this is noted here as text, so that ordinary modules have
none.
"""

import ast
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pivot_fingerprint.syntax.node_fields import children
from pivot_fingerprint.syntax.parsed import Parsed, walk
from pivot_fingerprint.syntax.scopes import Import, imports

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_IMPORTS = (ast.Import, ast.ImportFrom)
_COMPUTED = (ast.Call, ast.Attribute, ast.Subscript, ast.Starred)
_BLOCKS = (ast.If, ast.Try, ast.ExceptHandler)


class StatementOrder:
    """The places of the statements of one module.

    Args:
        parsed: The module.
        effects: Its statements that do more than define, other than its main block.
    """

    def __init__(self, parsed: Parsed, effects: Sequence[ast.stmt]) -> None:
        self._starts = [(node.lineno, node.col_offset) for node in parsed.tree.body]
        self._acting = sorted(self.place(node) for node in effects if not _only_imports(node))
        self._imports = [(self.place(node), node) for node in parsed.tree.body if isinstance(node, _IMPORTS)]
        self._effects = among = {self.place(node) for node in effects}
        self._several: dict[str, list[int]] = {}
        self._free: dict[str, list[int]] = {}
        self._first: dict[str, int] = {}
        self.orders: dict[str, str] = {}
        for name, statements in parsed.bindings.items():
            places = sorted({self.place(node) for node in statements})
            self._first[name] = places[0]
            if len(places) > 1 and name != "*":
                self._several[name] = places
                self._free[name] = [place for place in places if place not in among]
                kinds = [_kind(node, name, among=self.place(node) in among) for node in statements]
                if len(set(kinds)) > 1:
                    self.orders[name] = " ".join(kinds)
        self.stars = tuple(self.place(node) for node in parsed.stars)
        self.places = {
            name: tuple(sorted({self.place(node) for node in statements}))
            for name, statements in (parsed.bindings.items() if parsed.stars else ())
        }

    def place(self, node: ast.stmt) -> int:
        """The number of the statement at the top that contains a statement."""
        return bisect_right(self._starts, (node.lineno, node.col_offset)) - 1

    def late_imports(self) -> Iterator[tuple[Import, int]]:
        """The imports that follow statements with effects, and the number of these."""
        for place, node in self._imports:
            if number := bisect_left(self._acting, place):
                yield from ((target, number) for target in _targets(node))

    def later_imports(self, node: ast.stmt) -> Iterator[Import]:
        """The imports that follow a value or definition that may depend on their effects."""
        if self.place(node) not in self._effects and _computes(node):
            for place, each in self._imports:
                if place > self.place(node):
                    yield from _targets(each)

    def texts(self, kind: str, nodes: Sequence[ast.stmt], *, is_main: bool = False) -> Iterator[str]:
        """Notes about the places of the statements of a part."""
        if kind == "module":  # whose statements are in order, except for imports
            yield from (f"{name} {order}" for name, order in sorted(self.orders.items()))
            return
        for number, node in enumerate(nodes):
            yield from (f"{number} {text}" for text in self._texts(node, kind, is_main=is_main))

    def _texts(self, node: ast.stmt, kind: str, *, is_main: bool) -> Iterator[str]:
        acting = bisect_left(self._acting, self.place(node))
        names = {each.id for each in _at_once(node) if isinstance(each, ast.Name)}
        yield from (f"early {name}" for name in sorted(names) if self._first.get(name, -1) > self.place(node))
        if kind == "effects":
            yield from self._among(node, self._free, self._free)  # the order of effects is in their own texts
            if is_main and acting < len(self._acting):
                yield f"before {len(self._acting) - acting}"
            return
        computes = _computes(node)
        yield from self._among(node, self._several, self._several if computes else self._several.keys() & names)
        if computes and acting:
            yield f"after {acting}"

    def _among(self, node: ast.stmt, bound: Mapping[str, Sequence[int]], names: Iterable[str]) -> Iterator[str]:
        own = self.place(node)
        for name in sorted(names):
            places = [place for place in bound[name] if place != own]
            if (number := bisect_left(places, own)) != len(places):
                yield f"{name} {number}"


def _kind(node: ast.stmt, name: str, *, among: bool) -> str:
    if isinstance(node, _IMPORTS) and not among:
        return " ".join(str(target) for bound, target in imports(node) if bound == name)
    return "effect" if among else "definition" if isinstance(node, _DEFINITIONS) else "value"


def _targets(node: ast.Import | ast.ImportFrom) -> Iterator[Import]:
    """The modules that an import loads, by their full names."""
    if isinstance(node, ast.Import):
        yield from (Import(0, alias.name, None) for alias in node.names)
    else:
        yield Import(node.level, node.module or "", None)


def _only_imports(node: ast.AST) -> bool:
    """Whether a statement with effects only imports, or gives values to names instead."""
    if isinstance(node, _BLOCKS):
        return all(_only_imports(each) for each in children(node) if isinstance(each, ast.stmt | ast.ExceptHandler))
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Name):
        return all(isinstance(target, ast.Name) for target in node.targets)
    return isinstance(node, (*_IMPORTS, ast.Pass))


def _computes(node: ast.stmt) -> bool:
    """Whether a value or definition is made from something that other code may have changed."""
    return any(isinstance(each, _COMPUTED) for each in _evaluated(node))


def _at_once(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a statement that are evaluated where it is, and not when a function is called."""
    stack = [node]
    while stack:
        each = stack.pop()
        yield each
        stack += (
            [*_defaults(each), *getattr(each, "decorator_list", ())] if isinstance(each, _FUNCTIONS) else children(each)
        )


def _defaults(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.expr]:
    return [each for each in (*node.args.defaults, *node.args.kw_defaults) if each is not None]


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """The expressions that are evaluated where a statement is, without decorators, bases and annotations."""
    if isinstance(node, ast.ClassDef):
        for each in node.body:
            yield from _evaluated(each)
    elif isinstance(node, _FUNCTIONS):
        for default in _defaults(node):
            yield from walk(default)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        yield from walk(node.value) if node.value is not None else ()
