"""``${name}`` in declared data: substituted by named values, with their type if it is the whole value; pure."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pivot_core.errors import DefinitionError, suggest

type Path = tuple[str | int, ...]
"""The keys and positions that lead to a part of the data."""

LONGEST = 100_000
"""The maximum number of characters in a text after substitution."""

_REFERENCE = re.compile(r"\$(\$\{)|\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")


class InterpolationError(DefinitionError):
    """A reference cannot be resolved.

    Attributes:
        path: Its path in the data.
    """

    def __init__(self, message: str, path: Path, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


def has_references(text: str) -> bool:
    """Whether a text contains a reference, even an escaped one."""
    return _REFERENCE.search(text) is not None


def interpolate(value: Any, scope: Mapping[str, Any], path: Path = (), *, later: Collection[str] = ()) -> Any:
    """Replace every ``${name}`` in the texts of a value; keys stay unchanged.

    ``${a.b}`` is the item ``b`` of ``a``. A text that consists of a single reference becomes the value itself, whatever
    its type; within a text, numbers, booleans and texts are inserted. ``$${`` stands for ``${``.

    Args:
        value: Texts, plain values, and lists and mappings of these.
        scope: The values by name.
        path: The path of the value, for errors.
        later: First parts of names that are not replaced.

    Raises:
        InterpolationError: A name is unknown, its value cannot be part of a text, or the text becomes too long.
    """
    if isinstance(value, str):
        return _text(value, scope, path, later)
    if isinstance(value, list):
        return [interpolate(each, scope, (*path, at), later=later) for at, each in enumerate(value)]
    if isinstance(value, dict):
        return {key: interpolate(each, scope, (*path, key), later=later) for key, each in value.items()}
    return value


def substitute(text: str, value_of: Callable[[str, str], str], first: Collection[str]) -> str:
    """Replace the references that ``later`` had left: ``${first.rest}`` becomes ``value_of(first, rest)``.

    Raises:
        InterpolationError: The text becomes too long.
    """

    def one(match: re.Match[str]) -> str:
        head, dot, rest = (match[2] or "").strip().partition(".")
        return value_of(head, rest) if dot and head in first else match[0]

    return _sub(text, one, ())


def text_of(value: Any) -> str | None:
    """A plain value as part of a text; None if it has no such form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return value if isinstance(value, str) else None


def _text(text: str, scope: Mapping[str, Any], path: Path, later: Collection[str]) -> Any:
    whole = _REFERENCE.fullmatch(text)
    if whole is not None and whole[1] is None and whole[2].strip().partition(".")[0] not in later:
        return _value(whole[2], scope, path)

    def one(match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[1]
        if match[2].strip().partition(".")[0] in later:
            return match[0]
        value = _value(match[2], scope, path)
        part = text_of(value)
        if part is None:
            raise InterpolationError(
                f"{match[0]} is {_kind(value)}, which cannot be part of a string",
                path,
                hint="make it the whole value, or name an item of it",
            )
        return part

    return _sub(text, one, path)


def _sub(text: str, one: Callable[[re.Match[str]], str], path: Path) -> str:
    """Replace every reference; text that would grow without bound is detected before it is built."""
    added = 0

    def counted(match: re.Match[str]) -> str:
        nonlocal added
        part = one(match)
        added += len(part)
        if added > LONGEST:
            raise InterpolationError(
                f"with {match[0]} this text has more than {LONGEST:,} characters", path, hint="insert shorter values"
            )
        return part

    return _REFERENCE.sub(counted, text)


def _value(reference: str, scope: Mapping[str, Any], path: Path) -> Any:
    name = reference.strip()
    if not _NAME.fullmatch(name):
        raise InterpolationError(
            f"${{{reference}}} is not a name", path, hint="write ${name} or ${name.item}; $${ stands for a literal ${"
        )
    known: Any = scope
    parts = name.split(".")
    for at, part in enumerate(parts):
        if not isinstance(known, Mapping) or part not in known:
            raise _unknown(parts, at, known, path)
        known = known[part]
    return known


def _unknown(parts: list[str], at: int, known: Any, path: Path) -> InterpolationError:
    reference = f"${{{'.'.join(parts)}}}"
    names = list(known) if isinstance(known, Mapping) else []
    close = suggest(parts[at], names, format_name=lambda name: f"${{{'.'.join([*parts[:at], name])}}}")
    if close:
        hint = close
    elif names:
        hint = f"known here: {', '.join(names)}; $${{ stands for a literal ${{"
    else:
        hint = "no names are known here: define it below 'vars' or 'matrix'; $${ stands for a literal ${"
    within = f", since {'.'.join(parts[:at])!r} has no {parts[at]!r}" if at else ""
    return InterpolationError(f"{reference} is not known{within}", path, hint=hint)


def _kind(value: Any) -> str:
    return {dict: "a mapping", list: "a list", type(None): "null"}.get(type(value), f"a {type(value).__name__}")
