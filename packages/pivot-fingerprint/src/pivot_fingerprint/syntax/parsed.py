"""Syntax tree of a file, its outline, and the literals in it."""

import ast
import re
import warnings
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from pivot_fingerprint.syntax.canonical import canonical, is_silent, piece
from pivot_fingerprint.syntax.form import Form, Piece, joined
from pivot_fingerprint.syntax.node_fields import blocks, children
from pivot_fingerprint.syntax.outline import Binding, Effect, Site
from pivot_fingerprint.syntax.scopes import Import, Scope, imports
from pivot_fingerprint.syntax.statement_acts import Act, acts, changed_expressions, imported, is_main, root_of

type Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
type Node = Definition | ast.Lambda

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NODES = frozenset({*_DEFINITIONS, ast.Lambda})
_SIMPLE = (*_DEFINITIONS, ast.Expr, ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom)  # hold no statements


def _parse(content: bytes | str) -> ast.Module:
    """Parse a text without warnings, which the import issues, and which a filter of the user may turn into errors."""
    filters: list[Any] = warnings.filters  # type: ignore[assignment]  # a list, whatever its declaration says
    ignoring = ("ignore", None, Warning, None, 0)
    filters.insert(0, ignoring)  # the functions of `warnings` would make warnings of the user appear again
    try:
        return ast.parse(content)
    finally:
        filters.remove(ignoring)


class Parsed:
    """A syntax tree with its statements by the names that they bind."""

    def __init__(self, content: bytes | str) -> None:
        self.tree = _parse(content)
        self.walrus = may_hold(":=", content)
        self._lambda_lines = _lines_with("lambda", content)
        self.bindings: dict[str, list[ast.stmt]] = {}
        self.stars: list[ast.ImportFrom] = []
        self.tops: list[Definition] = []
        for statement in _top_statements(self.tree):
            if isinstance(statement, _DEFINITIONS):
                self.tops.append(statement)
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                self.stars.append(statement)
            for name in _bound(statement):
                self.bindings.setdefault(name, []).append(statement)

    def may_hold_lambda(self, node: Definition) -> bool:
        """Whether there may be a lambda in a definition, judged by the text of its lines."""
        lines = self._lambda_lines
        if not lines:
            return lines is None
        at = bisect_left(lines, first_line(node))
        return at < len(lines) and lines[at] <= (node.end_lineno or 0)


class TreeOutline:
    """The outline of a syntax tree."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self.tops = [site_of(top) for top in parsed.tops]
        numbers: dict[ast.stmt, int] = {top: number for number, top in enumerate(parsed.tops)}
        self.bindings = {
            name: [_binding(name, statement, numbers.get(statement)) for statement in statements]
            for name, statements in parsed.bindings.items()
        }
        self.stars = [Import(star.level, star.module or "", None) for star in parsed.stars]
        self.imports = imported(parsed.tree)
        self._acts: list[Act] | None = None
        self._effects: list[tuple[ast.stmt, Effect]] | None = None
        self._lambdas: list[ast.Lambda] | None = None
        self._pieces: list[Piece] | None = None

    def top_form(self, number: int) -> Form:
        """The form of a definition at the top."""
        return canonical([self._parsed.tops[number]], walrus=self._parsed.walrus)

    def sites(self, number: int) -> list[Site]:
        """All functions, classes and lambdas in a definition, itself first: level by level."""
        top = self._parsed.tops[number]
        inside = children if self._parsed.may_hold_lambda(top) else blocks
        level: list[ast.AST] = [top]
        found = [self.tops[number]]
        while level:
            level = [child for node in level for child in inside(node)]
            found += [site_of(node) for node in level if node.__class__ in _NODES]  # type: ignore[arg-type]
        return found

    @property
    def effects(self) -> list[Effect]:
        """The statements with effects on the values of names."""
        return [effect for _, effect in self._effect_statements()]

    @property
    def acts(self) -> list[Act]:
        """The effects of statements on names, at the top and in definitions."""
        if self._acts is None:
            self._acts = acts(self._parsed.tree, self._parsed.tops)
        return self._acts

    def _effect_statements(self) -> list[tuple[ast.stmt, Effect]]:
        if self._effects is None:
            self._effects = []
            for statement in _top_statements(self._parsed.tree, main=False):
                for target in changed_expressions(statement):
                    root, attrs = root_of(target)
                    if root and (not self._effects or self._effects[-1][0] is not statement):
                        self._effects.append((statement, Effect(statement.lineno, statement.end_lineno, root, attrs)))
        return self._effects

    def effect_pieces(self) -> list[Piece]:
        """The effects as pieces of a form."""
        if self._pieces is None:
            self._pieces = [
                piece([statement], walrus=self._parsed.walrus) for statement, _ in self._effect_statements()
            ]
        return self._pieces

    def effects_form(self, numbers: list[int]) -> Form:
        """The form of some of the effects together."""
        pieces = self.effect_pieces()
        return joined([pieces[number] for number in numbers])

    def lambdas(self) -> list[Site]:
        """The lambdas outside any definition."""
        return [site_of(node) for node in self._lambda_nodes()]

    def lambda_form(self, number: int) -> Form:
        """The form of a lambda outside any definition."""
        return canonical([self._lambda_nodes()[number]], walrus=self._parsed.walrus)

    def _lambda_nodes(self) -> list[ast.Lambda]:
        if self._lambdas is None:
            found: dict[ast.Lambda, None] = {}  # lambdas in a block are found again with each outer block
            for statement in _top_statements(self._parsed.tree):
                if not isinstance(statement, _DEFINITIONS):
                    found |= dict.fromkeys(node for node in walk(statement) if isinstance(node, ast.Lambda))
            self._lambdas = list(found)
        return self._lambdas


def whole_form(parsed: Parsed) -> Form:
    """The form of the whole text of a module."""
    body = [statement for statement in parsed.tree.body if not is_silent(statement)]
    docs = ast.get_docstring(parsed.tree, clean=False)
    given = Piece("", (docs,) if docs else (), (), (), frozenset(), ())
    return joined([piece(body, walrus=parsed.walrus), given])


def may_hold(text: str, content: bytes | str) -> bool:
    """Whether a source may contain some ASCII text."""
    return text in content if isinstance(content, str) else text.encode() in content or _declares_encoding(content)


def _declares_encoding(content: bytes | str) -> bool:
    """Whether a source may be in another encoding than UTF-8, in which ASCII text could be spelled differently."""
    return isinstance(content, bytes) and any(b"coding" in line for line in content.split(b"\n", 2)[:2])


def _lines_with(text: str, content: bytes | str) -> list[int] | None:
    """The numbers of the lines with some ASCII text; None if it may be in any line."""
    if not may_hold(text, content):
        return []
    if _declares_encoding(content):
        return None
    lines = re.split(rb"\r\n?|\n", content.encode() if isinstance(content, str) else content)
    return [number for number, line in enumerate(lines, 1) if text.encode() in line]


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all nodes in it, level by level, like `ast.walk`."""
    level = [node]
    while level:
        yield from level
        level = [child for each in level for child in children(each)]


def first_line(node: Node) -> int:
    """The line at which the definition starts, decorators included."""
    if isinstance(node, _DEFINITIONS) and node.decorator_list:
        return min(node.lineno, *(each.lineno for each in node.decorator_list))
    return node.lineno


def site_of(node: Node) -> Site:
    """The place of a definition, and other facts that a walk needs."""
    body = node.body
    start, stop = (body[0], body[-1]) if isinstance(body, list) else (body, body)
    span = (start.lineno, start.col_offset, stop.end_lineno or 0, stop.end_col_offset or 0)
    end = node.end_lineno or 0
    if isinstance(node, ast.Lambda):
        return Site("lambda", "<lambda>", node.lineno, node.lineno, end, span)
    if isinstance(node, ast.ClassDef):
        return Site("class", node.name, node.lineno, first_line(node), end, span, _dunders(node))
    has_defaults = bool(node.args.defaults or any(node.args.kw_defaults)) and not node.decorator_list
    return Site("func", node.name, node.lineno, first_line(node), end, span, (), has_defaults)


def _dunders(node: ast.ClassDef) -> tuple[str, ...]:
    scope = Scope(None, is_class=True)
    scope.collect(node.body)
    return tuple(sorted(name for name in scope.names if name.startswith("__") and name.endswith("__")))


def _binding(name: str, statement: ast.stmt, top: int | None) -> Binding:
    targets: tuple[Import, ...] = ()
    if isinstance(statement, ast.Import | ast.ImportFrom):
        targets = tuple(target for bound, target in imports(statement) if bound == name)
    return Binding(statement.lineno, statement.end_lineno, top, targets, isinstance(statement, ast.ImportFrom))


def _top_statements(tree: ast.Module, *, main: bool = True) -> Iterator[ast.stmt]:
    """The statements that run when the module does, also inside `if`, `try`, `with` and loops.

    `main`: also those behind `if __name__ == "__main__"`.
    """
    stack: list[ast.stmt] = list(reversed(tree.body))
    while stack:
        statement = stack.pop()
        yield statement
        if isinstance(statement, _SIMPLE) or not (main or not is_main(statement)):
            continue
        blocks: list[ast.AST] = [statement]
        while blocks:
            block = blocks.pop()
            for child in children(block):
                if isinstance(child, ast.stmt):
                    stack.append(child)
                elif isinstance(child, ast.ExceptHandler | ast.match_case):
                    blocks.append(child)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The module's names that a statement binds (by its head alone, if it is compound)."""
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
        stack: list[ast.AST] = [child for child in children(statement) if not isinstance(child, ast.stmt)]
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                yield node.id
            elif isinstance(node, ast.NamedExpr | ast.Tuple | ast.List | ast.Starred | ast.withitem):
                stack.extend(children(node))


def literal_binding(statements: Sequence[ast.stmt]) -> tuple[object] | None:
    """The value of a name that is bound once, to a literal; None for any other."""
    if len(statements) != 1:
        return None
    statement = statements[0]
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    else:
        return None
    if not all(isinstance(target, ast.Name) for target in targets) or statement.value is None:
        return None
    return _literal(statement.value)


def literal_extras(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[object]:
    """The defaults of an undecorated function, as they will be in the function object, if all are literals."""
    arguments = node.args
    defaults = [_literal(default) for default in arguments.defaults]
    by_name = {
        arg.arg: _literal(default)
        for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    }
    extras: list[object] = []
    if defaults:
        extras += ["defaults", tuple(each[0] for each in defaults if each is not None)]
    if by_name:
        extras += ["keyword defaults", {name: each[0] for name, each in sorted(by_name.items()) if each is not None}]
    return [] if None in defaults or None in by_name.values() else extras


def _literal(node: ast.expr) -> tuple[object] | None:
    try:
        return (ast.literal_eval(node),)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
