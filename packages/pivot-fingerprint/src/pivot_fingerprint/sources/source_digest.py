"""Digest of the source of one name of a module, or of the module's body, from text alone."""

import ast
import builtins
import copy
import functools
import re
import sys
from collections.abc import Iterator

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.syntax.canonical import canonical, is_silent
from pivot_fingerprint.syntax.parsed import Parsed, first_line
from pivot_fingerprint.syntax.scopes import imports
from pivot_fingerprint.syntax.statement_acts import is_main

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_ACTIVE = (ast.Call, ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
_BLOCKS = (ast.stmt, ast.ExceptHandler, ast.match_case)


@functools.lru_cache(maxsize=16)  # one file serves several names in a row
def parsed(text: bytes | str) -> Parsed | None:
    """The text as a source file, or None if it is not Python."""
    try:
        return Parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def digest(source: Parsed, name: str) -> str | None:
    """32 hex digits over the statements that determine a name at the top of a module; None if nothing binds it.

    A definition counts with everything in it, and with other statements that bind or change its name. Any
    other name counts by every statement that mentions it, since each may change its value. `<module>` stands
    for the module's body, `*` for all of the module, `<effects>` for the statements of the body that do more than bind
    names. Imports of the names that all this uses count as well.
    """
    if name == "*":
        return canonical(node for node in source.tree.body if not is_silent(node)).digest.hex()
    if name == "<module>":
        return canonical(node for node in map(_bare, source.tree.body) if not is_silent(node)).digest.hex()
    found = effects(source) if name == "<effects>" else statements(source, name)
    form = canonical(found)
    roots = {name, *(ref.root for ref in form.refs if isinstance(ref.root, str))}
    given = [line for root in sorted(roots) for line in _imported(source, root)]
    if not given:
        return form.digest.hex() if found or name == "<effects>" else None
    return xxh3_128_hexdigest("\n".join([form.digest.hex(), *given]).encode("utf-8", "surrogatepass"))


def lines(source: Parsed, name: str, text: str) -> str:
    """The statements that `digest` covers without imports: their lines in the text, or as code what counts of them."""
    if name == "*":
        found = source.tree.body
    elif name == "<module>":
        found = [_bare(node) for node in source.tree.body]
    else:
        found = effects(source) if name == "<effects>" else statements(source, name)
    every = re.findall(r".*\n|.+", text.replace("\r\n", "\n").replace("\r", "\n"))  # as Python counts lines
    whole = {id(node) for node in ast.walk(source.tree)}
    return "".join(
        "".join(every[_first_line(node) - 1 : node.end_lineno]) if id(node) in whole else f"{ast.unparse(node)}\n"
        for node in found
    )


def _first_line(node: ast.stmt) -> int:
    return first_line(node) if isinstance(node, _DEFINITIONS) else node.lineno


def statements(source: Parsed, name: str) -> list[ast.stmt]:
    """The statements at the top of a module, other than imports, that determine a name."""
    binding = [node for node in source.bindings.get(name, ()) if not isinstance(node, _IMPORTS)]
    if not binding:
        return []
    others, definitions = _statements(source)
    if any(isinstance(node, _DEFINITIONS) for node in binding):
        later = [each for each in definitions if each.whole not in binding]
        return [*binding, *(each.bare for each in (*others, *later) if name in each.changed)]
    return [each.bare for each in others if name in each.names]


def _imported(source: Parsed, name: str) -> Iterator[str]:
    """The targets of a name that is bound by imports at the top of a module, or by star imports if unbound."""
    binding = source.bindings.get(name, ())
    for node in binding if any(isinstance(node, _IMPORTS) for node in binding) else ():
        bound = imports(node) if isinstance(node, _IMPORTS) else ((name, type(node).__name__),)
        yield from (f"{name} = {target}" for each, target in bound if each == name)
    if not binding:
        yield from (f"{name} of {'.' * star.level}{star.module}" for star in source.stars)


def names(node: ast.AST) -> set[str]:
    """All names that some code mentions."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _bare[Node: ast.AST](node: Node) -> Node:
    """A statement without the bodies of functions and methods, which count when they are called."""
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


class _Statement:
    """A statement at the top of a module, with the names that it mentions and changes."""

    def __init__(self, node: ast.stmt) -> None:
        self.whole = node
        self.bare = _bare(node)
        self.names = frozenset(names(self.bare))
        self.changed = frozenset(_changed(self.bare))


@functools.lru_cache(maxsize=16)
def _statements(source: Parsed) -> tuple[list[_Statement], list[_Statement]]:
    """The statements that are neither definitions nor imports, and the definitions."""
    passed_over = (*_DEFINITIONS, *_IMPORTS)
    others = [_Statement(node) for node in source.tree.body if not isinstance(node, passed_over) and not is_main(node)]
    return others, [_Statement(node) for node in source.tree.body if isinstance(node, _DEFINITIONS)]


def loose_statements(source: Parsed) -> list[ast.stmt]:
    """The statements of the module's body that are neither definitions nor imports, without the main block."""
    return [each.bare for each in _statements(source)[0]]


def effects(source: Parsed) -> list[ast.stmt]:
    """The statements of the module's body that do more than bind names; the others count where their names are used."""
    return [_bare(node) for node in source.tree.body if not only_binds(node)]


def only_binds(node: ast.stmt) -> bool:  # noqa: PLR0911 - one line per kind
    """Whether a statement only binds names."""
    if isinstance(node, ast.Import):
        return all(_is_standard(alias.name) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return not node.level and _is_standard(node.module or "")
    if isinstance(node, _FUNCTIONS):
        return not node.decorator_list and _is_inert(node.args)
    if isinstance(node, ast.ClassDef):
        plain = all(isinstance(base, ast.Name) and hasattr(builtins, base.id) for base in node.bases)
        return plain and not node.decorator_list and not node.keywords and all(map(only_binds, node.body))
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Name) for target in node.targets) and _is_inert(node.value)
    if isinstance(node, ast.AnnAssign):
        return isinstance(node.target, ast.Name) and (node.value is None or _is_inert(node.value))
    if isinstance(node, ast.If):  # imports for type checkers
        return ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"} and not node.orelse
    return is_silent(node)


def _is_inert(node: ast.AST) -> bool:
    """Whether the evaluation of an expression has no effects."""
    return not any(isinstance(each, _ACTIVE) for each in ast.walk(node))


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def bound_and_changed(node: ast.stmt) -> tuple[set[str], set[str]]:
    """The names that a statement binds, and the names whose values it changes: `a[0] = 1`, `a.add(1)`."""
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


def _changed(node: ast.AST) -> set[str]:
    """The names whose values a statement may change without binding them.

    `A.x = 1`, `del A.x`, `A.add(1)`, `change(A)`, also in a block, and definitions with a decorator of theirs.
    """
    found: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute | ast.Subscript) and not isinstance(each.ctx, ast.Load):
            found |= _root(each)
        elif isinstance(each, ast.Expr) and isinstance(each.value, ast.Call):
            found |= names(each.value)
        elif isinstance(each, _DEFINITIONS):
            found |= set().union(*map(names, each.decorator_list))
    return found
