"""Acts of statements on the values of names other than binding them, and imports, from the text of a file."""

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pivot_fingerprint.syntax.node_fields import blocks, children
from pivot_fingerprint.syntax.scopes import Import

type Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_SIMPLE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Expr, ast.Assign, ast.AnnAssign)


class Act(NamedTuple):
    """A call of an object, or an assignment to a part of it: the root name, and the attributes taken from it."""

    line: int
    top: int | None  # the number of the definition that contains it; None at the top of the module
    root: str | Import
    attrs: tuple[str, ...]
    changes: bool  # else it is called for its result
    guarded: bool


def acts(tree: ast.Module, tops: Sequence[Definition]) -> list[Act]:
    """All acts of a file, at its top and in its definitions."""
    found: list[Act] = []
    for statement, guarded in _running(tree.body):
        for target in changed_expressions(statement):
            root, attrs = root_of(target)
            found += [Act(statement.lineno, None, root, attrs, changes=True, guarded=guarded)] if root else []
        for called, changes in _further(statement):
            root, attrs = root_of(called)
            found += [Act(statement.lineno, None, root, attrs, changes=changes, guarded=True)] if root else []
    for number, top in enumerate(tops):
        found += dict.fromkeys(_inside(number, top))
    return found


def imported(tree: ast.Module) -> list[Import]:
    """Everything that statements at the top of a file import."""
    found: dict[Import, None] = {}
    for statement, _ in _running(tree.body):
        if isinstance(statement, ast.Import):
            found |= {Import(0, each.name, None): None for each in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            names = [None if each.name == "*" else each.name for each in statement.names]
            found |= {Import(statement.level, statement.module or "", name): None for name in names}
    return list(found)


def _running(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, bool]]:
    """The statements that run at import, and whether they are conditional."""
    stack = [(statement, False) for statement in reversed(body)]
    while stack:
        statement, guarded = stack.pop()
        yield statement, guarded
        if isinstance(statement, _SIMPLE) or is_main(statement):
            continue
        if isinstance(statement, ast.If) and is_type_checking(statement.test):
            stack += [(each, guarded) for each in reversed(statement.orelse)]
            continue
        blocks: list[ast.AST] = [statement]
        while blocks:
            for child in children(blocks.pop()):
                if isinstance(child, ast.stmt):
                    stack.append((child, True))
                elif isinstance(child, ast.ExceptHandler | ast.match_case):
                    blocks.append(child)


def _further(statement: ast.stmt) -> Iterator[tuple[ast.expr, bool]]:
    """Other calls in a statement, and whether they are made only for their effects."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from ((each, False) for each in statement.decorator_list)
    elif isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(statement.value, ast.Call):
        yield statement.value, False
    elif isinstance(statement, ast.Expr):
        call = statement.value
        if not isinstance(call, ast.Call):
            stack: list[ast.AST] = [call]
            while stack:
                each = stack.pop()
                stack += children(each)
                if isinstance(each, ast.Call):
                    yield each, True
        elif isinstance(call.func, ast.Name) and call.func.id in {"setattr", "delattr"} and call.args:
            yield call.args[0], True


def _inside(number: int, top: Definition) -> Iterator[Act]:
    """The acts of a definition; names that it imports itself are replaced by their targets."""
    stack: list[ast.AST] = [top]
    statements: list[ast.stmt] = []
    own: dict[str, Import] = {}
    while stack:
        node = stack.pop()
        if isinstance(node, ast.stmt):
            statements.append(node)
        if isinstance(node, ast.Import):
            own |= {
                each.asname or each.name.partition(".")[0]: Import(
                    0, each.name if each.asname else each.name.partition(".")[0], None
                )
                for each in node.names
            }
        elif isinstance(node, ast.ImportFrom):
            own |= {each.asname or each.name: Import(node.level, node.module or "", each.name) for each in node.names}
        stack += blocks(node)
    for statement in statements:
        for target in changed_expressions(statement):
            root, attrs = root_of(target)
            if root:
                yield Act(0, number, own.get(root, root), attrs, changes=True, guarded=False)


def is_main(statement: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == ...`."""
    test = statement.test if isinstance(statement, ast.If) else None
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def is_type_checking(test: ast.expr) -> bool:
    """Whether a condition is `TYPE_CHECKING`, under which nothing ever runs."""
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


def changed_expressions(statement: ast.stmt) -> list[ast.expr]:
    """The expressions whose values a statement may change: called ones, and those with assigned parts."""
    if isinstance(statement, ast.Expr):
        return [statement.value] if isinstance(statement.value, ast.Call) else []
    if isinstance(statement, ast.Assign | ast.Delete):
        targets = statement.targets
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        targets = [statement.target]
    else:
        return []
    return [target.value for target in targets if isinstance(target, ast.Attribute | ast.Subscript)]


def root_of(node: ast.expr) -> tuple[str, tuple[str, ...]]:
    """`a.b(...)[0].c` → `a` and `b`: the root name, and the attributes taken directly from it."""
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
