"""Uses of names that no name in the text shows: lookups by text, imports into classes and into the module's names."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pivot_fingerprint.syntax.form import Ref
from pivot_fingerprint.syntax.node_fields import blocks
from pivot_fingerprint.syntax.parsed import may_hold, walk
from pivot_fingerprint.syntax.scopes import Import, imports

NAMES, MODULES = "names", "modules"
"""Names that code may look up by a text: those of its own module, or also those of other modules."""
SUBCLASSES: Final = "subclasses"
"""Read by code that asks a class for its subclasses."""
OWN_TEXT: Final = "own text"
"""Read by code that opens or copies the file that it is in."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_NAMESPACES = frozenset({"locals", "vars", "dir"})
_LOOKING = frozenset({"globals", "eval", "exec"})
_SUBCLASSES: Final = "__subclasses__"
_READERS: Final = frozenset({"open", "copy", "copy2", "copyfile", "read_text", "read_bytes", "run_path", "getline"})


class Lookups:
    """Finds lookups in the statements of one module.

    Attributes:
        may_bind: A function of it may bind names of the module.
    """

    def __init__(self, tree: ast.Module, content: bytes) -> None:
        self._sys = {"sys"}
        self._modules: set[str] = set()
        self._may_ask = may_hold(_SUBCLASSES, content)
        self._may_read = may_hold("__file__", content)
        self.may_bind = may_hold("global", content)
        self._may_look = any(may_hold(name, content) for name in (*_NAMESPACES, *_LOOKING, "modules"))
        for node in _statements([tree]) if may_hold("sys", content) else ():
            for name, target in imports(node) if isinstance(node, ast.Import | ast.ImportFrom) else ():
                if target == Import(0, "sys", None):
                    self._sys.add(name)
                elif target == Import(0, "sys", "modules"):
                    self._modules.add(name)

    def looks(self, node: ast.AST) -> str:
        """`NAMES` if code may look up any name of its module by a text, `MODULES` if also those of other modules."""
        found = ""
        if not self._may_look:
            return found
        harmless = {id(each) for each in walk(node) for each in _harmless(each)}
        for each in walk(node):
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Name):
                name = each.func.id
                bare = name in _NAMESPACES and not each.args and not each.keywords
                if name in _LOOKING or (bare and not _is_in_function(node, each)):
                    found = found or NAMES
            elif isinstance(each, ast.Subscript) and self._is_modules(each.value):
                if isinstance(each.slice, ast.Name) and each.slice.id == "__name__":
                    found = found or NAMES
                    harmless.add(id(each.value))
            elif self._is_modules(each) and id(each) not in harmless:
                return MODULES
        return found

    def reads(self, nodes: Sequence[ast.AST]) -> Iterator[str]:
        """`SUBCLASSES` if code may ask for them, and `OWN_TEXT` if it reads or copies the file that it is in."""
        if self._may_ask and any(map(_asks, _every(nodes))):
            yield SUBCLASSES
        if self._may_read and any(isinstance(each, ast.Call) and _reads_file(each) for each in _every(nodes)):
            yield OWN_TEXT

    def _is_modules(self, node: ast.AST) -> bool:
        """Whether an expression is `sys.modules`."""
        if isinstance(node, ast.Name):
            return node.id in self._modules and isinstance(node.ctx, ast.Load)
        return (
            isinstance(node, ast.Attribute)
            and node.attr == "modules"
            and isinstance(node.value, ast.Name)
            and node.value.id in self._sys
        )


def _harmless(node: ast.AST) -> list[ast.expr]:
    """The operands of a test of what is in a collection."""
    return node.comparators if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn) else []


def _is_in_function(top: ast.AST, node: ast.AST) -> bool:
    """Whether code in a statement is that of a function, whose names are its own."""
    return any(isinstance(each, _FUNCTIONS) and any(one is node for one in walk(each)) for each in walk(top))


def _every(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    return (each for node in nodes for each in walk(node))


def _asks(node: ast.AST) -> bool:
    by_name = isinstance(node, ast.Attribute) and node.attr == _SUBCLASSES
    return by_name or (isinstance(node, ast.Constant) and node.value == _SUBCLASSES)


def _statements(nodes: Iterable[ast.AST], *, functions: bool = True) -> Iterator[ast.AST]:
    """Nodes with all statements in them, in no order."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        yield node
        if functions or not isinstance(node, _FUNCTIONS):
            stack += blocks(node)


def class_imports(nodes: Iterable[ast.AST]) -> Iterator[Ref]:
    """The imports that the bodies of classes bind, whose names other code takes from the classes."""
    for node in _statements(nodes, functions=False):
        if isinstance(node, ast.ClassDef):
            for each in _statements(node.body, functions=False):
                if isinstance(each, ast.Import | ast.ImportFrom):
                    yield from (Ref(target, (), each.lineno) for _, target in imports(each))


def _global_imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[set[str], ast.Import | ast.ImportFrom]]:
    """The imports in functions, with the names that these bind in the module."""
    for function in _statements(nodes):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = list(_statements([function]))
            names = {name for each in inside if isinstance(each, ast.Global) for name in each.names}
            yield from ((names, each) for each in inside if names and isinstance(each, ast.Import | ast.ImportFrom))


def global_imports(tree: ast.Module) -> Iterator[tuple[str, Import]]:
    """The names of the module that functions bind by imports."""
    for names, node in _global_imports([tree]):
        yield from ((name, target) for name, target in imports(node) if name in names)


def loading_refs(nodes: Iterable[ast.AST]) -> Iterator[Ref]:
    """Those imports as they are noted for names that nothing uses: they load their modules."""
    for _, node in _global_imports(nodes):
        for _, target in imports(node) if isinstance(node, ast.ImportFrom) else ():
            yield Ref(target, (), 0, weak=True)
        for alias in node.names if isinstance(node, ast.Import) else ():
            yield Ref(Import(0, alias.name, None), (), 0, weak=True)


def tried_imports(nodes: Iterable[ast.AST]) -> Iterator[Import]:
    """The imports whose failure statements handle."""
    for each in _statements(nodes):
        for inner in _statements(each.body) if isinstance(each, ast.Try) else ():
            if isinstance(inner, ast.Import):
                yield from (Import(0, alias.name, None) for alias in inner.names)
            elif isinstance(inner, ast.ImportFrom):
                yield from (target for _, target in imports(inner) if target.name != "*")


def _reads_file(call: ast.Call) -> bool:
    func = call.func
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    subjects = [*call.args[:1], *([func.value] if isinstance(func, ast.Attribute) else [])]
    return name in _READERS and any(map(_is_own_file, subjects))


def _is_own_file(node: ast.expr) -> bool:
    """Whether an expression is `__file__`, or `Path(__file__)` and the like."""
    while isinstance(node, ast.Call):
        func = node.func
        inner = node.args[0] if len(node.args) == 1 else func.value if isinstance(func, ast.Attribute) else None
        if inner is None:
            return False
        node = inner
    return isinstance(node, ast.Name) and node.id == "__file__"
