"""The canonical form of a piece of code as a value, and how constants are spelled in it."""

import ast
from typing import Any, NamedTuple

from pivot_fingerprint._scopes import Import


class Ref(NamedTuple):
    """A name used: a global, or what an import inside the code binds; and the attributes taken from it."""

    root: str | Import
    attrs: tuple[str, ...]
    line: int
    weak: bool = False  # may well be unbound


class Issue(NamedTuple):
    """Something in the code that cannot be followed."""

    line: int
    reason: str


class Signature(NamedTuple):
    """A definition with annotations that count only where something reads them, and what decorates it."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.AnnAssign
    decorators: tuple[Ref, ...] = ()


class Form(NamedTuple):
    """The canonical form of one piece of code."""

    digest: bytes
    docs: bytes  # the docstrings, which count only where some code reads them
    refs: tuple[Ref, ...]
    issues: tuple[Issue, ...]
    reads: frozenset[str] = frozenset()  # "docs", "signatures": what the code itself looks at
    signatures: tuple[Signature, ...] = ()


def scalar(value: Any) -> str:
    """A constant by type and value, in text that no version of Python spells differently."""
    kind = type(value)
    if kind is str:
        return f"s{len(value)}:{value}"
    if kind is bytes:
        return f"b{value.hex()};"
    if kind is float:
        return "fnan;" if value != value else f"f{value.hex()};"  # noqa: PLR0124 - NaN alone differs from itself
    if kind is complex:
        return f"c{scalar(value.real)}{scalar(value.imag)}"
    if kind is int:
        return f"i{value:x};"
    return f"{value};"  # True, False, None, Ellipsis
