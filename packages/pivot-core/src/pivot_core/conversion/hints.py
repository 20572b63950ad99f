"""Type hints taken apart: aliases, ``Annotated`` and new types aside, what is left to look at."""

import typing
from types import UnionType
from typing import Any


def unwrap_hint(hint: Any) -> Any:
    """The hint itself, without metadata, behind all aliases and new types."""
    while True:
        origin = typing.get_origin(hint)
        if isinstance(alias := origin or hint, typing.TypeAliasType):
            bound = dict(zip(alias.__type_params__, typing.get_args(hint), strict=False))
            free = getattr(alias.__value__, "__parameters__", ())
            hint = alias.__value__[tuple(bound[each] for each in free)] if bound and free else alias.__value__
        elif origin is typing.Annotated:
            hint = typing.get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        else:
            return hint


def members(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a union; of anything else the hint alone."""
    hint = unwrap_hint(hint)
    if typing.get_origin(hint) in (typing.Union, UnionType):
        return tuple(inner for each in typing.get_args(hint) for inner in members(each))
    return (hint,)


def format_hint(hint: Any) -> str:
    """A hint as a user would write it."""
    hint = unwrap_hint(hint)
    if hint is type(None) or hint is None:
        return "None"
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")
