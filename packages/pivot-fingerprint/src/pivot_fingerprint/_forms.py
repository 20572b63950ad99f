"""The canonical source form of one name of a module, or of the module's own body; from text alone."""

import ast
import copy
import functools

from pivot_fingerprint._canonical import canonical, is_silent
from pivot_fingerprint._parsed import Parsed

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_BLOCKS = (ast.stmt, ast.ExceptHandler, ast.match_case)


@functools.lru_cache(maxsize=16)  # a file is asked for one name after another
def parsed(text: bytes | str) -> Parsed | None:
    """The text as a source file, or None if it is no Python."""
    try:
        return Parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def digest(source: Parsed, name: str) -> str | None:
    """32 hex digits over what makes a name at the top of a module what it is; None if nothing binds it.

    A definition counts with all that is in it, and so does whatever else binds its name. Any other
    name counts by every statement that mentions it, since each may change its value. `<module>`
    stands for the module's own body.
    """
    if name == "<module>":
        return canonical(node for node in map(_bare, source.tree.body) if not is_silent(node)).digest.hex()
    found = statements(source, name)
    return canonical(found).digest.hex() if found else None


def statements(source: Parsed, name: str) -> list[ast.stmt]:
    """The statements at the top of a module, imports aside, that make a name what it is."""
    binding = [node for node in source.bindings.get(name, ()) if not isinstance(node, _IMPORTS)]
    if not binding or any(isinstance(node, _DEFINITIONS) for node in binding):
        return binding
    others = (_bare(node) for node in source.tree.body if not isinstance(node, (*_DEFINITIONS, *_IMPORTS)))
    return [node for node in others if name in names(node)]


def names(node: ast.AST) -> set[str]:
    """All names that some code mentions."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _bare[Node: ast.AST](node: Node) -> Node:
    """A statement without the bodies of the functions and methods in it: these count when they are called."""
    changed: dict[str, list[ast.AST]] = {}
    if isinstance(node, _FUNCTIONS):
        changed["body"] = []
    else:
        for field, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], _BLOCKS):
                changed[field] = [_bare(each) for each in value]
    if changed:
        node = copy.copy(node)
        vars(node).update(changed)
    return node


def loose(source: Parsed) -> list[ast.stmt]:
    """The statements of the module's body that are no definitions."""
    return [_bare(node) for node in source.tree.body if not isinstance(node, _DEFINITIONS)]


def changes(node: ast.stmt) -> tuple[set[str], set[str]]:
    """The names that a statement binds, and those of which it changes the value: `a[0] = 1`, `a.add(1)`."""
    made, changed = set(), set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            if isinstance(each.ctx, ast.Store):
                made.add(each.id)
        elif isinstance(each, ast.Attribute | ast.Subscript):
            called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and node.value.func is each
            if called or isinstance(each.ctx, ast.Store):
                changed |= _root(each)
    return made, changed


def _root(node: ast.AST) -> set[str]:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()
