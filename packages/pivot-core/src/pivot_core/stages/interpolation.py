"""``${name}`` in declared data: substituted by named values, with their type if it is the whole value; pure."""

import functools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from pivot_core.errors import DefinitionError, list_names, suggest
from pivot_core.values import Value

type Path = tuple[str | int, ...]
"""The keys and positions that lead to a part of the data."""

LONGEST = 100_000
"""The maximum number of characters in a text after substitution."""

_REFERENCE = re.compile(r"[$\\](\$\{)|\$\{([^{}]*)\}")
_LATER = re.compile(r"(\$)?\$\{([^{}]*)\}")
_NAME = re.compile(r"[^\W\d][\w-]*\s*(?:\.[^.\[\]]+|\[[^.\[\]]+\]\s*)*")
_NESTED = re.compile(r"(?<![$\\])\$\{[\w.\[\]-]+\$\{[^{}]*\}[^{}]*\}?")
_FIRST = re.compile(r"\s*(\w+)\.[^{}]*\}")
_POSITION = re.compile(r"-?[0-9]{1,9}")
_NAMES_IN_A_HINT = 10

type Writer = Callable[[Any], str | None]
"""Writes a value as part of a text; None if it has no such form."""


class InterpolationError(DefinitionError):
    """A reference cannot be resolved.

    Attributes:
        path: Its path in the data.
        unknown: The name, if it is not known.
    """

    def __init__(self, message: str, path: Path, *, hint: str | None = None, unknown: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.unknown = unknown


def has_references(text: str) -> bool:
    """Whether a text contains a reference, even an escaped one."""
    return _REFERENCE.search(text) is not None


@attrs.frozen(eq=False, repr=False)
class Left(Value):
    """The references that are left for `substitute`.

    Attributes:
        holds: Whether a reference (without its braces) is one.
        first: The first parts that they can have. Where a value or an escape creates such a text, it is escaped.
    """

    holds: Callable[[str], bool] = attrs.field(default=lambda _: False)
    first: Collection[str] = ()


NOTHING: Final = Left()
"""No reference is left."""


def text_of(value: Any) -> str | None:
    """A plain value as part of a text; None if it has no such form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return value if isinstance(value, str) else None


def interpolate(  # how values are written, and what is left
    value: Any,
    scope: Mapping[str, Any],
    path: Path = (),
    *,
    left: Left = NOTHING,
    write: Writer = text_of,
    keys: bool = False,
) -> Any:
    r"""Replace every ``${name}`` in the texts of a value.

    ``${a.b}`` is the item ``b`` of ``a``, as is ``${a[b]}``; items of a list have numbers from 0. A text that consists
    of a single reference becomes the value itself, whatever its type; within a text, numbers, booleans and texts are
    inserted. ``$${`` and ``\${`` stand for ``${``.

    Args:
        value: Texts, plain values, and lists and mappings of these.
        scope: The values by name.
        path: The path of the value, for errors.
        left: The references that are not replaced.
        write: Writes a value within a text.
        keys: Replace references in keys of mappings as well.

    Raises:
        InterpolationError: A name is unknown, its value cannot be part of a text, the text becomes too long, or two
            keys of a mapping become equal.
    """

    def fill(value: Any, path: Path) -> Any:
        if isinstance(value, str):
            return _text(value, scope, path, left, write)
        if isinstance(value, list):
            return [fill(each, (*path, at)) for at, each in enumerate(value)]
        if isinstance(value, dict):
            filled = {}
            for key, each in value.items():
                new = _key(key, scope, (*path, key)) if keys else key
                if new in filled:
                    raise InterpolationError(f"the key {new!r} occurs for the second time", (*path, key))
                filled[new] = fill(each, (*path, key))
            return filled
        return value

    return fill(value, path)


def references(value: Any) -> Iterator[str]:
    """The references in texts and keys of a value, as they are written between the braces."""
    if isinstance(value, str):
        yield from (match[2].strip() for match in _REFERENCE.finditer(value) if match[1] is None)
    elif isinstance(value, Mapping):
        yield from (name for each in value.items() for part in each for name in references(part))
    elif isinstance(value, list):
        yield from (name for each in value for name in references(each))


@functools.lru_cache(maxsize=4096)
def _parts_of_name(reference: str) -> tuple[str, ...]:
    """As `parts_of`; empty if it is not a name. Variants repeat the references of one declaration."""
    name = reference.strip()
    return parts_of(name) if _NAME.fullmatch(name) else ()


def parts_of(reference: str) -> tuple[str, ...]:
    """The name in a reference, and the keys after it."""
    return tuple(part.strip() for part in reference.replace("[", ".").replace("]", "").split("."))


def path_in(value: Any, keys: Sequence[str]) -> Path | None:
    """The keys and positions that lead to an item of a value; None if it has no such item."""
    path: list[str | int] = []
    for key in keys:
        if isinstance(value, list) and _POSITION.fullmatch(key) and -len(value) <= int(key) < len(value):
            path.append(int(key) % len(value))
        elif isinstance(value, Mapping) and key in value:
            path.append(key)
        else:
            return None
        value = value[path[-1]]
    return tuple(path)


def find(reference: str, scope: Mapping[str, Any]) -> Any:
    """The value of a reference, which is given without its braces.

    Raises:
        InterpolationError: There is none.
    """
    return _value(reference, scope, ())


def substitute(text: str, value_of: Callable[[str, str], str], first: Collection[str], *, unescape: bool = True) -> str:
    """Replace the references that were `Left`: ``${first.rest}`` becomes ``value_of(first, rest)``.

    ``$${first.rest}`` stands for ``${first.rest}``, and stays as it is without ``unescape``.

    Raises:
        InterpolationError: The text becomes too long.
    """

    def one(match: re.Match[str]) -> str:
        head, dot, rest = match[2].strip().partition(".")
        if not dot or head not in first:
            return match[0]
        if match[1] is not None:
            return match[0][1:] if unescape else match[0]
        return value_of(head, rest)

    return _sub(_LATER, text, one, ())


def _key(key: str, scope: Mapping[str, Any], path: Path) -> str:
    found = text_of(_text(key, scope, path, NOTHING, text_of))
    if found is None:
        raise InterpolationError(f"{key} is no text, which a key must be", path, hint="name an item of it")
    return found


def _text(text: str, scope: Mapping[str, Any], path: Path, left: Left, write: Writer) -> Any:
    if "${" not in text:
        return text
    nested = _NESTED.search(text)
    if nested is not None:
        raise InterpolationError(
            f"{nested[0]} is a reference in the name of another one",
            path,
            hint="name the value itself; 'foreach' over a mapping has both the name (${key}) and the value (${item})",
        )
    whole = _REFERENCE.fullmatch(text)
    if whole is not None and whole[1] is None and not left.holds(whole[2].strip()):
        return _escaped(_value(whole[2], scope, path), left.first)

    def one(match: re.Match[str]) -> str:
        if match[1] is not None:
            head = _FIRST.match(text, match.end())
            return f"${match[1]}" if head is not None and head[1] in left.first else match[1]
        if left.holds(match[2].strip()):
            return match[0]
        value = _value(match[2], scope, path)
        try:
            part = write(value)
        except DefinitionError as error:
            raise InterpolationError(f"{match[0]}: {error}", path, hint=error.hint) from None
        if part is None:
            raise InterpolationError(
                f"{match[0]} is {_kind(value)}, which cannot be part of a string",
                path,
                hint="make it the whole value, or name an item of it",
            )
        return str(_escaped(part, left.first))

    return _sub(_REFERENCE, text, one, path)


def _escaped(value: Any, first: Collection[str]) -> Any:
    """A text, or texts in a list, with what would later count as a reference escaped."""
    if isinstance(value, list):
        return [_escaped(each, first) for each in value] if first else value
    if not isinstance(value, str) or "${" not in value:
        return value
    return _LATER.sub(lambda each: f"${each[0]}" if each[2].strip().partition(".")[0] in first else each[0], value)


def _sub(references: re.Pattern[str], text: str, one: Callable[[re.Match[str]], str], path: Path) -> str:
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

    return references.sub(counted, text)


def _value(reference: str, scope: Mapping[str, Any], path: Path) -> Any:
    parts = _parts_of_name(reference)
    if not parts:
        raise InterpolationError(
            f"${{{reference}}} is not a name", path, hint="write ${name} or ${name.item}; $${ stands for a literal ${"
        )
    known: Any = scope
    for at, part in enumerate(parts):
        if isinstance(known, list) and _POSITION.fullmatch(part) and -len(known) <= int(part) < len(known):
            known = known[int(part)]
        elif isinstance(known, Mapping) and part in known:
            known = known[part]
        else:
            raise _unknown(reference.strip(), parts, at, known, path)
    return known


def _unknown(name: str, parts: tuple[str, ...], at: int, known: Any, path: Path) -> InterpolationError:
    names = list(known) if isinstance(known, Mapping) else []
    close = suggest(parts[at], names, format_name=lambda each: f"${{{'.'.join([*parts[:at], each])}}}")
    escape = "$${ stands for a literal ${"
    if close:
        hint = close
    elif isinstance(known, list):
        hint = f"its items are 0 to {len(known) - 1}" if known else "it is empty"
    elif names:
        hint = f"known here: {list_names(names, _NAMES_IN_A_HINT)}; {escape}"
    elif at:
        hint = f"{'.'.join(parts[:at])!r} is {_kind(known)}"
    else:
        hint = f"no names are known here: define it below 'vars' or 'matrix', or in params.yaml; {escape}"
    within = f", since {'.'.join(parts[:at])!r} has no {parts[at]!r}" if at else ""
    return InterpolationError(f"${{{name}}} is not known{within}", path, hint=hint, unknown=parts[0] if not at else "")


def _kind(value: Any) -> str:
    if isinstance(value, bool | int | float | str):
        return "a text" if isinstance(value, str) else "a plain value"
    return {dict: "a mapping", list: "a list", type(None): "null"}.get(type(value), f"a {type(value).__name__}")
