"""Values that may be another one at each import: what they count by instead, and what their parts count by."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, cast

from pivot_fingerprint.values.builtin_types import attributes

__pivot_module__ = "pivot_fingerprint"

_DEEPEST = 4
_MOST = 200
"""Parts of one value."""
_FIRST = 20
"""Items of one container."""
_FROM_CLASS = 1 << 9
"""The flag of types that a `class` statement made."""


class UnstableValues(NamedTuple):
    """The digests of values that may differ at each import.

    Attributes:
        digests: By the key of each entry that holds such a value, a digest of the statements that make it what it is,
            and of all that they use.
        parts: By the same key, by the path into the value, what each part counts by.
    """

    digests: Mapping[str, str]
    parts: Mapping[str, Mapping[str, str]]


def parts_of(value: object, token: Callable[[object], str]) -> dict[str, str]:
    """The digests of the parts of a value, the outer ones first: `.name` and `[key]` lead to them."""
    found: dict[str, str] = {}
    waiting: deque[tuple[str, object, int]] = deque([("", value, 0)])
    while waiting and len(found) < _MOST:
        path, part, depth = waiting.popleft()
        found[path] = token(part)
        if depth < _DEEPEST:
            waiting.extend((f"{path}{step}", inner, depth + 1) for step, inner in _inside(part))
    return found


def _inside(value: object) -> Iterator[tuple[str, object]]:
    kind: type = type(value)
    if kind is dict:
        each: Iterable[tuple[str, object]] = (
            (f"[{key!r}]", item) for key, item in cast("dict[str, object]", value).items() if type(key) is str
        )
    elif kind is list or kind is tuple:
        each = ((f"[{number}]", item) for number, item in enumerate(cast("list[object]", value)))
    elif kind.__flags__ & _FROM_CLASS and not issubclass(kind, type):
        each = ((f".{name}", item) for name, item in attributes(value).items())
    else:
        return
    for _, found in zip(range(_FIRST), each, strict=False):
        yield found
