"""Names that code takes from modules with computed names (`import_module(name).run`), if they can be listed."""

import ast
import re
from collections.abc import Iterable
from typing import NamedTuple

from pivot_fingerprint.syntax.parsed import walk
from pivot_fingerprint.syntax.scopes import is_import_call, literal_import

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_LOOKING = frozenset(
    {
        *("dir", "vars", "globals", "eval", "exec", "inspect", "pkgutil", "runpy", "pluggy", "entry_points"),
        *("__dict__", "modules", "exec_module", "load_module", "spec_from_file_location"),
    }
)
"""Names that give access to modules, or to everything in them."""
_LISTING = frozenset({"extend_path", "iter_modules", "walk_packages"})
"""The functions of `pkgutil` that return only names of modules."""
_HINTS = re.compile(rb"import_module|__import__|\b(?:%b)\b" % b"|".join(sorted(name.encode() for name in _LOOKING)))


class TakenNames(NamedTuple):
    """Names that some code takes from modules that it finds at run time."""

    names: frozenset[str] = frozenset()
    imports: int = 0  # the number of imports with a computed name
    bounded: bool = True  # nothing else of those modules is used

    def __or__(self, other: "TakenNames") -> "TakenNames":
        """The names of both."""
        return TakenNames(self.names | other.names, self.imports + other.imports, self.bounded and other.bounded)


def may_look_up_modules(content: bytes) -> bool:
    """Whether the text of a file can contain a computed import at all."""
    return _HINTS.search(content) is not None


def taken_names(nodes: Iterable[ast.AST]) -> TakenNames:
    """The names that these statements take from modules with computed names."""
    found = TakenNames()
    for node in nodes:
        above = {id(child): each for each in walk(node) for child in ast.iter_child_nodes(each)}
        for each in walk(node):
            name = each.id if isinstance(each, ast.Name) else each.attr if isinstance(each, ast.Attribute) else ""
            if name in _LOOKING and not (name == "pkgutil" and _attribute(each, above) in _LISTING):
                found |= TakenNames(bounded=False)
            elif isinstance(each, ast.Call) and is_import_call(each.func) and literal_import(each) is None:
                names = _of_import(each, above)
                found |= TakenNames(names or frozenset(), 1, names is not None)
    return found


def _attribute(node: ast.AST, above: dict[int, ast.AST]) -> str:
    holder = above.get(id(node))
    return holder.attr if isinstance(holder, ast.Attribute) else ""


def _of_import(call: ast.Call, above: dict[int, ast.AST]) -> frozenset[str] | None:
    """The names taken from the module that a call imports; None if the module may be used in any other way."""
    holder = above.get(id(call))
    if isinstance(holder, ast.Expr):
        return frozenset()
    if not isinstance(holder, ast.Assign):
        name = _of_use(call, holder)
        return None if name is None else frozenset({name})
    function = above.get(id(holder))
    while function is not None and not isinstance(function, (*_FUNCTIONS, ast.ClassDef)):
        function = above.get(id(function))
    target = holder.targets[0]
    if not isinstance(function, _FUNCTIONS) or len(holder.targets) > 1 or not isinstance(target, ast.Name):
        return None
    inside = list(walk(function))
    if any(isinstance(each, ast.Global | ast.Nonlocal) for each in inside):
        return None
    uses = [each for each in inside if isinstance(each, ast.Name) and each.id == target.id and each is not target]
    names = [_of_use(each, above.get(id(each))) for each in uses]
    return None if None in names else frozenset(name for name in names if name is not None)


def _of_use(node: ast.expr, holder: ast.AST | None) -> str | None:
    """The name that is taken from a module in this use of it; None for any other use."""
    if isinstance(holder, ast.Attribute):
        return holder.attr
    if isinstance(holder, ast.Call) and isinstance(holder.func, ast.Name) and holder.func.id == "getattr":
        of, name = (*holder.args, None, None)[:2]
        if of is node and len(holder.args) == 2 and isinstance(name, ast.Constant) and isinstance(name.value, str):  # noqa: PLR2004
            return name.value
    return None
