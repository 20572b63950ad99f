"""Fields of the classes of syntax nodes, computed once per class."""

import ast
import functools
from collections.abc import Callable
from typing import Any, get_args, get_origin

# Contexts follow from the position of a node; the others are comments and `u""`.
_DROPPED = frozenset({"ctx", "type_comment", "kind", "type_ignores"})
_PLAIN = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)

NODE, NODES, STATEMENTS, TEXTS, SCALAR, OPERATOR, OPERATORS = range(7)

OPERATOR_TEXTS = {kind: f"({kind.__name__})" for base in _PLAIN for kind in base.__subclasses__()}
"""The text of each operator, by its class."""
_LISTS = frozenset({NODES, STATEMENTS, OPERATORS})


def _once[T](make: Callable[[Any], T]) -> Callable[[Any], T]:
    return functools.cache(make)


@_once
def plan(kind: Any) -> tuple[str, tuple[tuple[str, str, int], ...]]:
    """The text of nodes of a class: the title, then each field with its prefix and kind."""
    types = _types(kind)
    names = [name for name in sorted(kind._fields) if name not in _DROPPED]
    kinds = {name: _kind(types[name]) for name in names}
    return f"({kind.__name__}", tuple((name, f" {name}={'[' * (kinds[name] in _LISTS)}", kinds[name]) for name in names)


@_once
def table(kind: Any) -> tuple[tuple[str, bool], ...]:
    """The fields of a class that contain nodes with content, and whether each is a list."""
    return tuple(
        (name, get_origin(annotation) is list)
        for name, annotation in _types(kind).items()
        if issubclass(_inner(annotation), ast.AST) and not issubclass(_inner(annotation), _PLAIN)
    )


@_once
def _block_fields(kind: Any) -> tuple[str, ...]:
    """The fields of a class that contain statements, or the clauses of a statement that contain them."""
    holders = (ast.stmt, ast.excepthandler, ast.match_case)
    return tuple(name for name, annotation in _types(kind).items() if issubclass(_inner(annotation), holders))


def _types(kind: Any) -> dict[str, Any]:
    types: dict[str, Any] = kind._field_types  # noqa: SLF001 - documented, and named like `_fields`
    return types


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes in a node in the order of `ast.iter_child_nodes`, without contexts and operators."""
    found: list[Any] = []
    for name, several in table(node.__class__):
        value = getattr(node, name)
        if several:
            found += value
        else:
            found.append(value)
    return [child for child in found if child is not None] if None in found else found


def blocks(node: ast.AST) -> list[ast.AST]:
    """The nodes in a node that are statements or clauses with statements, in the order of `children`."""
    found: list[ast.AST] = []
    for name in _block_fields(node.__class__):
        found += getattr(node, name)
    return found


def _kind(annotation: Any) -> int:
    """The kind of a field, by its type in `ast`."""
    inner = _inner(annotation)
    if issubclass(inner, _PLAIN):
        return OPERATORS if get_origin(annotation) is list else OPERATOR
    if get_origin(annotation) is not list:
        return NODE if issubclass(inner, ast.AST) else SCALAR
    if not issubclass(inner, ast.AST):
        return TEXTS
    return STATEMENTS if inner is ast.stmt else NODES


def _inner(annotation: Any) -> type:
    """`list[expr]`, `expr | None` → `expr`."""
    inner: type = (get_args(annotation) or (annotation,))[0]
    return inner
