"""Values that can be read off the source: plain literals, as they will be once their module is imported."""

import ast
from collections.abc import Sequence


def literal_binding(statements: Sequence[ast.stmt]) -> tuple[object] | None:
    """The value of a name that is bound once, to a literal; None for anything else."""
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
    """The defaults of a function without decorators as the function will carry them, if all are literals."""
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
