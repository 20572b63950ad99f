"""Statements that run when a module is imported: the names that each binds and changes, and its conditions."""

import ast
import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pivot_fingerprint.syntax.canonical import canonical, is_silent
from pivot_fingerprint.syntax.form import Form, Ref
from pivot_fingerprint.syntax.name_changes import MAKERS, ChangeCollector, NameChange
from pivot_fingerprint.syntax.node_fields import children
from pivot_fingerprint.syntax.parsed import Definition, Parsed, walk
from pivot_fingerprint.syntax.scopes import Import, Scope, parameters
from pivot_fingerprint.syntax.statement_acts import is_main, is_type_checking

# How a value relates to another one that its statement mentions: it contains it, is the same, or is a part of it.
HOLDS, SAME, PART = range(3)

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_FRESH = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Constant, ast.JoinedStr)
_HOLDERS = (*_FRESH, ast.Tuple, ast.GeneratorExp, ast.BinOp, ast.Compare, ast.UnaryOp, ast.Lambda)
_SCALAR = (ast.Constant, ast.JoinedStr, ast.Tuple, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Name)


class Statement(NamedTuple):
    """A statement at the top of a module; a loop is one, other compound statements are taken apart."""

    line: int
    end: int | None
    binds: frozenset[str]  # `*`: any name
    changes: tuple[NameChange, ...]
    called: frozenset[str]  # names that are called here, and not used otherwise
    gives: int  # HOLDS, SAME or PART
    runs: bool  # whether it may run code that is elsewhere
    results: bool  # whether it changes the result of such code
    alias: tuple[str, ...]  # the chain of names to which it gives another name
    plain: bool  # binds its names to numbers and texts, if it reads no others
    defines: bool  # is a definition or an import, which has its own entry
    guarded: bool
    tried: tuple[Import, ...]  # imports on whose success it depends
    form: Form

    @property
    def reads(self) -> frozenset[str]:
        """The names of its module that it mentions."""
        return frozenset(ref.root for ref in self.form.refs if isinstance(ref.root, str))


class BodyEffects(NamedTuple):
    """The possible effects of running the code of a definition."""

    assigns: frozenset[str]  # names of the module
    changes: tuple[NameChange, ...]
    aliases: bool  # changes the value of a local name, and so perhaps of anything that it mentions
    writes: bool  # sets attributes of its arguments, or customises subclasses


class Statements:
    """All statements at the top of a file, in order, and the effects of its definitions.

    Args:
        every: The statements.
        imports: Everything that they import.
        body: The effects of the definition with a given number.
    """

    def __init__(self, every: list[Statement], imports: tuple[Import, ...], body: Callable[[int], BodyEffects]) -> None:
        self.all = every
        self.imports = imports
        self.body = body
        self._binding: dict[str, list[Statement]] = {}
        self._changing: dict[str, list[Statement]] = {}
        for each in self.all:
            for name in each.binds:
                self._binding.setdefault(name, []).append(each)
            for name in dict.fromkeys(change.chain[0] for change in each.changes):
                self._changing.setdefault(name, []).append(each)

    def binding(self, name: str) -> list[Statement]:
        """The statements that bind a name."""
        return self._binding.get(name, [])

    def refs_of(self, name: str) -> list[Ref]:
        """The names in the statements that bind a name or change its value."""
        return [ref for each in (*self.binding(name), *self._changing.get(name, ())) for ref in each.form.refs]


def read_statements(parsed: Parsed) -> tuple[list[Statement], tuple[Import, ...]]:
    """The statements at the top of a file, and everything that they import."""
    flat = list(_flat(parsed.tree.body))
    imports = dict.fromkeys(target for node, _ in flat for target in _imported(node))
    return [_statement(parsed, node, guards) for node, guards in flat], tuple(imports)


def _statement(parsed: Parsed, node: ast.stmt, guards: "_Guards") -> Statement:
    seen = ChangeCollector(parsed.bindings.keys())
    seen.collect([node])
    scope = Scope(None)
    scope.collect([node], walrus=parsed.walrus)
    return Statement(
        line=node.lineno,
        end=node.end_lineno,
        binds=frozenset(seen.binds | scope.names.keys() - {"*"}),
        changes=tuple(seen.all),
        called=frozenset(seen.called - seen.other),
        gives=_holding(node),
        runs=seen.runs,
        results=seen.results,
        alias=_alias(node),
        plain=_is_plain(node),
        defines=isinstance(node, (*_DEFINITIONS, ast.Import, ast.ImportFrom)),
        guarded=bool(guards.nodes or guards.tried),
        tried=guards.tried,
        form=canonical([*guards.nodes, *_counted(node)], walrus=parsed.walrus),
    )


class _Guards(NamedTuple):
    """The conditions under which a statement is reached."""

    nodes: tuple[ast.AST, ...] = ()
    tried: tuple[Import, ...] = ()

    def and_(self, *nodes: ast.AST, tried: Iterable[Import] = ()) -> "_Guards":
        return _Guards((*self.nodes, *nodes), (*self.tried, *tried))


type _Block = tuple[Sequence[ast.stmt], _Guards]


def _flat(body: Sequence[ast.stmt]) -> Iterator[tuple[ast.stmt, _Guards]]:
    """The statements of a body, each with its guards."""
    stack: list[tuple[ast.stmt, _Guards]] = [(node, _Guards()) for node in reversed(body)]
    while stack:
        node, guards = stack.pop()
        blocks = _blocks(node, guards)
        if blocks is None:
            if not is_silent(node):
                yield node, guards
            continue
        if not isinstance(node, ast.Try | ast.TryStar) and blocks:
            yield _head(node), guards
        for block, inner in reversed(blocks):
            stack += [(each, inner) for each in reversed(block)]


def _blocks(node: ast.stmt, guards: _Guards) -> list[_Block] | None:  # noqa: PLR0911 - one for each kind
    """The blocks of a compound statement that is taken apart; None for any other statement."""
    if isinstance(node, ast.If):
        if is_main(node):
            return []
        if is_type_checking(node.test):
            return [(node.orelse, guards)]
        return [
            (node.body, guards.and_(node.test)),
            (node.orelse, guards.and_(node.test, ast.Constant("else"))),
        ]
    if isinstance(node, ast.With | ast.AsyncWith):
        return [(node.body, guards.and_(*(item.context_expr for item in node.items)))]
    if isinstance(node, ast.Try | ast.TryStar):
        done = [said for each in node.body for said in _counted(each) if not is_silent(each)]
        tried = [target for each in node.body for target in _imported(each)]
        caught = [
            (each.body, guards.and_(*done, *([each.type] if each.type is not None else []), tried=tried))
            for each in node.handlers
        ]
        return [(node.body, guards), *caught, (node.orelse, guards), (node.finalbody, guards)]
    if isinstance(node, ast.Match):
        blocks: list[_Block] = []
        patterns: list[ast.AST] = [node.subject]
        for case in node.cases:
            patterns += [case.pattern, *([case.guard] if case.guard is not None else [])]
            blocks.append((case.body, guards.and_(*patterns)))
        return blocks
    return None


def _head(node: ast.stmt) -> ast.stmt:
    """A compound statement without its blocks: the expressions that are evaluated before them."""
    head: ast.stmt = copy.copy(node)
    for field in ("body", "orelse"):
        if hasattr(head, field):
            setattr(head, field, [])
    if isinstance(node, ast.Match):
        head.cases = [copy.copy(case) for case in node.cases]  # type: ignore[attr-defined]
        for case in head.cases:  # type: ignore[attr-defined]
            case.body = []
    return head


def _counted(node: ast.stmt) -> list[ast.AST]:
    """The part of a statement that counts here: definitions and imports have their own entries."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return []
    if isinstance(node, _DEFINITIONS):
        name = ast.copy_location(ast.Name(node.name, ast.Load()), node)
        bases = [*node.bases, *node.keywords] if isinstance(node, ast.ClassDef) else []
        return [*node.decorator_list, *bases, name]
    return [node]


def _imported(node: ast.AST) -> Iterator[Import]:
    """Everything that is imported by this node at import time."""
    stack = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, ast.Import):
            yield from (Import(0, alias.name, None) for alias in each.names)
        elif isinstance(each, ast.ImportFrom):
            yield from (Import(each.level, each.module or "", alias.name) for alias in each.names)
        elif not isinstance(each, (*_FUNCTIONS, ast.expr)):
            stack += children(each)


def _holding(node: ast.stmt) -> int:
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if isinstance(node, ast.Assign) and not all(isinstance(target, ast.Name) for target in node.targets):
        return PART
    if isinstance(value, _HOLDERS):
        return HOLDS
    return SAME if isinstance(value, ast.Name) else PART


def _alias(node: ast.stmt) -> tuple[str, ...]:
    """`t = a.b` → `a`, `b`."""
    names: list[str] = []
    value = node.value if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) else None
    while isinstance(value, ast.Attribute):
        names.append(value.attr)
        value = value.value
    return (value.id, *reversed(names)) if isinstance(value, ast.Name) else ()


def _is_plain(node: ast.stmt) -> bool:
    """Whether it binds only numbers, texts and tuples of these, provided that it reads no others."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets = [node.target]
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) else None
    if value is None or not all(isinstance(target, ast.Name) for target in targets):
        return False
    stack: list[ast.AST] = [value]
    while stack:
        each = stack.pop()
        if not isinstance(each, _SCALAR):
            return False
        stack += [] if isinstance(each, ast.JoinedStr) else children(each)
    return True


def body_effects(node: Definition, names: frozenset[str]) -> BodyEffects:
    """The effects of the code of a definition; `names` are the names of the module that it mentions."""
    inside = list(walk(node))
    given = {arg.arg for each in inside if isinstance(each, (*_FUNCTIONS, ast.Lambda)) for arg in parameters(each.args)}
    seen = ChangeCollector(names | given, inside=True)
    seen.collect(node.body)
    fresh = _fresh(inside) - given
    assigns = {name for each in inside if isinstance(each, ast.Global) for name in each.names}
    outer, aliases, writes = [], False, False
    for change in seen.all:
        root = change.chain[0]
        if root in names:
            outer.append(change)
        elif root in given:
            writes = writes or (len(change.chain) > 1 and not change.passed and root != "self")
            aliases = aliases or (isinstance(node, ast.ClassDef) and change.depth > 1)  # an argument of an instance
        elif root not in fresh or (change.depth > 1 and not change.passed):
            aliases, writes = True, writes or len(change.chain) > 1
    hooks = any(isinstance(each, _FUNCTIONS) and each.name == "__init_subclass__" for each in inside)
    return BodyEffects(frozenset(assigns | seen.binds), tuple(outer), aliases, writes or hooks)


def _fresh(nodes: Iterable[ast.AST]) -> set[str]:
    """The local names that are only bound to containers that are created there."""
    made, other = set(), set()
    for node in nodes:
        if isinstance(node, ast.Assign) and _is_fresh(node.value):
            made |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and node.value is not None and _is_fresh(node.value):
            made |= {node.target.id} if isinstance(node.target, ast.Name) else set()
        elif isinstance(node, ast.stmt | ast.withitem | ast.comprehension | ast.NamedExpr) and not isinstance(
            node, ast.AugAssign
        ):
            targets = [getattr(node, field, None) for field in ("target", "targets", "optional_vars")]
            for target in targets:
                for each in target if isinstance(target, list) else [target]:
                    if each is not None:
                        other |= {name.id for name in walk(each) if isinstance(name, ast.Name)}
    return made - other


def _is_fresh(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in MAKERS
    return isinstance(value, _FRESH)
